"""Trials: trainings that differ in options of the optimisation, such as learning rates, and which of them was chosen.

Trials differ in how they are optimised alone (`study.tracking.trials.may_differ`). All trials of one method with the
same options of gates and the same data, of one seed and of equal updates, watched on the same data are one group. The
chosen one has the best score on the data that the training was watched on, a slice of its training data if all is well:
what is compared must not be chosen on the examples that it is compared on. Where
only some trials were measured, it is the best of those.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from analysis.gates.kept_heads import GIVEN, NONE, TRAINED, Method
from study.record.errors import StudyError
from study.tracking.run import Run, read_runs, training_folders
from study.tracking.trials import HELD, OF_GATES, may_differ

TRIALS = {
    **dict.fromkeys(["training", "training_id", "method", "scope", "amount"], pl.String),
    **dict.fromkeys(["seed", "updates"], pl.Int64),
    "dev_data": pl.String,
    "dev_score": pl.Float64,
    "trials": pl.Int64,
    "chosen": pl.Boolean,
    "options": pl.String,
}

NAMED = ("name", "order.name", "penalty", "keep", "keep_of", "scope", "weights", "seed")
"""Options of gates that the method and the amount name, and the seed of a random order."""


@dataclass(frozen=True, eq=False)
class Training:
    """One training that was a job of a results folder.

    Attributes:
        folder: where its course is kept.
        run: what was asked for.
        course: the records of its history, by step.
        variant: options of its gates that tell it from others of its method and amount, in words; mostly empty.
    """

    folder: Path
    run: Run
    course: pl.DataFrame = field(repr=False)
    variant: str = ""

    @property
    def id(self) -> str:
        """Id of the training: its folder is `<name>-<id>`."""
        return self.folder.name.rpartition("-")[2]

    @property
    def config(self) -> Mapping[str, Any]:
        """Options of the training."""
        return (self.run.config.get("model") or {}).get("training") or {}

    @property
    def start(self) -> str:
        """The model that it names as its start, a folder or a training; empty where it names none."""
        return str(self.config.get("start") or (self.config.get("origin") or {}).get("name") or "")

    @property
    def gates(self) -> Mapping[str, Any]:
        """Options of its gates."""
        return self.config.get("gates") or {"name": NONE}

    @property
    def has_gates(self) -> bool:
        """Whether heads have gates in it."""
        return self.gates["name"] != NONE

    @cached_property
    def method(self) -> Method:
        """How it is decided which heads are kept."""
        gates = self.gates
        order = (gates.get("order") or {}).get("name", "") if gates["name"] == GIVEN else ""
        return Method(gates["name"], order, gates.get("weights", TRAINED), bool(self.config.get("scratch")))

    @property
    def keep_of(self) -> dict[str, int]:
        """How many heads of each kind a given mask keeps, where it says that."""
        return {kind: number for kind, number in (self.gates.get("keep_of") or {}).items() if number is not None}

    @property
    def scope(self) -> str:
        """The kinds that have gates, joined by `+`; empty for all."""
        return "+".join(self.gates.get("scope") or self.keep_of)

    @property
    def amount(self) -> str:
        """What decides how many heads are kept."""
        gates = self.gates
        keep = gates.get("keep") or sum(self.keep_of.values())
        amount = f"λ {gates['penalty']:g}" if "penalty" in gates else f"{keep} heads" if keep else ""
        return f"{amount} ({self.variant})" if self.variant else amount

    @property
    def rank(self) -> tuple[str, Method, str, float, int]:
        """What trainings are sorted by: family, method, scope, how much they prune, seed."""
        size = float(self.gates.get("penalty") or -(self.gates.get("keep") or sum(self.keep_of.values())))
        return self.run.model, self.method, self.scope, size, self.seed or 0

    @property
    def seed(self) -> int | None:
        """Seed of all that is random."""
        return self.config.get("seed")

    @property
    def updates(self) -> int | None:
        """Updates so far."""
        return self.course["step"].max()  # type: ignore[return-value]

    @property
    def dev_data(self) -> str | None:
        """The data that it was watched on: a part of its training data, `0.1 of mnli_train`, or others by name."""
        train, dev = (str((self.config.get(name) or {}).get("name", "")) for name in ("train", "dev"))
        held_out = self.config.get("held_out")
        return f"{held_out:g} of {train}" if held_out else dev or None

    @property
    def dev_score(self) -> float | None:
        """The last score on the data that it was watched on."""
        return next(iter(self.course["dev_score"].drop_nulls().reverse()), None)

    @property
    def group(self) -> tuple[Any, ...]:
        """What all trials of one group have in common."""
        gates = {name: own for name, own in self.gates.items() if name not in OF_GATES and own is not None}
        held = json.dumps([gates, [self.config.get(name) for name in HELD], self.dev_data], sort_keys=True)
        return self.run.model, self.method, self.scope, self.amount, self.seed, self.updates, held

    @cached_property
    def details(self) -> dict[str, Any]:
        """The options of its gates that neither method nor amount names; those of an order as `order.reverse`."""
        order = {f"order.{name}": value for name, value in (self.gates.get("order") or {}).items()}
        data = {"data": self.gates["data"].get("name")} if self.gates.get("data") else {}
        every = {**self.gates, **order, "order": None, **data}
        return {name: value for name, value in every.items() if name not in (*NAMED, *OF_GATES)}

    @cached_property
    def tried(self) -> dict[str, Any]:
        """Options in which trials may differ."""
        own = {f"gates.{name}": self.gates.get(name) for name in OF_GATES}
        plain = (str, int, float, bool, list, type(None))
        return own | {
            name: value for name, value in self.config.items() if isinstance(value, plain) and may_differ(name)
        }


def gated_trainings(folders: Sequence[Path], courses: pl.DataFrame) -> list[Training]:
    """The trainings of families some of which have gates; reads no file where there are none.

    Args:
        folders: results folders.
        courses: the records of every training (`analysis.results.trainings`).

    Returns:
        Them by family, method, how much they prune, and seed.
    """
    known = {path.name: path for folder in folders for path in training_folders(folder)}
    found = []
    for (id_,), course in courses.group_by("training_id", maintain_order=True):
        found += [Training(known[str(id_)], run, course) for run in _runs(known.get(str(id_)))[:1]]
    families = {one.run.model for one in found if one.has_gates}
    return sorted(_with_variants([one for one in found if one.run.model in families]), key=lambda one: one.rank)


def _with_variants(trainings: Sequence[Training]) -> Iterator[Training]:
    """The trainings with the options that tell them from others of the same method, scope and amount."""
    alike: dict[tuple[Any, ...], list[Training]] = {}
    for one in trainings:
        alike.setdefault((one.method, one.scope, one.amount), []).append(one)
    for group in alike.values():
        names = dict.fromkeys(name for one in group for name in one.details)
        differ = [name for name in names if len({str(one.details.get(name)) for one in group}) > 1]
        for one in group:
            told = {name: one.details[name] for name in differ if one.details.get(name) is not None}
            told["reduction"] = one.details.get("reduction", "sum")
            if told["reduction"] == "sum":  # as the paper has it
                del told["reduction"]
            yield replace(one, variant=", ".join(f"{name} {value}" for name, value in told.items()))


def _runs(folder: Path | None) -> list[Run]:
    try:
        return [] if folder is None else read_runs(folder)
    except StudyError:  # named among what was left out
        return []


def trials(trainings: Sequence[Training], measured: Collection[str] = ()) -> pl.DataFrame:
    """Every training of these, and how it fared beside the others of its group.

    Args:
        trainings: the trainings.
        measured: ids of those whose kept heads were scored.

    Returns:
        Columns training (family), training_id, method, scope, amount, seed, updates; dev_data, dev_score: the data that
        it was watched on, and its last score there, in the unit of its history; trials: of its group; chosen: whether
        its score is the best of them, or of those that were measured, null where one has none; options: those in which
        the trials of its group differ.
    """
    groups: dict[tuple[Any, ...], list[Training]] = {}
    for one in trainings:
        groups.setdefault(one.group, []).append(one)
    rows = [row for group in groups.values() for row in _rows(group, measured)]
    return pl.DataFrame(rows, schema=TRIALS)


def _rows(group: Sequence[Training], measured: Collection[str]) -> Iterator[dict[str, Any]]:
    candidates = [one for one in group if one.id in measured] or group
    scores = {one.id: one.dev_score for one in sorted(candidates, key=lambda one: one.folder.name)}
    known = {id_: score for id_, score in scores.items() if score is not None}
    best = max(known, key=known.__getitem__) if all(one.dev_score is not None for one in group) else None
    differ = [name for name in group[0].tried if len({str(one.tried.get(name)) for one in group}) > 1]
    for one in group:
        yield {
            "training": one.run.model,
            "training_id": one.folder.name,
            "method": str(one.method),
            "scope": one.scope,
            "amount": one.amount,
            "seed": one.seed,
            "updates": one.updates,
            "dev_data": one.dev_data,
            "dev_score": one.dev_score,
            "trials": len(group),
            "chosen": True if len(group) == 1 else None if best is None else one.id == best,
            "options": ", ".join(f"{name} {one.tried[name]}" for name in differ),
        }
