"""The course of every training, and figure 5: what is left of the score at each of its epochs."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.compute import Analysis
from analysis.curves.training_dynamics import LINE
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.claims import Claim, training_claim
from analysis.page.section import Section
from analysis.page.verdicts import at_chance
from analysis.page.views import Row


@dataclass(frozen=True)
class Training:
    """The trainings of one name: their course, and figure 5 where checkpoints have pruning curves."""

    name: str
    count: int
    seeds: int
    course: tuple[Drawing, ...]
    figure_5: tuple[Drawing, ...]
    rows: tuple[Row, ...]
    claim: Claim | None
    at_chance: tuple[str, ...]

    @classmethod
    def of(cls, analysis: Analysis, name: str) -> "Training":
        """The trainings of a name that were jobs or have pruning curves."""
        own, course = analysis.dynamics.filter(training=name), analysis.results.trainings.filter(training=name)
        folder = slug(f"training-{name}")
        lines = own.drop_nulls("kept").group_by(LINE, maintain_order=True)
        base = own.unique("epoch", maintain_order=True).select("epoch", "base_score", "paper_base_score", "metric")
        return cls(
            name=name,
            count=course["training_id"].n_unique(),
            seeds=course["seed"].n_unique(),
            course=tuple(_course(course, folder)),
            figure_5=tuple(
                figures.dynamics(line, f"{line['domain'][0]}, by {line['curve'][0]}", f"{folder}/figure5-{i}", own)
                for i, (_, line) in enumerate(lines, 1)
            ),
            rows=tuple(base.rows(named=True)),
            claim=training_claim(own) if own.height else None,
            at_chance=tuple(
                f"{domain}: {at_chance(rows)}"
                for (domain,), rows in own.drop_nulls("reason").group_by("domain", maintain_order=True)
            ),
        )


@dataclass(frozen=True)
class Trainings(Section):
    """Every training that was a job or has pruning curves."""

    template, anchor, title = "trainings", "training", "Training"
    trainings: tuple[Training, ...]

    @classmethod
    def of(cls, analysis: Analysis) -> "Trainings | None":
        """The trainings by name, those with pruning curves first."""
        names = dict.fromkeys([*analysis.dynamics["training"], *analysis.results.trainings["training"]])
        trainings = tuple(Training.of(analysis, name) for name in names)
        drawings = tuple(drawing for each in trainings for drawing in (*each.course, *each.figure_5))
        return cls(trainings, drawings=drawings) if trainings else None


def _course(rows: pl.DataFrame, folder: str) -> Iterator[Drawing]:
    if rows.height:
        yield figures.losses(rows, "Loss", f"{folder}/loss")
    if rows["dev_score"].count():
        yield figures.dev_scores(rows, "Score on the dev data", f"{folder}/dev-score")
