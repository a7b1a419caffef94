"""Which engine computes a subject: the fastest that is proved equal to the certified model, otherwise the plain one.

The proof is on the probe, like certification: rows with different masks, by the engine's own forward pass and by the
untouched module under the gate. An engine that differs is not used, and the log says so.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool

from study.certification.certify import NUM_MASKS, TOLERANCE, random_masks
from study.engine.batched_decoding.engine import BatchedDecodingEngine
from study.engine.batched_decoding.proof import largest_difference
from study.engine.bottom_up.engine import BottomUpEngine
from study.engine.bottom_up.screening import ScreenedEngine
from study.engine.cascade.make import cascade_engine
from study.engine.engine import Engine, OneMaskAtATime
from study.engine.growing.classifier import GrowingClassifier
from study.engine.growing.language_model import GrowingLanguageModel
from study.engine.growing.proof import classifier_difference, language_model_difference
from study.engine.growing.screening import ScreenedLanguageModel, draft_model
from study.engine.memory import MemoryBudget
from study.engine.pairs import Pairs
from study.engine.precision import Cascade, Precision, Screening
from study.engine.row_alone.proof import BFLOAT16_TOLERANCE
from study.engine.weights.classifier import classifier_weights
from study.engine.weights.modules import UnsupportedModelError
from study.engine.weights.translator import translator_weights
from study.record.errors import InputError, StudyError
from study.record.units import HeadLayout, stack
from study.subjects.classifier import PROBE_LENGTHS, Classifier
from study.subjects.language_model.subject import LanguageModel
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
    cascade: Cascade | None = None,
    exact: Engine | None = None,
    batch_tokens: int = 0,
    memory_gb: float = 0.0,
) -> Engine:
    """The engine for a certified subject; `batch_tokens` and `memory_gb` as `MemoryBudget.on` takes them.

    A cascade is made around `exact`, an engine in float32 that is proved, where one is given.

    Raises:
        InputError: when the precision is not to be had for this model.
    """
    if precision is Precision.cascade:
        sizes = {"batch_tokens": batch_tokens, "memory_gb": memory_gb}
        exact = exact or choose_engine(subject, Precision.float32, screening, **sizes)
        return cascade_engine(exact, cascade or Cascade(), MemoryBudget.on(subject.device, **sizes))
    budget = MemoryBudget.on(subject.device, batch_tokens=batch_tokens, memory_gb=memory_gb)
    try:
        engine = _fast(subject, precision, screening, budget)
    except UnsupportedModelError as error:
        if precision is not Precision.float32:
            raise InputError(
                f"precision={precision} needs a model that the fast engine can take apart: {error}"
            ) from error
        log.warning("%s; %s", error, OneMaskAtATime.name)
        return OneMaskAtATime(subject, batch_tokens or PLAIN_TOKENS)
    log.debug("engine: %s", engine.name)
    return engine


def _fast(subject: Subject, precision: Precision, screening: Screening, budget: MemoryBudget) -> Engine:
    """The fastest engine that fits a subject.

    Raises:
        UnsupportedModelError: when none does; says why.
    """
    reasons: list[str] = []
    for make in _makers(subject, precision, screening, budget):
        try:
            engine = make()
        except UnsupportedModelError as error:
            reasons.append(str(error))
        except StudyError:
            raise
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
            reasons.append(f"the engine's own forward pass does not run ({type(error).__name__}: {error})")
        else:
            if reasons:
                log.info("%s: %s; %s", subject.loaded, "; ".join(reasons), engine.name)
            return engine
    raise UnsupportedModelError(f"{subject.loaded}: {'; '.join(reasons) or 'no engine is made for its kind'}")


def _makers(
    subject: Subject, precision: Precision, screening: Screening, budget: MemoryBudget
) -> list[Callable[[], Engine]]:
    """What makes the engines for a kind of subject, the fastest first; each refuses what it does not fit."""
    match subject:
        case Translator():
            return [partial(_batched_decoding, subject, budget)]
        case LanguageModel():
            careful = screening if precision is Precision.screened else None
            return [partial(_language_model, subject, precision, careful, budget, packs) for packs in (True, False)]
        case Classifier():
            bottom_up = partial(_bottom_up, subject, precision, screening, budget)
            return [bottom_up, partial(_growing_classifier, subject, precision, budget)]
    return []


def _batched_decoding(subject: Translator, budget: MemoryBudget) -> Engine:
    _require_heads(subject.layout)
    weights, masks = translator_weights(subject.module, subject.gate), random_masks(subject.layout, NUM_MASKS)
    _require_equal(largest_difference(weights, subject, subject.probe(), masks))
    return BatchedDecodingEngine(subject, weights, budget)


def _bottom_up(subject: Classifier, precision: Precision, screening: Screening, budget: MemoryBudget) -> Engine:
    _require_heads(subject.layout)
    exact = BottomUpEngine(subject, classifier_weights(subject.module, subject.gate), budget)
    masks = _every_way(subject.layout)
    for number, length in enumerate(PROBE_LENGTHS):
        row = subject.probe(length)[0]
        if number and (getattr(subject.module.config, "type_vocab_size", None) or 0) > 1:
            half = len(row.source) // 2
            row = replace(row, segments=(0,) * half + (1,) * (len(row.source) - half))
        expected = subject.response([row] * len(masks), subject.as_xi(masks))
        difference = (exact.logits([row], Pairs.every(masks, 1)).cpu() - expected).abs().max()
        _require_equal((difference / (expected.abs().max() or 1.0)).item())
    if precision is Precision.float32:
        return exact
    draft = classifier_weights(subject.module, subject.gate, torch.bfloat16)
    if precision is Precision.bfloat16:
        return BottomUpEngine(subject, draft, budget)
    return ScreenedEngine(subject, draft, exact, budget, screening)


def _growing_classifier(subject: Classifier, precision: Precision, budget: MemoryBudget) -> Engine:
    _require_own_precision(precision)
    engine = GrowingClassifier(subject, budget)
    _require_equal(classifier_difference(engine))
    return engine


def _language_model(
    subject: LanguageModel, precision: Precision, screening: Screening | None, budget: MemoryBudget, packs: bool
) -> Engine:
    if screening is None:
        _require_own_precision(precision)
    exact = _growing_language_model(subject, budget, packs)
    if screening is None:
        return exact
    draft = GrowingLanguageModel(draft_model(subject), budget, packs=packs)
    _require_equal(language_model_difference(draft), BFLOAT16_TOLERANCE)
    return ScreenedLanguageModel(draft, exact, screening)


def _growing_language_model(subject: LanguageModel, budget: MemoryBudget, packs: bool) -> GrowingLanguageModel:
    engine = GrowingLanguageModel(subject, budget, packs=packs)
    rounded = subject.module.dtype != torch.float32
    _require_equal(language_model_difference(engine), BFLOAT16_TOLERANCE if rounded else TOLERANCE)
    return engine


def _every_way(layout: HeadLayout) -> Bool[np.ndarray, "M H"]:
    """Masks that take every way through the engine in every layer: all on, one off, two, one left, none, any."""
    first = [layout.heads[layout.columns(*layer).start] for layer in layout.layers]
    two = stack((layout.without(layout.members(layer)[:2]) for layer in layout.layers), layout)
    chosen = (layout.each_off(first), two, layout.each_alone(first), layout.each_layer_off())
    return np.concatenate([layout.full()[None], *chosen, random_masks(layout, NUM_MASKS)])


def _require_heads(layout: HeadLayout) -> None:
    """Refuse a model with layers of which nothing can be masked: its layers are counted by their heads."""
    empty = [f"{kind} {layer}" for kind, counts in layout.counts.items() for layer, n in enumerate(counts) if not n]
    if empty:
        raise UnsupportedModelError(f"layers without heads ({', '.join(empty)})")


def _require_own_precision(precision: Precision) -> None:
    """Refuse what needs products in another precision than the model's own."""
    if precision is not Precision.float32:
        raise UnsupportedModelError("the model's own layers compute in its own precision")


def _require_equal(difference: float, tolerance: float = TOLERANCE) -> None:
    """Refuse an engine that does not compute what the module computes, within what rounding explains."""
    if not difference <= tolerance:
        raise UnsupportedModelError(f"the engine's own forward pass is not the model's (differs by {difference:.2g})")
