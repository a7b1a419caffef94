"""A row alone: what is computed for an example among others is what plain transformers computes for it by itself.

Proved on real examples of the data at hand, the shortest, the longest and some between, before anything of a setting is
stored: rows of the probe that certifies a model are short, random and few. What came out stands in the setting's folder
(`row_alone.json`), so that no later job proves it again.

What is compared is told by a file for each kind of subject.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from study.engine.precision import Precision
from study.record.errors import StudyError
from study.record.examples import Examples
from study.record.files import read_sealed, write_sealed
from study.record.tables import OUTCOMES, Observation, Table

if TYPE_CHECKING:
    from study.engine.engine import Engine
    from study.subjects.subject import TokenRow

log = logging.getLogger(__name__)

PROOF_FILE = "row_alone.json"
NUM_EXAMPLES = 8
PROOF_TOKENS = 2**14
"""Tokens of the examples that are tried; of long ones only the shortest two and the longest two, or one of each."""

BFLOAT16_TOLERANCE = 0.1
"""Largest difference that rounding to bfloat16 may explain, as a share of the largest value."""


class RowAloneError(StudyError):
    """A model gives an example something else among others than by itself."""


def prove(
    engine: "Engine",
    examples: Examples,
    rows: "Sequence[TokenRow]",
    folder: Path,
    precision: Precision,
    tables: Sequence[Table] = (OUTCOMES,),
) -> None:
    """Prove it for the examples at hand, unless the setting's folder says that it is proved for all of their lengths.

    Args:
        engine: what computes.
        examples: those at hand.
        rows: the examples as the model reads them.
        folder: the setting's.
        precision: how outcomes are computed.
        tables: what is computed: outcomes and gradients are proved by outcomes, attention by what is seen of it.

    Raises:
        RowAloneError: when the difference is more than rounding explains.
    """
    from study.certification.certify import TOLERANCE

    exact = engine.exact
    seen = isinstance(tables[0], Observation)
    way = f"{'attention' if seen else exact.name}, on {exact.subject.device.type}"
    lengths = [len(row.source) for row in rows]
    known = read_proofs(folder)
    if way in known and known[way]["shortest"] <= min(lengths) and max(lengths) <= known[way]["longest"]:
        return
    chosen = _spread(lengths)
    some, own = examples.take(chosen.tolist()), [rows[i] for i in chosen.tolist()]
    difference = _difference_of_attention(engine, own) if seen else _difference(engine, some, own)
    weights = str(exact.subject.module.dtype).removeprefix("torch.")
    option, name = ("precision", "bfloat16") if precision is Precision.bfloat16 else ("model.dtype", weights)
    rounded = name != Precision.float32
    within = BFLOAT16_TOLERANCE if rounded else TOLERANCE
    if not difference <= within:
        consequence = (
            f"that is more than {name} should round, choose {option}=float32"
            if rounded
            else "its outcomes would depend on which examples are computed together. It cannot be studied"
        )
        raise RowAloneError(
            f"{exact.subject.loaded} gives an example something else among others than by itself (differs by "
            f"{difference:.2g} of the largest value, on {len(chosen)} examples of {min(lengths)} to {max(lengths)} "
            f"tokens): {consequence}"
        )
    log.debug("a row alone: %d examples come out as by themselves (within %.1g)", len(chosen), difference)
    proof = {"shortest": min(lengths), "longest": max(lengths), "examples": len(chosen), "difference": difference}
    write_sealed(folder / PROOF_FILE, {**known, way: proof})


def read_proofs(folder: Path) -> dict[str, Any]:
    """The proofs of a setting by the way of computing; none where the file is not whole."""
    try:
        return read_sealed(folder / PROOF_FILE)
    except (OSError, ValueError):
        return {}


def _spread(lengths: Sequence[int]) -> Int[np.ndarray, " chosen"]:
    """Positions of examples from the shortest to the longest, two and two of like length: those stand in one batch.

    Where these have more than `PROOF_TOKENS` tokens, they are fewer.
    """
    order = np.argsort(lengths, kind="stable")
    for pairs in (NUM_EXAMPLES // 2, 2):
        first = np.linspace(0, max(len(order) - 2, 0), pairs).round().astype(int)
        chosen = order[np.unique(np.minimum([first, first + 1], len(order) - 1))]
        if sum(lengths[i] for i in chosen) <= PROOF_TOKENS:
            return chosen
    return order[np.unique([0, len(order) - 1])]


def _difference_of_attention(engine: "Engine", rows: "Sequence[TokenRow]") -> float:
    from study.engine.row_alone.observation import observation_difference  # takes torch

    return observation_difference(engine.subject, rows)


def _difference(engine: "Engine", examples: Examples, rows: "Sequence[TokenRow]") -> float:
    """The largest difference, as a share of the largest value; a file for each kind of subject."""
    from study.engine.row_alone.classifier import classifier_difference  # these take torch
    from study.engine.row_alone.language_model import language_model_difference
    from study.engine.row_alone.translator import translator_difference
    from study.subjects.classifier import Classifier
    from study.subjects.language_model.subject import LanguageModel
    from study.subjects.translator import Translator

    match subject := engine.subject:
        case Classifier():
            return classifier_difference(engine.exact, subject, examples, rows)
        case Translator():
            return translator_difference(engine.exact, subject, rows)
        case LanguageModel():
            return language_model_difference(engine.exact, subject, rows)
    raise AssertionError(f"no way to compute a row of {subject.loaded} alone")
