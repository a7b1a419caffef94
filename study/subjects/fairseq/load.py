"""Translation models of fairseq's loaded as subjects: from a checkpoint, or from a folder with heads removed."""

import logging
from pathlib import Path

import torch
from transformers import PreTrainedModel

from study.record.errors import InputError
from study.record.metrics.languages import main_language, require_direction
from study.subjects.fairseq.checkpoint import FairseqTransformer, build, read_checkpoint
from study.subjects.fairseq.text import FairseqText, TextProcessing
from study.subjects.model_files import WEIGHTS_FILE
from study.subjects.pruned.folder import read_heads, read_model
from study.subjects.translator import DecodingOptions, Translator

log = logging.getLogger(__name__)

LIMITS = ("max_source", "max_target")
"""What `heads.json` tells of a translation model beside its heads, see `Translator.saved_facts`."""


def load_translator(
    weights: Path, processing: TextProcessing, decoding: DecodingOptions, device: torch.device, *, truncate: bool
) -> Translator:
    """A translation model, from a fairseq checkpoint or a pruned folder's weights, and its text files as a subject.

    Raises:
        InputError: when a file is missing or damaged, or the dictionaries are not the model's.
    """
    text = FairseqText(processing)
    if weights.name == WEIGHTS_FILE:
        module, limits = _read_pruned(weights.parent)
        loaded = f"{type(module).__name__} with heads removed from {weights.parent}"
    else:
        checkpoint = read_checkpoint(weights)
        _require_languages(checkpoint, processing)
        module = build(checkpoint)
        limits = {"max_source": checkpoint.max_source_positions, "max_target": checkpoint.max_target_positions}
        loaded = f"{type(module).__name__} ({'pre' if checkpoint.pre_norm else 'post'}-norm) from {weights}"
    sides = (module.get_encoder(), text.source, "source"), (module.get_decoder(), text.target, "target")
    wrong = [
        f"{dictionary.path} has {len(dictionary)} words (with the special ones), the {name} embedding has {rows} rows"
        for side, dictionary, name in sides
        if len(dictionary) != (rows := len(side.get_parameter("embed_tokens.weight")))
    ]
    if wrong:
        raise InputError("\n  - ".join([f"{weights} was trained with other dictionaries:", *wrong]))
    torch.nn.Module.to(module, device)
    return Translator(
        module, text, decoding, **limits, truncate=truncate, loaded=loaded, language=processing.target_lang
    )


def _read_pruned(folder: Path) -> tuple[PreTrainedModel, dict[str, int]]:
    """The module, and the longest source and target in tokens, `</s>` counted."""
    module, heads = read_model(folder), read_heads(folder)
    limits = {name: heads[name] for name in LIMITS if isinstance(heads.get(name), int)}
    if not module.config.is_encoder_decoder or len(limits) < len(LIMITS):
        raise InputError(f"{folder} holds a {type(module).__name__} that was not a translation model of fairseq's")
    return module, limits


def _require_languages(checkpoint: FairseqTransformer, processing: TextProcessing) -> None:
    """Refuse the languages of the training the wrong way round; say it where they have other codes."""
    asked = (processing.source_lang, processing.target_lang)
    require_direction(asked, checkpoint.languages, f"the training of {checkpoint.path}")
    known = [(code, own) for code, own in zip(asked, checkpoint.languages, strict=True) if own]
    if any(main_language(code) != main_language(own) for code, own in known):
        log.warning(
            "%s was trained from %s to %s, and is read as from %s to %s: its text is tokenised by the rules of these",
            checkpoint.path,
            *(own or "?" for own in checkpoint.languages),
            *asked,
        )
