"""Gates: heads kept against score, methods side by side, which heads survive, and gates over the steps of trainings."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis import figures
from analysis.attention_kinds import by_kind, kind_label, kind_name
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.gates import Gates as Found
from analysis.gates.course import Course
from analysis.page.section import Section
from analysis.page.views import Row
from analysis.roles.words import role_title
from study.record.units import AttentionKind, Head

FOLDER = "gates"
"""Folder of its figures."""

MOST_MAPS = 12
"""Heat maps of gates, and maps of survivors, that are drawn; all numbers are in the tables."""


@dataclass(frozen=True)
class ComparedTrainings:
    """The trainings of one comparison, as tables.

    Attributes:
        name: what they have in common.
        unit: unit of differences of scores.
        metric: name of the metric.
        curves: means over seeds.
        kept: single trainings.
        differences: every two methods at equal heads.
    """

    name: str
    unit: str
    metric: str
    curves: tuple[Row, ...]
    kept: tuple[Row, ...]
    differences: tuple[Row, ...]

    @property
    def several_updates(self) -> bool:
        """Whether trainings are of several lengths."""
        return len({row["updates"] for row in self.curves}) > 1

    @property
    def several_kinds(self) -> bool:
        """Whether gated heads are of several kinds of attention."""
        return any("," in row["by_kind"] for row in self.kept)

    @property
    def with_loss(self) -> bool:
        """Whether losses are stored."""
        return any(row["loss"] is not None for row in self.kept)


@dataclass(frozen=True)
class Gates(Section):
    """All that gates of trainings come to.

    Attributes:
        warnings: what makes a comparison unfair, a sentence each.
        sentences: what it comes to.
        compared: tables, a comparison each.
        survival: how many heads survive how often, beside chance.
        roles: how many heads of each role are kept.
        trials: every training, where some were tried and not chosen.
        scores: heads kept against score.
        open: how many gates are open over the updates.
        maps: gates over the updates.
        survivors: by how many seeds each head is kept.
    """

    template, anchor, title, link = "gates", "gates", "Trained to keep fewer heads", "Gates"
    warnings: tuple[str, ...]
    sentences: tuple[str, ...]
    compared: tuple[ComparedTrainings, ...]
    survival: tuple[Row, ...]
    roles: tuple[Row, ...]
    trials: tuple[Row, ...]
    scores: tuple[Drawing, ...]
    open: tuple[Drawing, ...]
    maps: tuple[Drawing, ...]
    survivors: tuple[Drawing, ...]

    @classmethod
    def of(cls, analysis: Analysis) -> "Gates | None":
        """None where no training has gates."""
        return None if analysis.gates is None else cls.showing(analysis.gates)

    @classmethod
    def showing(cls, found: Found) -> "Gates":
        """The section of these trainings, its figures drawn."""
        drawn = {
            "scores": tuple(score_drawings(found)),
            "open": tuple(open_drawings(found)),
            "maps": tuple(course_drawings(found)),
            "survivors": tuple(survivor_drawings(found)),
        }
        return cls(
            warnings=found.warnings,
            sentences=found.sentences,
            compared=tuple(_compared(found)),
            survival=tuple(found.survival.rows(named=True)),
            roles=tuple(row | {"role": role_title(row["role"])} for row in found.roles.rows(named=True)),
            trials=tuple(found.trials.rows(named=True)) if (found.trials["trials"] > 1).any() else (),
            drawings=tuple(drawing for some in drawn.values() for drawing in some),
            **drawn,
        )


def _compared(found: Found) -> Iterator[ComparedTrainings]:
    for comparison in found.comparisons:
        tables = (found.curves, found.kept, found.differences)
        curves, kept, differences = (tuple(own.filter(comparison=comparison.name).rows(named=True)) for own in tables)
        yield ComparedTrainings(comparison.name, curves[0]["unit"], curves[0]["metric"], curves, kept, differences)


def score_drawings(found: Found) -> Iterator[Drawing]:
    """Heads kept against score, a figure for each comparison."""
    for at, comparison in enumerate(found.comparisons, 1):
        curves, kept = (own.filter(comparison=comparison.name) for own in (found.curves, found.kept))
        chosen = kept.filter(pl.col("chosen").fill_null(True))
        if curves.height > curves["reference"].sum():
            yield figures.score_curves(curves, chosen, comparison.name, f"{FOLDER}/score-{at}-{slug(comparison.name)}")


def open_drawings(found: Found) -> Iterator[Drawing]:
    """Open gates over the updates, a figure for each method."""
    for (training, method, scope), own in found.course.group_by("training", "method", "scope", maintain_order=True):
        kinds = " and ".join(map(kind_label, str(scope).split("+")))
        title = ", ".join(filter(None, (str(training), str(method), kinds and f"{kinds} heads")))
        yield figures.open_gates(own, title, f"{FOLDER}/open-{slug(title)}")


def course_drawings(found: Found) -> Iterator[Drawing]:
    """Gates over the updates, head by head: the first seeds of every method and amount, before the next ones."""
    seen: Counter[tuple[Any, ...]] = Counter()
    ranked = []
    for course in found.courses:
        *alike, _ = course.training.rank
        seen[tuple(alike)] += 1
        ranked.append((seen[tuple(alike)], course))
    for _, course in sorted(ranked, key=lambda one: one[0])[:MOST_MAPS]:
        training = course.training
        yield from _map(course, f"{training.method}, {training.amount}, seed {training.seed}")


def _map(course: Course, title: str) -> Iterator[Drawing]:
    """The gates of one training, a panel for each attention kind."""
    heads = [Head.parse(address) for address in course.heads]
    for kind in AttentionKind:
        own = [i for i, head in enumerate(heads) if head.kind is kind]
        if own:
            several = f", {kind_name(kind)}" if len(own) < len(heads) else ""
            name = f"{FOLDER}/course-{slug(course.training.folder.name)}-{kind}"
            yield figures.course_map(
                course.steps, [heads[i] for i in own], np.take(course.open, own, axis=1), title + several, name
            )


def survivor_drawings(found: Found) -> Iterator[Drawing]:
    """In how many seeds each head survives, a map for each method and amount."""
    by = ("comparison", "method", "amount", "updates")
    several = found.survivors["comparison"].n_unique() > 1
    for at, (names, own) in enumerate(list(found.survivors.group_by(*by, maintain_order=True))[:MOST_MAPS], 1):
        told = names[:3] if several else names[1:3]
        for kind, part in by_kind(own):
            kinds = [kind_name(kind)] if own["kind"].n_unique() > 1 else []
            yield figures.kept_map(part, ", ".join([*map(str, told), *kinds]), f"{FOLDER}/survivors-{at}-{kind}")
