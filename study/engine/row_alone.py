"""A row alone: what is computed for an example among others is what plain transformers computes for it by itself.

Proved on real examples of the data at hand, the shortest, the longest and some between, before anything of a setting is
stored: rows of the probe that certifies a model are short, random and few. What came out stands in the setting's folder
(`row_alone.json`), so that no later job proves it again.

- Classifiers: the engine's rows under the full mask against the model on what its tokenizer makes of one text, and
  under another mask against the certified model on one row.
- Translators: the log-probabilities of the reference's tokens in a batch of these examples, padded to the longest,
  against those of each example without padding, and the engine's against the model's. No beam search is needed for it.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from study.engine.pairs import Pairs
from study.engine.precision import Precision
from study.record.errors import StudyError
from study.record.examples import Examples
from study.record.files import read_sealed, write_sealed

if TYPE_CHECKING:
    from study.engine.engine import Engine
    from study.subjects.classifier import Classifier
    from study.subjects.subject import TokenRow
    from study.subjects.translator import Translator

log = logging.getLogger(__name__)

PROOF_FILE = "row_alone.json"
NUM_EXAMPLES = 8
BFLOAT16_TOLERANCE = 0.1
"""Largest difference that rounding to bfloat16 may explain, as a share of the largest value."""


class RowAloneError(StudyError):
    """A model gives an example something else among others than by itself."""


def prove(engine: "Engine", examples: Examples, rows: "Sequence[TokenRow]", folder: Path, precision: Precision) -> None:
    """Prove it for the examples at hand, unless the setting's folder says that it is proved for all of their lengths.

    Raises:
        RowAloneError: when the difference is more than rounding explains.
    """
    from study.certification.certify import TOLERANCE

    exact = engine.exact
    way = f"{exact.name}, on {exact.subject.device.type}"
    lengths = [len(row.source) for row in rows]
    known = read_proofs(folder)
    if way in known and known[way]["shortest"] <= min(lengths) and max(lengths) <= known[way]["longest"]:
        return
    chosen = _spread(lengths)
    difference = _difference(engine, examples.take(chosen.tolist()), [rows[i] for i in chosen.tolist()])
    rounded = precision is Precision.bfloat16
    within = BFLOAT16_TOLERANCE if rounded else TOLERANCE
    if not difference <= within:
        consequence = (
            "that is more than bfloat16 should round, choose precision=float32"
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
    """Positions of examples from the shortest to the longest, two and two of like length: those stand in one batch."""
    order = np.argsort(lengths, kind="stable")
    first = np.linspace(0, max(len(order) - 2, 0), NUM_EXAMPLES // 2).round().astype(int)
    return order[np.unique(np.minimum([first, first + 1], len(order) - 1))]


def _difference(engine: "Engine", examples: Examples, rows: "Sequence[TokenRow]") -> float:
    """The largest difference, as a share of the largest value."""
    from study.subjects.classifier import Classifier
    from study.subjects.translator import Translator

    subject = engine.subject
    if isinstance(subject, Classifier):
        return _classifier_difference(engine.exact, subject, examples, rows)
    assert isinstance(subject, Translator), f"no way to compute a row of {subject.loaded} alone"
    return _translator_difference(engine.exact, subject, rows)


def _classifier_difference(
    engine: "Engine", subject: "Classifier", examples: Examples, rows: "Sequence[TokenRow]"
) -> float:
    import torch

    from study.certification.certify import random_masks

    masks = np.stack([subject.layout.full(), random_masks(subject.layout, 1)[0]])
    found = np.full((len(masks), len(rows), 2), np.nan)
    for block in engine.run(rows, Pairs.every(masks, len(rows))):
        found[block.masks, block.examples] = np.stack([block.columns["loss"], block.columns["margin"]], axis=-1)
    alone = torch.stack([subject.alone(texts) for texts in examples.texts])
    masked = torch.cat([subject.response([row], subject.as_xi(masks[1:])) for row in rows])
    columns = [subject.columns(logits, rows) for logits in (alone, masked)]
    expected = np.stack([np.stack([column["loss"], column["margin"]], axis=-1) for column in columns])
    return float(np.abs(found - expected).max() / (alone.abs().max().item() or 1.0))


def _translator_difference(engine: "Engine", subject: "Translator", rows: "Sequence[TokenRow]") -> float:
    together = subject.reference_losses(rows)
    alone = [subject.reference_losses([row])[0] for row in rows]
    difference = max((losses[: len(own)] - own).abs().max().item() for losses, own in zip(together, alone, strict=True))
    scale = max(own.abs().max().item() for own in alone) or 1.0
    return max(difference, engine.difference(rows)) / scale
