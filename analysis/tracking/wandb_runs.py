"""What is to be in W&B, made from a results folder alone: the runs of its jobs, of its effects and of its report."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from analysis.compute import Analysis
from analysis.effects.head_effects import strongest
from analysis.formatting import address
from analysis.page import ResultsPage
from analysis.report import write_report
from analysis.results.read import Domain
from analysis.tables.paper_tables import write
from analysis.tracking.wandb_artifacts import Content, data_of, model_of, outcomes_of
from analysis.tracking.wandb_tables import images, shown_effects, shown_importance, tables_and_charts
from study.record.setting import short_hash
from study.tracking.factors import factors
from study.tracking.history import OutcomesHistory, Point, TrainingHistory
from study.tracking.run import Run, read_runs, told_apart, training_folders


@dataclass(frozen=True)
class Planned:
    """One run of W&B, and all that it is to hold.

    Attributes:
        run: what it is.
        points: of its history.
        uses: artifacts that it was made from.
        logs: artifacts that it made.
        shows: makes its tables, charts and images; called only when they are sent.
        shown: hash of what these are made of.
        about: the outcomes that it sums up; a project that has more of them is not told less.
        formerly: the id that an earlier version gave it, which others may have been given too.
    """

    run: Run
    points: Sequence[Point] = ()
    uses: tuple[Content, ...] = ()
    logs: tuple[Content, ...] = ()
    shows: Callable[[], Mapping[str, Any]] = dict
    shown: str = ""
    about: tuple[Content, ...] = ()
    formerly: str = ""

    @cached_property
    def digest(self) -> str:
        """The digest of all that it is to hold, wherever that was computed, and without what other jobs hold."""
        run, contents = self.run, [content.kept for content in (*self.uses, *self.logs)]
        what = [run.name, run.group, run.measure, factors(run.config), dict(run.summary)]
        return short_hash([what, [asdict(point) for point in self.points], contents, self.shown])

    @property
    def size(self) -> int:
        """Bytes of its files."""
        paths = {path for content in (*self.uses, *self.logs) for path in content.files.values()}
        return sum(path.stat().st_size for path in paths)


@dataclass(frozen=True)
class Options:
    """How to fill W&B.

    Attributes:
        drafts: folder for files that are made to be sent.
        weights: send the folders of the models as well, where they are on this machine.
        inference: how intervals and p values were made, as JSON values.
        models: only the trainings of these; empty for all.
    """

    drafts: Path
    weights: bool = False
    inference: Mapping[str, Any] = field(default_factory=dict)
    models: Collection[str] = ()


def planned(analysis: Analysis, options: Options) -> Iterator[Planned]:
    """Every run that a results folder comes to; each artifact before those that are made from it."""
    results = analysis.results
    yield from trainings(results.folder, results.models if options.models else ())
    effects = []
    for folder in dict.fromkeys(domain.folder for domain in results.domains):
        yield from _jobs(folder, results.folder, options)
    for domain in results.domains:
        one = _effects(domain, analysis, options)
        effects += one.logs
        yield one
    yield _report(analysis, tuple(effects), options)


def trainings(results: Path, models: Collection[str]) -> Iterator[Planned]:
    """The trainings of a results folder that were jobs, with their curves: of these models, or of all."""
    for folder in training_folders(results):
        for run in read_runs(folder):
            if not models or run.model in models:
                yield Planned(run, TrainingHistory(folder).fresh())


def _jobs(folder: Path, results: Path, options: Options) -> Iterator[Planned]:
    """The jobs of a setting; all of them have made its outcomes."""
    runs = read_runs(folder)
    outcomes, data = outcomes_of(folder), data_of(folder)
    for run in runs:
        weights = _weights(run) if options.weights else None
        yield Planned(
            told_apart(run, results),
            OutcomesHistory(folder, run.id, run.examples).fresh(),
            uses=(model_of(folder, weights, options.drafts), data),
            logs=(outcomes,),
        )


def _weights(run: Run) -> Path | None:
    """The folder of a run's model; None where it is not on this machine."""
    path = run.weights or run.config.get("model", {}).get("path")
    return Path(path) if path and Path(path).is_dir() else None


def _effects(domain: Domain, analysis: Analysis, options: Options) -> Planned:
    mine = pl.col("setting_id") == domain.setting_id
    effects = analysis.effects.filter(mine)
    tables = {
        "effects": shown_effects(effects),
        "curves": analysis.points.filter(mine),
        "importance": shown_importance(domain),
    }
    place = options.drafts / domain.setting_id
    for name, frame in tables.items():
        write(frame, place, name)
    files = {path.name: path for path in sorted(place.iterdir())}
    made = Content("effects", (domain.model, domain.data, domain.setting_id), files)
    strong = next(iter(strongest(effects).rows(named=True)), None)
    base = analysis.base.filter(mine).row(0, named=True)
    head = {} if strong is None else {"strongest": address(strong), "effect": strong["effect"]}
    run = Run(
        id=short_hash(["effects", domain.setting_id, domain.model, domain.data]),
        setting_id=domain.setting_id,
        model=domain.model,
        data=domain.data,
        measure="effects",
        examples=base["n"],
        config={"inference": _used(options.inference, effects), "signature": domain.signature},
        summary={"base": base["base_score"], "unit": domain.metric.unit, "masks": base["masks"], **head},
    )
    outcomes = outcomes_of(domain.folder)
    return Planned(
        run,
        uses=(outcomes,),
        logs=(made,),
        shows=lambda: tables_and_charts(tables),
        shown=made.digest,
        about=(outcomes,),
        formerly=short_hash(["effects", domain.setting_id]),
    )


def _used(inference: Mapping[str, Any], effects: pl.DataFrame) -> dict[str, Any]:
    """The options that were used; the correction that was, where it was left to the analysis."""
    used = {name: value for name, value in inference.items() if value is not None}
    if "correction" not in used:
        used["correction"] = ", ".join(effects["correction"].drop_nulls().unique().sort())
    return used


def _report(analysis: Analysis, effects: tuple[Content, ...], options: Options) -> Planned:
    """The page, its tables and its figures, which were made from the effects of every setting."""
    place = options.drafts / "report"
    page = ResultsPage.of(analysis)
    write_report(analysis, place, page=page)
    files = {str(path.relative_to(place)): path for path in sorted(place.rglob("*")) if path.is_file()}
    subjects = sorted(analysis.results.subjects)
    names = sorted({domain.model for domain in analysis.results.domains})
    made = Content("report", (*names, short_hash(subjects)), files)
    domains = sorted({domain.data for domain in analysis.results.domains})
    run = Run(
        id=short_hash(["report", subjects]),
        setting_id="",
        model=", ".join(names),
        data=", ".join(domains),
        measure="report",
        examples=sum(domain.examples.height for domain in analysis.results.domains),
        config={"subjects": subjects},
    )
    about = tuple(outcomes_of(folder) for folder in dict.fromkeys(domain.folder for domain in analysis.results.domains))
    return Planned(
        run, uses=effects, logs=(made,), shows=lambda: images(page.subject_drawings), shown=made.digest, about=about
    )
