"""Trainings with gates, for a notebook: what they score with the heads that they keep, from stored results alone."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analysis import Inference, read_results
from analysis.figures import Drawing
from analysis.gates import Gates
from analysis.gates import gates as gates_of
from analysis.page.sections.gates import course_drawings, score_drawings, survivor_drawings
from study.record.errors import InputError


@dataclass(frozen=True, repr=False)
class GatedTrainings:
    """What the trainings of a results folder score with the heads that they keep.

    Attributes:
        found: every table of the analysis about it.
    """

    found: Gates

    @property
    def table(self) -> pl.DataFrame:
        """Heads kept against score: a row for each method and number of heads, or lambda; means over seeds."""
        return self.found.curves

    @property
    def trainings(self) -> pl.DataFrame:
        """A row for each training: its gates, updates, heads kept, score, difference from the un-pruned model."""
        return self.found.kept

    @property
    def differences(self) -> pl.DataFrame:
        """Every two methods at equal numbers of heads of each kind, paired by seed."""
        return self.found.differences

    @property
    def survivors(self) -> pl.DataFrame:
        """In which seeds each head survives, and how likely that is by chance."""
        return self.found.survivors

    def scores(self) -> list[Drawing]:
        """Heads kept against score, a curve for each method; a figure for each family and data set."""
        return list(score_drawings(self.found))

    def courses(self) -> list[Drawing]:
        """Gates over the updates, head by head; a heat map for each training."""
        return list(course_drawings(self.found))

    def survivor_maps(self) -> list[Drawing]:
        """In how many seeds each head survives; a map for each method and number of heads."""
        return list(survivor_drawings(self.found))

    def __repr__(self) -> str:
        """The answer in sentences, after what makes it unfair."""
        return "\n".join([*self.found.sentences, *(f"Mind: {line}." for line in self.found.warnings)])


def gates(results: str | Path = "results", inference: Inference | None = None) -> GatedTrainings:
    """The trainings with gates that a results folder holds; nothing is computed but statistics.

    Args:
        results: folder of stored outcomes.
        inference: how intervals are made.

    Raises:
        InputError: when no training of the folder has gates.
    """
    found = gates_of(read_results(Path(results)), inference or Inference())
    if found is None:
        raise InputError(
            f"{results} holds no training with gates: model.training.gates=hard_concrete trains one, and measure=gates "
            f"scores the heads that it keeps"
        )
    return GatedTrainings(found)
