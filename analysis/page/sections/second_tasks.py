"""Second tasks: the capacity curve, controls on one picture, what earlier tasks lose, which heads matter, chains."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.figures.second_tasks.control_rows import counted
from analysis.formatting import slug, unit_name
from analysis.page.section import Section
from analysis.page.views import Row
from analysis.second_tasks import SecondTasks as Found
from analysis.second_tasks.comparisons import Comparison
from analysis.second_tasks.methods import FREE_HEADS
from analysis.second_tasks.words import Answer, ends, reference

FOLDER = "second_tasks"
"""Folder of its figures."""

_LOST = pl.any_horizontal(pl.col("change", "change_low", "change_high").fill_null(0) != 0)
"""Whether an earlier task came out otherwise; one that gave no head did not."""

TOP = 10
"""Heads of largest effects that the page names; all are in the tables."""


@dataclass(frozen=True)
class LaterTask:
    """One later task, as tables and figures.

    Attributes:
        name: the tasks in order, model and data.
        task: name of the later task.
        unit: unit of differences of its scores.
        metric: name of its metric.
        reference: what its gains are over, in words.
        curve: the capacity curve, and what it costs earlier tasks.
        controls: methods beside the free heads; the first picture is of the later task, the others of earlier ones.
        at: how many heads are free on these pictures.
        rows: means over seeds.
        beside: methods beside the free heads, at each number of them.
        earlier: what earlier tasks lose.
        trainings: single trainings.
    """

    name: str
    task: str
    unit: str
    metric: str
    reference: str
    curve: tuple[Drawing, ...]
    controls: tuple[Drawing, ...]
    at: int | None
    rows: tuple[Row, ...]
    beside: tuple[Row, ...]
    earlier: tuple[Row, ...]
    trainings: tuple[Row, ...]

    @property
    def several_updates(self) -> bool:
        """Whether trainings are of several lengths."""
        return len({row["updates"] for row in self.rows}) > 1

    @property
    def with_loss(self) -> bool:
        """Whether losses are stored."""
        return any(row["loss"] is not None for row in self.rows)


@dataclass(frozen=True)
class TaughtHeads:
    """The heads of one later task by the size of their effect: the test, the largest ones, a figure."""

    test: Row
    top: tuple[Row, ...]
    drawing: Drawing


@dataclass(frozen=True)
class SecondTasks(Section):
    """All that second tasks come to.

    Attributes:
        warnings: what makes a comparison unfair, a sentence each.
        failures: proofs that have failed, a sentence each.
        answers: do free heads hold the later task, and what it costs.
        sentences: what else it comes to.
        later: every later task.
        proofs: every proof.
        taught: for each later task whose single heads were removed, its heads by size.
        chains: models of three tasks and more, a table each.
    """

    template, anchor, title = "second_tasks", "second-tasks", "Second tasks"
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    answers: tuple[Answer, ...]
    sentences: tuple[str, ...]
    later: tuple[LaterTask, ...]
    proofs: tuple[Row, ...]
    taught: tuple[TaughtHeads, ...]
    chains: tuple[tuple[Row, ...], ...]

    @classmethod
    def of(cls, analysis: Analysis) -> "SecondTasks | None":
        """None where no model was taught a later task."""
        return None if analysis.second_tasks is None else cls.showing(analysis.second_tasks)

    @classmethod
    def showing(cls, found: Found) -> "SecondTasks":
        """The section of these later tasks, its figures drawn."""
        later = tuple(_later_task(found, own, at) for at, own in enumerate(found.comparisons, 1))
        taught = tuple(_taught(found))
        drawn = [drawing for own in later for drawing in (*own.curve, *own.controls)]
        return cls(
            warnings=found.warnings,
            failures=found.failures,
            answers=found.answers,
            sentences=found.further,
            later=later,
            proofs=tuple(found.proofs.rows(named=True)),
            taught=taught,
            chains=tuple(tuple(own.rows(named=True)) for _, own in found.chains.group_by("chain", maintain_order=True)),
            drawings=(*drawn, *(own.drawing for own in taught)),
        )


def _later_task(found: Found, comparison: Comparison, at: int) -> LaterTask:
    """One comparison; `at` is its number, for the names of its files."""
    tables = (found.curves, found.controls, found.earlier, found.later)
    curves, controls, earlier, later = (own.filter(comparison=comparison.name) for own in tables)
    name = f"{at}-{slug(comparison.name)}"
    richest = _richest(controls)
    return LaterTask(
        name=comparison.name,
        task=comparison.task,
        unit=comparison.metric.unit,
        metric=comparison.metric.name,
        reference=reference(max(one.record.output_parameters for one in comparison.members)),
        curve=tuple(curve_drawings(comparison, curves, earlier, later, name)),
        controls=tuple(control_drawings(comparison, controls, earlier, richest, name)),
        at=richest,
        rows=tuple(row | {"over": _shown(row)} for row in curves.rows(named=True)),
        beside=tuple(row | {"moved": counted(row["parameters"])} for row in controls.rows(named=True)),
        earlier=tuple(earlier.rows(named=True)),
        trainings=tuple(later.rows(named=True)),
    )


def _shown(row: Row) -> dict[str, tuple[float | None, float | None, str]]:
    return {name: ends(row, name) for name in ("score", "gain", "reached")}


def _richest(controls: pl.DataFrame) -> int | None:
    """The number of free heads beside which most methods stand; of several the largest."""
    counts = controls.group_by("at").agg(pl.len()).sort("len", "at", descending=True)
    return int(counts["at"][0]) if counts.height and counts["len"][0] > 1 else None


def curve_drawings(
    comparison: Comparison, curves: pl.DataFrame, earlier: pl.DataFrame, later: pl.DataFrame, name: str
) -> Iterator[Drawing]:
    """The capacity curve by score and by loss, and a panel for each earlier task; none of a single point."""
    if not curves["by_heads"].any():
        return
    shown = _on_the_curve(curves)
    for value in ("score", "loss"):
        if shown[value].count() > 1:
            yield figures.capacity_curve(shown, later, value, comparison.name, f"{FOLDER}/{value}-{name}")
    gave = earlier.filter(pl.col("name") == FREE_HEADS).drop_nulls("change").filter(_LOST.any().over("task", "data"))
    for (task, data), own in gave.group_by("task", "data", maintain_order=True):
        if own.height == 1:
            continue
        title = f"{task} with the heads left to it" + ("" if task == data else f", on {data}")
        yield figures.cost_curve(own, title, f"{FOLDER}/cost-{name}-{slug(str(data))}-{slug(str(task))}")


def _on_the_curve(curves: pl.DataFrame) -> pl.DataFrame:
    """Methods that take heads, or have several numbers of them, and levels; the others stand among the controls."""
    several = pl.col("freed").n_unique().over("method", "updates") > 1
    return curves.filter((pl.col("name") == FREE_HEADS) | several | ~pl.col("by_heads"))


def control_drawings(
    comparison: Comparison, controls: pl.DataFrame, earlier: pl.DataFrame, at: int | None, name: str
) -> Iterator[Drawing]:
    """Every method beside the free heads at one number of them, and what each costs earlier tasks."""
    if at is None:
        return
    shown = controls.filter(at=at)
    title = f"{comparison.task}, {at} of {comparison.heads} heads free"
    yield figures.control_rows(shown, title, f"{FOLDER}/controls-{name}")
    fits = (pl.col("at").fill_null(at) == at) & (pl.col("updates") == shown["updates"][0])
    for (task, data), own in earlier.filter(fits).group_by("task", "data", maintain_order=True):
        if own["change"].count():
            said = f"{task} afterwards" + ("" if task == data else f", on {data}")
            place = f"{FOLDER}/controls-cost-{name}-{slug(str(data))}-{slug(str(task))}"
            yield figures.cost_rows(own.drop_nulls("change"), shown, said, place)


def _taught(found: Found) -> Iterator[TaughtHeads]:
    keys = ("task", "family", "data", "method", "freed")
    for at, test in enumerate(found.head_tests.rows(named=True), 1):
        heads = found.heads.filter(**{key: test[key] for key in keys}).sort("rank")
        several = heads["kind"].n_unique() > 1
        on = "" if test["data"] == test["task"] else f" on {test['data']}"
        title = f"{test['task']}{on}, {test['method']}, {test['freed']} heads"
        top = [row | {"head_name": unit_name(row, several)} for row in heads.head(TOP).rows(named=True)]
        yield TaughtHeads(test, tuple(top), figures.taught_heads(heads, title, f"{FOLDER}/heads-{at}-{slug(title)}"))
