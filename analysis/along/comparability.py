"""Comparability: are heads of one place the same heads in two models?

They are where both models were trained from the same weights: fine-tunings of one model, seeds that change the order of
the data alone. Two random initialisations have heads that have nothing to do with each other but their place: head 3 of
one may do what head 1 of the other does.
"""

from collections.abc import Sequence
from enum import StrEnum

from analysis.results.cells import Cell
from study.record.errors import listed

MODELS = ("seed", "weights_seed", "order_seed", "family")
"""Axes along which cells are different trainings."""


class Match(StrEnum):
    """How heads of models that do not start from the same weights are compared all the same, for who asks for it."""

    heads = "heads"
    position = "position"


def different_starts(line: Sequence[Cell], axis: str) -> str | None:
    """Why heads of one place are not the same heads in the cells of a line; None where they are, or it is not known."""
    starts = {cell.place.initial for cell in line} - {None}
    if axis not in MODELS or len(starts) < 2:
        return None
    named = [f"{cell.label([axis])} from {cell.place.initial or 'weights that are not known'}" for cell in line]
    return (
        f"they do not start from the same weights ({listed(named)}), so that a head of one has nothing to do with the "
        f"head at its place in another"
    )


def unknown_starts(line: Sequence[Cell], axis: str) -> bool:
    """Whether it is not known of all cells of a line which weights they were trained from."""
    return axis in MODELS and None in {cell.place.initial for cell in line}
