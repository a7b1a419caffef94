"""How rows grow from layer to layer where masks share what is below the first layer that they differ in.

A row is an example under all masks that agree so far. In the first layer there is one a wanted example; in the layer
where masks part, each gets a row of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from study.engine.pairs import Pairs
from study.engine.prefixes import prefix_classes

NONE, SEVERAL = -1, -2
"""Stands for the number of a head where there is none, or more than one."""


@dataclass(frozen=True)
class Growth:
    """How the rows grow in one layer.

    Attributes:
        parent: the row before the layer that each row after it comes from; ascending.
        first_child: the first row after the layer of each row before it, and at the end the number of rows after it.
        on: what each row after the layer leaves on in it: its heads, by the columns of its stage.
        first_pair: the first of the pairs that each row after it stands for.
    """

    parent: Int[np.ndarray, " N"]
    first_child: Int[np.ndarray, " rows_and_one"]
    on: Bool[np.ndarray, "N H"]
    first_pair: Int[np.ndarray, " N"]

    @cached_property
    def off(self) -> Int[np.ndarray, " N"]:
        """The only head that a row turns off; `NONE` or `SEVERAL`."""
        return _only(~self.on)

    @cached_property
    def both_off(self) -> Int[np.ndarray, "N 2"]:
        """The two heads that a row turns off; `NONE` twice where it turns off another number of them."""
        off = ~self.on
        pair = np.full((len(off), 2), NONE)
        rows = off.sum(axis=1) == 2
        pair[rows] = np.nonzero(off[rows])[1].reshape(-1, 2)
        return pair

    @cached_property
    def alone(self) -> Int[np.ndarray, " N"]:
        """The only head that a row leaves on; `NONE` or `SEVERAL`, the latter also where nothing is off."""
        return np.where(self.off == NONE, SEVERAL, _only(self.on))

    def is_unchanged(self, children: slice, parents: slice) -> bool:
        """Whether these rows after the layer are these rows before it, one by one, with every head on."""
        same_number = children.stop - children.start == parents.stop - parents.start
        return same_number and bool((self.off[children] == NONE).all()) and bool(np.diff(self.parent[children]).all())


def _only(chosen: Bool[np.ndarray, "N H"]) -> Int[np.ndarray, " N"]:
    """The head that is chosen in each row; `NONE` where none is, `SEVERAL` where more are."""
    number = chosen.sum(axis=1)
    return np.where(number == 1, chosen.argmax(axis=1), np.where(number == 0, NONE, SEVERAL))


@dataclass(frozen=True)
class RowPlan:
    """The rows that pairs of mask and example need.

    Attributes:
        examples: the example of each row before the first layer.
        layers: how rows grow in each layer.
        row: for each pair its row after the last layer.
    """

    examples: Int[np.ndarray, " R"]
    layers: Sequence[Growth]
    row: Int[np.ndarray, " P"]


def plan_rows(pairs: Pairs, stages: Sequence[slice | Int[np.ndarray, " _"]]) -> RowPlan:
    """Sort pairs of mask and example into rows.

    Args:
        pairs: masks and examples.
        stages: columns of the masks that act in each layer, first to last.
    """
    classes = prefix_classes(pairs.masks, stages)
    examples, row_P = np.unique(pairs.example, return_inverse=True)
    num_rows, layers = len(examples), []
    for columns, class_M in zip(stages, classes[1:], strict=True):
        num_classes = class_M.max(initial=0) + 1
        key_P = row_P * num_classes + class_M[pairs.mask]
        key_N, first_N, row_P = np.unique(key_P, return_index=True, return_inverse=True)
        parent_N = key_N // num_classes
        on_NH = pairs.masks[pairs.mask[first_N]][:, columns]
        layers.append(Growth(parent_N, np.searchsorted(parent_N, np.arange(num_rows + 1)), on_NH, first_N))
        num_rows = len(key_N)
    return RowPlan(examples, layers, row_P)
