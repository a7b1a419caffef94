"""The runs of W&B, made from a results folder alone: those of its jobs, of its effects and of its report."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from analysis.cascade import DomainBounds
from analysis.compute import Analysis
from analysis.effects.head_effects import Measure, strongest_head
from analysis.formatting import address
from analysis.page import ResultsPage
from analysis.report import write_report
from analysis.results.domain import Domain
from analysis.tables.paper_tables import write
from analysis.tracking.wandb_artifacts import Content, data_content, model_content, outcomes_content
from analysis.tracking.wandb_notes import notes
from analysis.tracking.wandb_tables import effects_table, images, importance_table, tables_and_charts, wandb_table
from study.record.factors import AXES
from study.record.files import short_hash
from study.record.units import UnitLevel
from study.tracking.history import OutcomesHistory, Point, TrainingHistory
from study.tracking.run import Run, read_runs, training_folders, with_distinct_id
from study.tracking.wandb_config import wandb_config

FACTORS = ("domain", *(axis for axis in AXES if axis != "data"))
"""Factors in the config of a run of effects: every axis; `domain` is the data set."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of W&B, and all that it is to hold.

    Attributes:
        run: what it is.
        points: the points of its history.
        inputs: artifacts that it was made from.
        outputs: artifacts that it made.
        media: makes its tables, charts and images; called only when they are sent.
        media_digest: hash of what these are made from.
        sums_up: the outcomes that it sums up; a project that has more of them is not told less.
        former_id: the id that an earlier version gave it, which others may have been given too.
        notes: what stands beside it, for people.
    """

    run: Run
    points: Sequence[Point] = ()
    inputs: tuple[Content, ...] = ()
    outputs: tuple[Content, ...] = ()
    media: Callable[[], Mapping[str, Any]] = dict
    media_digest: str = ""
    sums_up: tuple[Content, ...] = ()
    former_id: str = ""
    notes: str = ""

    @cached_property
    def digest(self) -> str:
        """The digest of all that it is to hold, wherever that was computed, and without what other jobs hold."""
        run, contents = self.run, [content.lasting_digest for content in (*self.inputs, *self.outputs)]
        what = [run.full_name, run.group, run.measure, wandb_config(run.config), dict(run.summary)]
        return short_hash(
            [what, [asdict(point) for point in self.points], contents, self.media_digest, *filter(None, [self.notes])]
        )

    @property
    def size(self) -> int:
        """Bytes of its files."""
        paths = {path for content in (*self.inputs, *self.outputs) for path in content.files.values()}
        return sum(path.stat().st_size for path in paths)


@dataclass(frozen=True)
class PushOptions:
    """How to fill W&B.

    Attributes:
        drafts: folder for files that are made to be sent.
        weights: whether the folders of the models are sent as well, where they are on this machine.
        inference: how intervals and p values were made, as JSON values.
        models: the models whose trainings are sent; empty for all.
    """

    drafts: Path
    weights: bool = False
    inference: Mapping[str, Any] = field(default_factory=dict)
    models: Collection[str] = ()


def planned_runs(analysis: Analysis, options: PushOptions) -> Iterator[PlannedRun]:
    """Every run that a results folder comes to; each artifact before those that are made from it."""
    results = analysis.results
    yield from training_runs(results.folder, results.models if options.models else ())
    for folder in dict.fromkeys([*(domain.folder for domain in results.domains), *results.for_trainings]):
        yield from _job_runs(folder, results.folder, options)
    said = notes(analysis)
    effects = [
        replace(_effects_run(domain, analysis, options), notes=said.get(domain.subject_id, ""))
        for domain in results.domains
    ]
    yield from effects
    every = "\n\n".join(said.values())
    yield _report_run(analysis, tuple(content for planned in effects for content in planned.outputs), options, every)


def training_runs(results: Path, models: Collection[str]) -> Iterator[PlannedRun]:
    """The trainings of a results folder that were jobs, of these models (of all where none is named), with curves."""
    for folder in training_folders(results):
        for run in read_runs(folder):
            if not models or run.model in models:
                yield PlannedRun(run, TrainingHistory(folder).fresh())


def _job_runs(folder: Path, results: Path, options: PushOptions) -> Iterator[PlannedRun]:
    """The jobs of a setting; all of them have made its outcomes."""
    outcomes, data = outcomes_content(folder), data_content(folder)
    for run in read_runs(folder):
        weights = _weights(run) if options.weights else None
        yield PlannedRun(
            with_distinct_id(run, results),
            OutcomesHistory(folder, run.id, run.examples).fresh(),
            inputs=(model_content(folder, weights, options.drafts), data),
            outputs=(outcomes,),
        )


def _weights(run: Run) -> Path | None:
    """The folder of a run's model; None where it is not on this machine."""
    path = run.weights or run.config.get("model", {}).get("path")
    return Path(path) if path and Path(path).is_dir() else None


def _drafted(bounds: DomainBounds) -> dict[str, Any]:
    """What was drafted and what of it may be wrong, as columns of a run."""
    worst = bounds.worst
    found = {
        "drafted": bounds.drafts / max(bounds.decisions, 1),
        "drafts_wrong_at_most": bounds.limit_share,
        "drafts_points_of_worst": worst and worst.points,
    }
    return {name: value for name, value in found.items() if value is not None}


def _effects_run(domain: Domain, analysis: Analysis, options: PushOptions) -> PlannedRun:
    """The effects, curves and importance of a domain as tables and charts."""
    mine = pl.col("setting_id") == domain.setting_id
    effects = analysis.effects.filter(mine)
    tables = {
        "effects": effects_table(effects),
        "curves": analysis.points.filter(mine),
        "importance": importance_table(domain),
    }
    units = analysis.units.filter(mine)
    if units.filter(pl.col("level") != UnitLevel.layer).height:  # layers alone are among the effects
        tables["units"] = units.drop("subject", "subject_id", "domain", "setting_id")
    bounds = None if analysis.cascade is None else analysis.cascade.of(domain.setting_id)
    if analysis.cascade is not None and bounds is not None:
        for name, frame in analysis.cascade.tables.items():
            tables[name] = frame.filter(mine).drop("subject", "subject_id", "domain", "setting_id")
    drafts = options.drafts / domain.setting_id
    for name, frame in tables.items():
        write(frame, drafts, name)
    names = (domain.model, domain.data, domain.setting_id)
    made = Content("effects", names, {path.name: path for path in sorted(drafts.iterdir())})
    largest = strongest_head(effects)
    unit = units.sort(pl.col("effect").abs(), descending=True, maintain_order=True).head(1).rows(named=True)
    base = analysis.base.row(by_predicate=mine, named=True)
    head = {} if largest is None else {"strongest": address(largest), "effect": largest["effect"]}
    if largest is None and unit:
        head = {"strongest": unit[0]["address"], "effect": unit[0]["effect"]}
    single = effects.filter(measure=Measure.ABLATION)
    head |= {"significant": int(single["significant"].sum()), "heads": single.height} if single.height else {}
    head |= {} if bounds is None else _drafted(bounds)
    head |= _kept(domain, analysis) | _freed(domain, analysis)
    run = Run(
        id=short_hash(["effects", domain.setting_id, domain.model, domain.data]),
        setting_id=domain.setting_id,
        model=domain.model,
        data=domain.data,
        measure="effects",
        examples=base["n"],
        group=_experiment(domain),
        config={
            "inference": _used(options.inference, effects),
            "signature": domain.signature,
            **factors_of_run(domain),
        },
        summary={"base": base["base_score"], "unit": domain.metric.unit, "masks": base["masks"], **head},
    )
    outcomes = outcomes_content(domain.folder)
    return PlannedRun(
        run,
        inputs=(outcomes,),
        outputs=(made,),
        media=lambda: tables_and_charts(tables),
        media_digest=made.digest,
        sums_up=(outcomes,),
        former_id=short_hash(["effects", domain.setting_id]),
    )


def _kept(domain: Domain, analysis: Analysis) -> dict[str, int | float]:
    """How many heads the training of a domain's model keeps, and the score with them; nothing without gates."""
    rows = [] if analysis.gates is None else analysis.gates.kept.filter(setting_id=domain.setting_id).rows(named=True)
    return {"kept": rows[0]["kept"], "kept_score": rows[0]["score"]} if rows else {}


def _freed(domain: Domain, analysis: Analysis) -> dict[str, int]:
    """How many heads were free for the later task that a domain is of, and how many numbers moved."""
    if analysis.second_tasks is None:
        return {}
    rows = analysis.second_tasks.later.filter(setting_id=domain.setting_id).rows(named=True)
    known = {"freed": rows[0]["freed"], "numbers_moved": rows[0]["parameters"]} if rows else {}
    return {name: number for name, number in known.items() if number is not None}


def factors_of_run(domain: Domain) -> dict[str, str | int | float]:
    """The factors of a domain under their names in the config of its run, those that have a value."""
    place = domain.factors[0].to_json() if domain.factors else {"family": domain.model}
    known = {**place, "domain": domain.data, "replacement": domain.replacement.label}
    return {name: known[name] for name in FACTORS if known.get(name) is not None}


def _experiment(domain: Domain) -> str:
    """The experiment that most jobs of a domain were a part of; empty where they were of none."""
    groups = Counter(run.group for run in read_runs(domain.folder) if run.group)
    return min(groups, key=lambda name: (-groups[name], name), default="")


def _used(inference: Mapping[str, Any], effects: pl.DataFrame) -> dict[str, Any]:
    """The options that were used; the correction that was, where it was left to the analysis."""
    used = {name: value for name, value in inference.items() if value is not None}
    used.setdefault("correction", ", ".join(effects["correction"].drop_nulls().unique().sort()))
    return used


def _report_run(analysis: Analysis, effects: tuple[Content, ...], options: PushOptions, notes: str) -> PlannedRun:
    """The page, its tables and its figures, which were made from the effects of every setting; `notes` in short."""
    drafts, page, every = options.drafts / "report", ResultsPage.of(analysis), analysis.results.domains
    write_report(analysis, drafts, page=page)
    files = {str(path.relative_to(drafts)): path for path in sorted(drafts.rglob("*")) if path.is_file()}
    subjects = sorted(analysis.results.subjects)
    names = sorted({domain.model for domain in every})
    made = Content("report", (*names, short_hash(subjects)), files)
    run = Run(
        id=short_hash(["report", subjects]),
        setting_id="",
        model=", ".join(names),
        data=", ".join(sorted({domain.data for domain in every})),
        measure="report",
        examples=sum(domain.different_examples for domain in every),
        config={"subjects": subjects},
    )
    return PlannedRun(
        run,
        inputs=effects,
        outputs=(made,),
        media=lambda: images(page.subject_drawings) | _media(analysis, page),
        media_digest=made.digest,
        sums_up=tuple(outcomes_content(folder) for folder in dict.fromkeys(domain.folder for domain in every)),
        notes=notes,
    )


def _media(analysis: Analysis, page: ResultsPage) -> dict[str, Any]:
    """Tables and figures of what is about all models."""
    media = (_along_media, _attention_media, _gates_media, _second_tasks_media, _sets_media)
    return {name: medium for some in media for name, medium in some(analysis, page).items()}


def _along_media(analysis: Analysis, page: ResultsPage) -> dict[str, Any]:
    """Tables and figures of agreement along an axis, where one was asked for."""
    if analysis.along is None:
        return {}
    tables = {name: wandb_table(table, name) for name, table in analysis.along.tables.items()}
    drawings = [drawing for section in page.sections if section.anchor == "along" for drawing in section.drawings]
    return tables | images(drawings)


def _attention_media(analysis: Analysis, page: ResultsPage) -> dict[str, Any]:
    """Tables and figures of what heads look at, where it was measured."""
    if analysis.attention is None:
        return {}
    tables = {name: wandb_table(table, name) for name, table in analysis.attention.tables.items() if table.height}
    sections = (section for section in page.sections if section.template.startswith("attention/"))
    return tables | images([drawing for section in sections for drawing in section.drawings])


def _gates_media(analysis: Analysis, page: ResultsPage) -> dict[str, Any]:
    """Tables and figures of trainings with gates, where there are any."""
    if analysis.gates is None:
        return {}
    tables = {name: wandb_table(table, name) for name, table in analysis.gates.tables.items() if table.height}
    drawings = [drawing for section in page.sections if section.anchor == "gates" for drawing in section.drawings]
    return tables | images(drawings)


def _second_tasks_media(analysis: Analysis, page: ResultsPage) -> dict[str, Any]:
    """Tables and figures of later tasks, where there are any."""
    if analysis.second_tasks is None:
        return {}
    tables = {name: wandb_table(table, name) for name, table in analysis.second_tasks.tables.items() if table.height}
    drawings = [
        drawing for section in page.sections if section.anchor == "second-tasks" for drawing in section.drawings
    ]
    return tables | images(drawings)


def _sets_media(analysis: Analysis, page: ResultsPage) -> dict[str, Any]:
    """Tables and figures of sets of units, where there are any."""
    if analysis.sets is None:
        return {}
    tables = {name: wandb_table(table, name) for name, table in analysis.sets.tables.items()}
    sections = (section for section in page.sections if section.template.startswith("sets/"))
    return tables | images([drawing for section in sections for drawing in section.drawings])
