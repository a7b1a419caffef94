"""Which engine computes a subject: the fastest that is proved equal to the certified model, otherwise the plain one.

The proof is on the probe, like certification: rows with different masks, by the engine's own forward pass and by the
untouched module under the gate. An engine that differs is not used, and the log says so.
"""

import logging
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool

from study.certification.certify import NUM_MASKS, TOLERANCE, random_masks
from study.engine.batched_decoding.decoder import largest_difference
from study.engine.batched_decoding.engine import LockstepSearch
from study.engine.bottom_up.engine import SharedPass
from study.engine.bottom_up.screening import ScreenedPass
from study.engine.engine import Engine, OneMaskAtATime
from study.engine.memory import Room
from study.engine.weights.classifier import split_encoder
from study.engine.weights.modules import UnsplittableError
from study.engine.weights.translator import split_translator
from study.record.errors import InputError, StudyError
from study.record.heads import HeadLayout
from study.subjects.classifier import PROBE_LENGTHS, Classifier
from study.subjects.model import Precision, Screening
from study.subjects.subject import Subject
from study.subjects.translator import Translator

log = logging.getLogger(__name__)

PLAIN_TOKENS = 4096
"""Tokens of a padded pass: fastest for small and middle-sized models on a CPU."""


def choose_engine(
    subject: Subject,
    precision: Precision,
    screening: Screening,
    *,
    batch_tokens: int = 0,
    memory_gb: float = 0.0,
) -> Engine:
    """The engine for a certified subject.

    Args:
        subject: the model.
        precision: how numbers are computed.
        screening: how careful `Precision.screened` is.
        batch_tokens: tokens computed at once; chosen by the device when 0.
        memory_gb: memory of a block; by what is free when 0.

    Raises:
        InputError: when the precision is not to be had for this model.
    """
    room = Room.on(subject.device, batch_tokens=batch_tokens, memory_gb=memory_gb)
    try:
        engine = _fast(subject, precision, screening, room)
    except UnsplittableError as error:
        if precision is not Precision.float32:
            raise InputError(
                f"precision={precision} needs a model that the fast engine can take apart: {error}"
            ) from error
        log.warning("%s; %s", error, OneMaskAtATime.name)
        return OneMaskAtATime(subject, batch_tokens or PLAIN_TOKENS)
    log.debug("engine: %s", engine.name)
    return engine


def _fast(subject: Subject, precision: Precision, screening: Screening, room: Room) -> Engine:
    empty = [
        f"{kind} {layer}" for kind, counts in subject.layout.counts.items() for layer, n in enumerate(counts) if not n
    ]
    if empty:
        raise UnsplittableError(f"{subject.loaded} has layers without heads ({', '.join(empty)})")
    try:
        if isinstance(subject, Translator):
            return _translating(subject, room)
        if isinstance(subject, Classifier):
            return _classifying(subject, precision, screening, room)
    except StudyError:
        raise
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        raise UnsplittableError(
            f"{subject.loaded}: the engine's own forward pass does not run ({type(error).__name__}: {error})"
        ) from error
    raise UnsplittableError(f"{subject.loaded} has no fast engine")


def _translating(subject: Translator, room: Room) -> Engine:
    model = split_translator(subject.module, subject.gate)
    rows = subject.probe()
    masks = random_masks(subject.layout, NUM_MASKS)
    given = (*subject.padded(rows), subject.random_targets(rows))
    _require_equal(largest_difference(model, subject.module, subject.gate, masks, *given), subject)
    return LockstepSearch(subject, model, room)


def _classifying(subject: Classifier, precision: Precision, screening: Screening, room: Room) -> Engine:
    exact = SharedPass(subject, split_encoder(subject.module, subject.gate), room)
    masks = _every_way(subject.layout)
    for number, length in enumerate(PROBE_LENGTHS):
        row = subject.probe(length)[0]
        if number and (getattr(subject.module.config, "type_vocab_size", None) or 0) > 1:
            half = len(row.source) // 2
            row = replace(row, segments=(0,) * half + (1,) * (len(row.source) - half))
        expected = subject.response([row] * len(masks), subject.as_xi(masks))
        found = exact.logits([row], masks, np.ones((len(masks), 1), dtype=bool)).cpu()
        _require_equal(((found - expected).abs().max() / (expected.abs().max() or 1.0)).item(), subject)
    if precision is Precision.float32:
        return exact
    draft = split_encoder(subject.module, subject.gate, torch.bfloat16)
    if precision is Precision.bfloat16:
        return SharedPass(subject, draft, room)
    return ScreenedPass(subject, draft, exact, room, screening)


def _every_way(layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
    """Masks that take every way through the engine in every layer: all on, one off, one left, none, any."""
    first = [layout.heads[layout.columns(*layer).start] for layer in layout.layers]
    ways = (layout.each_off(first), layout.each_alone(first), layout.each_layer_off(), random_masks(layout, NUM_MASKS))
    return np.concatenate([layout.full()[None], *ways])


def _require_equal(difference: float, subject: Subject) -> None:
    """Refuse an engine that does not compute what the module computes, within what rounding explains."""
    if not difference <= TOLERANCE:
        raise UnsplittableError(
            f"{subject.loaded}: the engine's own forward pass is not the model's (differs by {difference:.2g})"
        )
