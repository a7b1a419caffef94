"""Translators: the reference's tokens in a batch against those of each example, and the engine's against the model's.

No beam search is needed for it.
"""

from collections.abc import Sequence

from study.engine.engine import Engine
from study.subjects.subject import TokenRow
from study.subjects.translator import Translator


def translator_difference(engine: Engine, subject: Translator, rows: Sequence[TokenRow]) -> float:
    """The largest difference of a log-probability, as a share of the largest."""
    together = subject.reference_losses(rows)
    alone = [subject.reference_losses([row])[0] for row in rows]
    difference = max((losses[: len(own)] - own).abs().max().item() for losses, own in zip(together, alone, strict=True))
    scale = max(own.abs().max().item() for own in alone) or 1.0
    return max(difference, engine.difference(rows)) / scale
