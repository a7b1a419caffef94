"""Trainings of later tasks as a results folder has them: what each did to the model, and the outcomes of its tasks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from analysis.inference import Inference, resampling
from analysis.inference.resampling import ENOUGH_FOR_AN_INTERVAL
from analysis.inference.seeds import Draws
from analysis.results.domain import Domain
from analysis.results.rescoring import rescored
from analysis.second_tasks.methods import MODEL_BEFORE, OF_FREE_HEADS, PRETRAINED, USUAL, Method
from study.record.errors import InputError, StudyError
from study.record.metrics.loss import LOSS, LogLikelihood
from study.record.training.tasks import TASKS_FILE, TaskChain, TaskRecord, TaskResult, read_results, read_tasks
from study.tracking.run import TRAININGS, read_runs

UNTOLD = (
    "seed",
    "folder",
    "small",
    "threads",
    "dev",
    "keep",
    "record_every",
    "save_every",
    "evaluate_every",
    "start",
    "python",
)
"""Options of a training that change no weights, or are told by themselves."""


@dataclass(frozen=True, eq=False)
class TaskOutcomes:
    """The outcomes of one task of a model, with the heads that it runs with.

    Attributes:
        domain: what is stored of it on some data.
        inference: how numbers are resampled.
    """

    domain: Domain
    inference: Inference

    @cached_property
    def scores(self) -> Draws:
        """The score: on all examples, then on each resample of their groups.

        Domains with the same groups are drawn alike, so that two of them are compared in pairs.
        """
        return _draws(self.domain, self.inference)

    @cached_property
    def losses(self) -> Draws | None:
        """The mean loss of an example, nats, on the same resamples; None where none is stored."""
        domain = self.domain
        if LOSS not in domain.rows.columns or domain.metric.task not in LogLikelihood.tasks:
            return None
        rows = domain.rows.filter(pl.col("mask") == domain.layout.full_key)
        try:
            return -_draws(rescored(replace(domain, rows=rows), LOSS), self.inference)
        except InputError:  # screened: losses are not float32's
            return None

    @property
    def examples(self) -> tuple[Any, ...]:
        """What two outcomes must share to be compared in pairs: data, metric and groups of examples."""
        sample = self.domain.sample(self.inference.groups)
        return self.domain.data, self.domain.metric.name, sample.names, tuple(sample.sizes)


def _draws(domain: Domain, inference: Inference) -> Draws:
    sample = domain.sample(inference.groups).select([domain.layout.full_key])
    resamples = min(inference.resamples, ENOUGH_FOR_AN_INTERVAL) if sample.groups > 1 else 0
    return np.concatenate([sample.scores[:1], resampling.scores_alike(sample, resamples, inference.seed)[:, 0]])


@dataclass(frozen=True, eq=False)
class EarlierTask:
    """A task that the model had before, after the later one was taught.

    Attributes:
        result: where it stands, and whether it was proved to be kept.
        after: its outcomes now, with the heads that are left to it.
        before: its outcomes before, with all heads that it had; None where they are not stored on the same examples.
    """

    result: TaskResult
    after: TaskOutcomes
    before: TaskOutcomes | None

    @property
    def name(self) -> str:
        """Its name, and the data where it is another."""
        task, data = self.result.task.name, self.after.domain.data
        return task if task == data else f"{task} on {data}"

    @cached_property
    def change(self) -> Draws | None:
        """Its score now less that before, in pairs: what the later task costs it; None where that is not known."""
        return None if self.before is None else self.after.scores - self.before.scores


@dataclass(frozen=True, eq=False)
class LaterTraining:
    """One training of a later task, measured on some data of that task.

    Attributes:
        result: where the later task stands.
        outcomes: its outcomes.
        chain: the tasks of its model, as far as they are known.
        earlier: the tasks that the model had before, those of which outcomes are stored.
        config: options of its training, as far as its run is kept.
        start: the outcomes of the model before on the same examples; None where it could not do the task, or they are
            not stored.
        variant: options that tell it from others of its method, in words; mostly empty.
    """

    result: TaskResult
    outcomes: TaskOutcomes
    chain: TaskChain | None
    earlier: tuple[EarlierTask, ...]
    config: Mapping[str, Any]
    start: TaskOutcomes | None = None
    variant: str = ""

    @property
    def record(self) -> TaskRecord:
        """What is known of its task."""
        return self.result.task

    @property
    def id(self) -> str:
        """Id of the training."""
        return self.record.training

    @cached_property
    def method(self) -> Method:
        """How the task was taught."""
        return Method.of(self.record.method, self.record.options, self.variant)

    @property
    def freed(self) -> int:
        """How many heads were free for it."""
        return len(self.record.freed or ())

    @property
    def heads(self) -> int:
        """How many heads the model has."""
        return len(self.outcomes.domain.layout)

    @property
    def options(self) -> dict[str, Any]:
        """The options of its training that are plain values, such as the learning rate, and its training data."""
        plain = (str, int, float, bool, type(None))
        known = {name: own for name, own in self.config.items() if isinstance(own, plain) and name not in UNTOLD}
        data = self.config.get("train") or {}
        file = Path(data["path"]).name if data.get("path") else None
        told = {"trained on": data.get("name"), "training file": file, "training examples": data.get("limit")}
        return known | {name: own for name, own in told.items() if own is not None}

    @property
    def order_data(self) -> str:
        """Name of the data that its free heads were chosen on; empty where none was given."""
        return str(((self.config.get("reuse") or {}).get("data") or {}).get("name") or "")

    @property
    def before(self) -> tuple[str, ...] | None:
        """Names of the tasks that the model had; None where it has none of them, or they are not known."""
        if self.chain is None or self.method.body == PRETRAINED:
            return None
        return tuple(task.name for task in self.chain.tasks[:-1])

    @property
    def may_cost(self) -> bool:
        """Whether it took heads from an earlier task, or moved its weights."""
        return bool(self.record.taught) or (self.chain is not None and not self.chain.exact)

    @property
    def ties(self) -> set[tuple[str, str]]:
        """What one of them shares with every training that it is compared with: a name, first weights, a start."""
        places = self.outcomes.domain.factors
        start = self.result.chain[-2] if len(self.result.chain) > 1 else ""
        known = {("start", start), *(("family", place.family) for place in places)}
        known |= {("initial", place.initial or "") for place in places if self.method.body != PRETRAINED}
        return {(name, value) for name, value in known if value}


def stored_results(domains: Iterable[Domain]) -> tuple[list[tuple[Domain, TaskResult]], list[str]]:
    """Where the tasks of settings stand, for each training that a setting is of; and what cannot be read, in words."""
    found, wrong = [], []
    for domain in domains:
        try:
            found += [(domain, result) for result in read_results(domain.folder)]
        except InputError as error:
            wrong.append(str(error))
    return found, wrong


def later_trainings(
    domains: Sequence[Domain], stored: Sequence[tuple[Domain, TaskResult]], inference: Inference
) -> tuple[list[LaterTraining], list[EarlierTask], list[str]]:
    """The trainings of later tasks, every earlier task after one of them, and what cannot be read, in words.

    Args:
        domains: every domain, in which the outcomes of models before are looked up.
        stored: the domains that say where their task stands.
        inference: how numbers are resampled.
    """
    by_id = {(domain.setting.id, domain.metric.name): domain for domain in domains}
    outcomes = {id(domain): TaskOutcomes(domain, inference) for domain in domains}
    starts: dict[int, TaskOutcomes | None] = {}
    earlier = []
    for domain, result in stored:
        before = by_id.get((result.start or "", domain.metric.name))
        starts[id(result)] = start = _alike(before and outcomes[id(before)], outcomes[id(domain)])
        if result.task.name != result.latest.name:
            earlier.append(EarlierTask(result, outcomes[id(domain)], start))
    chains, wrong = _chains(stored)
    found = [
        LaterTraining(
            result,
            outcomes[id(domain)],
            chains.get(result.latest.training),
            tuple(one for one in earlier if one.result.latest.training == result.latest.training),
            _config(domain, result.latest.training),
            starts[id(result)],
        )
        for domain, result in stored
        if result.task.name == result.latest.name
    ]
    return list(_with_variants(found)), earlier, wrong


def _alike(before: TaskOutcomes | None, after: TaskOutcomes) -> TaskOutcomes | None:
    """The outcomes before; None where they are not of the same examples."""
    return before if before is not None and before.examples == after.examples else None


def models_before(trainings: Iterable[LaterTraining]) -> list[LaterTraining]:
    """The models before some trainings, as though each were one: of the same seed and updates, and nothing moved."""
    found = {}
    for one in trainings:
        if one.start is not None:
            own = {"method": MODEL_BEFORE, "options": None, "parameters": 0, "taught": (), "freed": None}
            result = replace(one.result, task=replace(one.record, training="", **own))
            key = (result.start, *result.chain[:-1], one.record.name, one.record.seed, one.record.updates)
            found.setdefault(key, LaterTraining(result, one.start, None, (), {}))
    return list(found.values())


def training_folder(domain: Domain, training: str) -> Path | None:
    """Where a results folder keeps the course of a training, by its id; None where it does not."""
    return next((domain.folder.parents[2] / TRAININGS).glob(f"*-{training}"), None)


def _chains(stored: Iterable[tuple[Domain, TaskResult]]) -> tuple[dict[str, TaskChain], list[str]]:
    """The tasks of each training's model, by id of the training; and what cannot be read, in words."""
    found: dict[str, TaskChain] = {}
    wrong = []
    for domain, result in stored:
        training = result.latest.training
        folder = training_folder(domain, training) if training and training not in found else None
        if folder is None or not (folder / TASKS_FILE).is_file():
            continue
        try:
            found[training] = read_tasks(folder / TASKS_FILE)
        except InputError as error:
            wrong.append(str(error))
    return found, wrong


def _config(domain: Domain, training: str) -> Mapping[str, Any]:
    """The options of a training, as far as its run is kept."""
    folder = training_folder(domain, training) if training else None
    try:
        runs = [] if folder is None else read_runs(folder)
    except StudyError:  # named among what was left out
        runs = []
    return ((runs[0].config.get("model") or {}).get("training") or {}) if runs else {}


def _details(training: LaterTraining) -> dict[str, Any]:
    """The options of a training, and those of its free heads that its method does not name."""
    idle = () if training.method.by_heads else OF_FREE_HEADS
    given = {name: value for name, value in (training.record.options or {}).items() if name not in idle}
    order = {f"order {name}": value for name, value in (given.get("order") or {}).items() if name != "name"}
    own = {name: value for name, value in given.items() if name not in USUAL}
    return {**own, **(order if training.method.order else {}), **training.options}


def _with_variants(trainings: Sequence[LaterTraining]) -> Iterator[LaterTraining]:
    """The trainings with the options that tell them from others of their method, number of heads and seed."""
    alike: dict[tuple[Any, ...], list[LaterTraining]] = {}
    for one in trainings:
        alike.setdefault((one.outcomes.domain.data, one.record.name, one.method), []).append(one)
    for group in alike.values():
        details = [_details(one) for one in group]
        differ = differing(details)
        for one, own in zip(group, details, strict=True):
            told = ", ".join(
                f"{name.replace('_', ' ')} {_plain(own[name])}" for name in differ if own.get(name) is not None
            )
            yield replace(one, variant=told)


def differing(details: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the options in which some trainings differ."""
    names = dict.fromkeys(name for own in details for name in own)
    return [name for name in names if len({str(own.get(name)) for own in details}) > 1]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name", ""))
    return f"{value:g}" if isinstance(value, float) else str(value)
