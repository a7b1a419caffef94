"""Kept sets: which heads each of several raters keeps."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from study.record.errors import InputError
from study.record.units import Head


@dataclass(frozen=True, eq=False)
class KeptSets:
    """The heads that each rater keeps.

    Attributes:
        task: what all raters have in common: a task, a model.
        along: what tells the raters apart: `seed`, `task`.
        raters: their names.
        heads: the heads that every rater decides about.
        kept: whether the rater keeps the head.
    """

    task: str
    along: str
    raters: tuple[str, ...]
    heads: tuple[Head, ...]
    kept: Bool[np.ndarray, "raters heads"]

    def __post_init__(self) -> None:
        if len(self.raters) < 2:
            only = ", ".join(self.raters) or "none"
            where = f"{self.task}: " if self.task else ""
            raise InputError(f"{where}agreement needs two sets of kept heads or more, and there is {self.along} {only}")

    @property
    def sizes(self) -> Int[np.ndarray, " raters"]:
        """How many heads each rater keeps."""
        return self.kept.sum(axis=1)

    @property
    def counts(self) -> Int[np.ndarray, " heads"]:
        """By how many raters each head is kept."""
        return self.kept.sum(axis=0)

    @cached_property
    def layers(self) -> Int[np.ndarray, " heads"]:
        """The number of each head's layer; layers of several attention kinds have numbers of their own."""
        names = [(head.kind, head.layer) for head in self.heads]
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names])

    def strata(self, *, within_layers: bool) -> Iterator[Bool[np.ndarray, "raters members"]]:
        """Sets of heads that chance deals kept heads out in: all heads as one, or each layer by itself."""
        if not within_layers:
            yield self.kept
            return
        for layer in range(self.layers.max() + 1):
            yield self.kept[:, self.layers == layer]
