"""Agreement of kept sets: are the same heads kept by other seeds, on other tasks, and more often than by chance?"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.agreement import Agreement as Found
from analysis.agreement import Stop
from analysis.agreement.coefficients import NAMES, Coefficient
from analysis.attention_kinds import by_kind, kind_name
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.section import Section
from analysis.page.views import Row

FOLDER = "kept-sets"
"""Folder of its figures."""

FEW = 3
"""Tasks that have a sentence each; of more there is a table."""

MOST_MAPS = 12
"""Tasks whose heads are drawn."""


@dataclass(frozen=True)
class Agreement(Section):
    """Every coefficient of every task beside what chance gives, and by how many raters heads are kept."""

    template, anchor, title = "agreement", "kept-sets", "Do the same heads survive pruning?"
    link = "Kept heads"
    tasks: tuple[tuple[str, tuple[Row, ...]], ...]
    times: tuple[tuple[str, tuple[Row, ...]], ...]
    sentences: tuple[str, ...]
    names: dict[str, str]

    @classmethod
    def of(cls, analysis: Analysis) -> "Agreement | None":
        """The section, where cells were compared along an axis on which several have a pruning curve."""
        found = analysis.kept
        return None if found is None else cls.showing(found, FOLDER, f"Heads {Stop()}.")

    @classmethod
    def showing(cls, found: Found, folder: str, made: str = "") -> "Agreement":
        """The section of these sets, their figures drawn; `made` says in words how the sets came about."""
        tables = (found.coefficients, found.times)
        tasks, times = (tuple(_by_task(table)) for table in tables)
        sentences = (*(found.sentences if len(tasks) <= FEW else []), *([made] if made else []))
        names = {str(name): words for name, words in NAMES.items()}
        drawings = tuple(_maps(found, folder))
        return cls(tasks, times, sentences, names, drawings=drawings)

    @property
    def overview(self) -> tuple[tuple[str, dict[str, Row]], ...]:
        """The coefficients of each task by name, where there are too many tasks for sentences."""
        if len(self.tasks) <= FEW:
            return ()
        return tuple((task, {row["coefficient"]: row for row in rows}) for task, rows in self.tasks)

    def whole(self, row: Row) -> bool:
        """Whether a row's value is a number of heads."""
        return row["coefficient"] == Coefficient.KEPT_IN_ALL


def _by_task(table: pl.DataFrame) -> Iterator[tuple[str, tuple[Row, ...]]]:
    for (task,), own in table.group_by("task", maintain_order=True):
        yield str(task), tuple(own.rows(named=True))


def _maps(found: Found, folder: str) -> Iterator[Drawing]:
    for sets in found.sets[:MOST_MAPS]:
        own = found.heads.filter(task=sets.task)
        for kind, part in by_kind(own):
            several = own["kind"].n_unique() > 1
            title = f"{sets.task}, {kind_name(kind)}" if several else sets.task
            yield figures.kept_map(part, title, f"{folder}/kept-{slug(sets.task) or 'sets'}-{kind}")
