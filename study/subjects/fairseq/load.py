"""Translation models of fairseq's loaded as subjects: from a checkpoint, or from a folder with heads removed."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from study.record.errors import InputError
from study.record.metrics.languages import main_language, require_direction
from study.subjects.fairseq.checkpoint import FairseqTransformer, build, read_checkpoint
from study.subjects.fairseq.text import Dictionary, FairseqText, TextProcessing
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
    if weights.name != WEIGHTS_FILE:
        checkpoint, text = read_translator(weights, processing)
        return as_subject(checkpoint, text, build(checkpoint), decoding, device, truncate=truncate)
    text = FairseqText(processing)
    module, limits = _read_pruned(weights.parent)
    loaded = f"{type(module).__name__} with heads removed from {weights.parent}"
    rows = [len(side.get_parameter("embed_tokens.weight")) for side in (module.get_encoder(), module.get_decoder())]
    _require_dictionaries(text, rows, weights)
    torch.nn.Module.to(module, device)
    return Translator(
        module, text, decoding, **limits, truncate=truncate, loaded=loaded, language=processing.target_lang
    )


def read_translator(weights: Path, processing: TextProcessing) -> tuple[FairseqTransformer, FairseqText]:
    """A fairseq checkpoint and its text files, which fit each other.

    Raises:
        InputError: when a file is missing or damaged, or the dictionaries or languages are not the model's.
    """
    text, checkpoint = FairseqText(processing), read_checkpoint(weights)
    _require_languages(checkpoint, processing)
    _require_dictionaries(text, (checkpoint.source_words, checkpoint.target_words), weights)
    return checkpoint, text


def as_subject(
    checkpoint: FairseqTransformer,
    text: FairseqText,
    module: PreTrainedModel,
    decoding: DecodingOptions,
    device: torch.device,
    *,
    truncate: bool,
) -> Translator:
    """A module made from a checkpoint, with its text processing."""
    torch.nn.Module.to(module, device)
    return Translator(
        module,
        text,
        decoding,
        max_source=checkpoint.max_source_positions,
        max_target=checkpoint.max_target_positions,
        truncate=truncate,
        loaded=f"{type(module).__name__} ({'pre' if checkpoint.pre_norm else 'post'}-norm) from {checkpoint.path}",
        language=text.settings.target_lang,
    )


def _read_pruned(folder: Path) -> tuple[PreTrainedModel, Mapping[str, int]]:
    """The module, and the longest source and target in tokens, `</s>` counted."""
    module, heads = read_model(folder), read_heads(folder)
    limits = {name: heads[name] for name in LIMITS if isinstance(heads.get(name), int)}
    if not module.config.is_encoder_decoder or len(limits) < len(LIMITS):
        raise InputError(f"{folder} holds a {type(module).__name__} that was not a translation model of fairseq's")
    return module, limits


def _require_dictionaries(text: FairseqText, rows: Sequence[int], weights: Path) -> None:
    """Refuse dictionaries that have not as many words as the embeddings of source and target have rows."""
    sides: tuple[tuple[str, Dictionary], ...] = (("source", text.source), ("target", text.target))
    wrong = [
        f"{dictionary.path} has {len(dictionary)} words (with the special ones), the {name} embedding has {number} rows"
        for (name, dictionary), number in zip(sides, rows, strict=True)
        if len(dictionary) != number
    ]
    if wrong:
        raise InputError("\n  - ".join([f"{weights} was trained with other dictionaries:", *wrong]))


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
