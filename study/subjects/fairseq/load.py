"""A translation model of fairseq's from which heads were removed, as a subject again."""

from pathlib import Path

import torch

from study.record.errors import InputError
from study.subjects.fairseq.text import TextProcessing
from study.subjects.pruned.folder import read_heads, read_model
from study.subjects.translator import Decoding, Translator

POSITIONS = ("max_source", "max_target")
"""What `heads.json` tells of a translation model beside its heads: its longest source and target, `</s>` counted."""


def load_pruned(
    weights: Path, processing: TextProcessing, decoding: Decoding, device: torch.device, *, truncate: bool
) -> Translator:
    """The weights of a pruned folder with their dictionaries and BPE codes.

    Raises:
        InputError: when a file is missing or damaged, or they do not fit each other.
    """
    folder = weights.parent
    module, heads, text = read_model(folder), read_heads(folder), processing.load()
    if not module.config.is_encoder_decoder or any(not isinstance(heads.get(name), int) for name in POSITIONS):
        raise InputError(f"{folder} holds a {type(module).__name__} that was not a translation model of fairseq's")
    torch.nn.Module.to(module, device)
    sides = (module.get_encoder(), text.source, "source"), (module.get_decoder(), text.target, "target")
    for side, dictionary, name in sides:
        rows = len(side.get_parameter("embed_tokens.weight"))
        if len(dictionary) != rows:
            raise InputError(
                f"{dictionary.path} has {len(dictionary)} words, the {name} embedding of {folder} has {rows}"
            )
    return Translator(
        module,
        text,
        decoding,
        max_source=heads["max_source"],
        max_target=heads["max_target"],
        truncate=truncate,
        loaded=f"{type(module).__name__} with heads removed from {folder}",
        language=processing.target_lang,
    )
