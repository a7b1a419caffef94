"""Later tasks of models, for a notebook: what free heads hold and what that costs, from stored results alone."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analysis import Inference, read_results
from analysis.figures import Drawing
from analysis.page.sections.second_tasks import SecondTasks as Shown
from analysis.second_tasks import SecondTasks
from analysis.second_tasks import second_tasks as second_tasks_of
from study.record.errors import InputError


@dataclass(frozen=True, repr=False)
class LaterTasks:
    """What the later tasks of a results folder reach, and what they cost the tasks before them.

    Attributes:
        found: every table of the analysis about it.
    """

    found: SecondTasks

    @property
    def table(self) -> pl.DataFrame:
        """The capacity curve: a row for each method and number of free heads; means over seeds."""
        return self.found.curves

    @property
    def trainings(self) -> pl.DataFrame:
        """A row for each training: heads freed, numbers moved, score, loss, gain over the output layer alone."""
        return self.found.later

    @property
    def controls(self) -> pl.DataFrame:
        """Every method beside the free heads, paired by seed."""
        return self.found.controls

    @property
    def earlier(self) -> pl.DataFrame:
        """What each method costs each earlier task."""
        return self.found.earlier

    @property
    def proofs(self) -> pl.DataFrame:
        """Whether earlier tasks are what they were, row by row."""
        return self.found.proofs

    @property
    def heads(self) -> pl.DataFrame:
        """Effects of single heads on later tasks, and which heads were taught."""
        return self.found.heads

    def drawings(self) -> list[Drawing]:
        """Every figure of the page about it: capacity curves, controls, heads by the size of their effects."""
        return list(Shown.showing(self.found).drawings)

    def __repr__(self) -> str:
        """The answer in sentences, after what has failed and what makes it unfair."""
        failed = [f"A proof has failed: {line}." for line in self.found.failures]
        return "\n".join([*failed, *self.found.sentences, *(f"Mind: {line}." for line in self.found.warnings)])


def second_tasks(results: str | Path = "results", inference: Inference | None = None) -> LaterTasks:
    """The later tasks of the models of a results folder; nothing is computed but statistics.

    Args:
        results: folder of stored outcomes.
        inference: how intervals are made.

    Raises:
        InputError: when no model of the folder was taught a later task.
    """
    found = second_tasks_of(read_results(Path(results)), inference or Inference())
    if found is None:
        raise InputError(
            f"{results} holds no model that was taught a later task: model.training.reuse=free_heads teaches one, and "
            f"measure=second_task scores it"
        )
    return LaterTasks(found)
