"""A cascade for a subject, around its engine in float32: which stages it has, and by which pass tangents are taken."""

import logging

import numpy as np
import torch

from study.certification.certify import TOLERANCE
from study.engine.bottom_up.engine import BottomUpEngine
from study.engine.cascade.answers import Decider
from study.engine.cascade.calibration import bfloat16_pays
from study.engine.cascade.choices import ChoiceDecider
from study.engine.cascade.classifiers import ClassifierDecider
from study.engine.cascade.engine import CascadeEngine
from study.engine.engine import Engine
from study.engine.growing.language_model import GrowingLanguageModel
from study.engine.growing.proof import language_model_difference
from study.engine.growing.screening import draft_model
from study.engine.memory import MemoryBudget
from study.engine.precision import Cascade
from study.engine.row_alone.proof import BFLOAT16_TOLERANCE
from study.engine.weights.classifier import classifier_weights
from study.record.errors import InputError
from study.subjects.classifier import PROBE_LENGTHS, Classifier
from study.subjects.language_model.subject import LanguageModel
from study.terminal.once import say_once

log = logging.getLogger(__name__)

KEPT_STATES = 16
"""Numbers per token and layer, in widths of the model, that a forward pass keeps for the way back."""


def cascade_engine(exact: Engine, cascade: Cascade, budget: MemoryBudget) -> CascadeEngine:
    """The cascade around an engine in float32.

    Raises:
        InputError: when the subject decides nothing.
    """
    decider = _decider(exact, budget)
    pays = bfloat16_pays(exact.subject.device)
    draft = _draft(exact, budget) if pays else None
    if draft is None:
        why = "this model does not compute well enough in it" if pays else "it is no faster on this device"
        say_once(log.info, f"cascade: no stage in bfloat16, as {why}: float32 takes its decisions")
    return CascadeEngine(decider, exact, draft, cascade)


def _decider(exact: Engine, budget: MemoryBudget) -> Decider:
    subject = exact.subject
    config = subject.module.config.get_text_config()
    bytes_per_token = 4 * KEPT_STATES * config.hidden_size * config.num_hidden_layers
    tokens = max(1, min(budget.product_tokens, budget.memory // bytes_per_token))
    match subject:
        case LanguageModel():
            return ChoiceDecider(subject, tokens)
        case Classifier() if len(subject.labels) > 1:
            plain = ClassifierDecider(subject, tokens)
            if not isinstance(exact, BottomUpEngine):
                return plain
            own = ClassifierDecider(subject, tokens, exact.weights)
            return own if _are_equal(own, plain, subject) else plain
    raise InputError(f"precision=cascade is for classification and choices: {subject.loaded} decides nothing")


def _are_equal(own: Decider, plain: Decider, subject: Classifier) -> bool:
    """Whether tangents by the engine's own pass are those by the module's, within rounding."""
    rows = [subject.probe(length)[0] for length in PROBE_LENGTHS]
    for one, other in zip(own.tangents(rows), plain.tangents(rows), strict=True):
        for found, expected in ((one.values, other.values), (one.slopes, other.slopes)):
            if not np.abs(found - expected).max() <= TOLERANCE * max(np.abs(expected).max(), 1.0):
                return False
    return True


def _draft(exact: Engine, budget: MemoryBudget) -> Engine | None:
    """The engine of the same model in bfloat16; None where there is none."""
    match exact:
        case BottomUpEngine():
            subject = exact.subject
            return BottomUpEngine(subject, classifier_weights(subject.module, subject.gate, torch.bfloat16), budget)
        case GrowingLanguageModel():
            draft = GrowingLanguageModel(draft_model(exact.subject), budget, packs=exact.packs)
            return draft if language_model_difference(draft) <= BFLOAT16_TOLERANCE else None
    return None
