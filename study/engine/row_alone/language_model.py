"""Language models: the engine's sums against plain transformers on one request alone, masked and not."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from study.certification.certify import random_masks
from study.engine.engine import Engine
from study.engine.pairs import Pairs
from study.subjects.language_model.passes import language_rows
from study.subjects.language_model.requests import LanguageRow, Request, text_row
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import TokenRow


def language_model_difference(engine: Engine, subject: LanguageModel, rows: Sequence[TokenRow]) -> float:
    """The largest difference of a sum of log-probabilities, as a share of the largest.

    Texts are tried on their first and last window.
    """
    own = [row if row.choices else text_row(row.example, _ends(row.requests)) for row in language_rows(rows)]
    masks = np.stack([subject.layout.full(), random_masks(subject.layout, 1)[0]])

    def alone(request: Request) -> list[float]:
        with subject.gate.masked(subject.as_xi(masks[1:])):
            masked, _ = subject.logliks([request])
        return [subject.alone(request), float(masked[0])]

    def every(row: LanguageRow) -> Float[np.ndarray, "masks requests"]:
        with subject.standing([row]):
            return np.array([alone(request) for request in row.requests]).T

    expected = [every(row) for row in own]
    difference = 0.0
    for block in engine.run(own, Pairs.every(masks, len(own))):
        for i, (mask, example) in enumerate(zip(block.masks, block.examples, strict=True)):
            found = _sums(block.columns, i)
            difference = max(
                difference, float(np.abs(found - _comparable(expected[example][mask], own[example])).max())
            )
    return difference / max(np.abs(sums).max() for sums in expected)


def _ends(windows: Sequence[Request]) -> Sequence[Request]:
    return [windows[0], *windows[1:][-1:]]


def _sums(columns: dict[str, Any], row: int) -> Float[np.ndarray, " sums"]:
    """What is stored of one row: the sums of a choice, or that of a text."""
    if "nll" in columns:
        return -np.asarray(columns["nll"])[row : row + 1]
    parts = [columns[name][row] for name in ("loglik", "loglik_alone") if name in columns]
    return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])


def _comparable(sums: Float[np.ndarray, " requests"], row: LanguageRow) -> Float[np.ndarray, " sums"]:
    return sums if row.choices else sums.sum(keepdims=True)
