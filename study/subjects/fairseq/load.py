"""Translation models of fairseq's loaded as subjects: from a checkpoint, or from a folder with heads removed."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from study.record.errors import InputError, listed
from study.record.metrics.languages import main_language, require_direction
from study.record.training.tasks import TaskRecord
from study.subjects.fairseq.checkpoint import FairseqTransformer, build, computed_names, read_checkpoint
from study.subjects.fairseq.tasks import checkpoint_tasks, tasks_file
from study.subjects.fairseq.text import Dictionary, FairseqText, TextProcessing
from study.subjects.model_files import WEIGHTS_FILE
from study.subjects.pruned.folder import read_heads, read_model
from study.subjects.tasks.load import turn_off
from study.subjects.tasks.stored import heads_off
from study.subjects.translator import DecodingOptions, Translator

log = logging.getLogger(__name__)

LIMITS = ("max_source", "max_target")
"""What `heads.json` tells of a translation model beside its heads, see `Translator.saved_facts`."""


def load_translator(
    weights: Path,
    processing: TextProcessing,
    decoding: DecodingOptions,
    device: torch.device,
    *,
    truncate: bool,
    task: str | None = None,
) -> Translator:
    """A translation model, from a fairseq checkpoint or a pruned folder's weights, and its text files as a subject.

    Args:
        weights: the checkpoint, or the weights of a pruned folder.
        processing: how its text is processed.
        decoding: how to translate.
        device: where its weights are to be.
        truncate: cut sources that are longer than its positions.
        task: name of one of the tasks beside the checkpoint, of which the heads that are off for it are silent; None
            for a model of one task.

    Raises:
        InputError: when a file is missing or damaged, or the dictionaries are not the model's.
    """
    if weights.name != WEIGHTS_FILE:
        checkpoint, text = read_translator(weights, processing)
        chain = None if task is None else checkpoint_tasks(weights)
        if chain is None:
            return as_subject(checkpoint, text, build(checkpoint), decoding, device, truncate=truncate)
        chosen = chain.task(task or "")
        whole = with_own_tensors(checkpoint, chosen)
        subject = as_subject(whole, text, build(whole), decoding, device, truncate=truncate)
        turn_off(subject.module, subject.gate, chosen, chain, tasks_file(weights), computed_names(subject.module))
        subject.silent = frozenset(heads_off(chosen, chain))
        return subject
    text = FairseqText(processing)
    module, limits = _read_pruned(weights.parent)
    loaded = f"{type(module).__name__} with heads removed from {weights.parent}"
    rows = [len(side.get_parameter("embed_tokens.weight")) for side in (module.get_encoder(), module.get_decoder())]
    _require_dictionaries(text, rows, weights)
    torch.nn.Module.to(module, device)
    return Translator(
        module, text, decoding, **limits, truncate=truncate, loaded=loaded, language=processing.target_lang
    )


def with_own_tensors(checkpoint: FairseqTransformer, task: TaskRecord) -> FairseqTransformer:
    """A checkpoint with what a task has for itself in the place of what it shares.

    Raises:
        InputError: when the task's file is missing or damaged, or has tensors that the checkpoint has not.
    """
    if not task.file:
        return checkpoint
    file = checkpoint.path.parent / task.file
    own = read_own(file)
    if unknown := sorted(own.keys() - checkpoint.weights.keys()):
        raise InputError(f"{file} has {listed(unknown)}, which {checkpoint.path.name} has not")
    return replace(checkpoint, weights={**checkpoint.weights, **own})


def read_own(file: Path) -> dict[str, Tensor]:
    """The tensors that a task has for itself.

    Raises:
        InputError: when the file is missing or damaged.
    """
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


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
