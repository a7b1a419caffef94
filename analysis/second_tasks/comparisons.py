"""Which trainings of later tasks are compared: one later task after the same earlier ones, scored on the same examples.

Trainings are related that have one family, or that started from the same weights, under whatever names.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from analysis.inference.seeds import Draws
from analysis.results.domain import Domain
from analysis.second_tasks.later_trainings import LaterTraining, differing
from analysis.second_tasks.methods import ALL_WEIGHTS, EARLIER, MODEL_BEFORE, OUTPUT_LAYER, Method
from study.record.errors import listed
from study.record.metrics import Metric

Point = tuple[Method, int, int | None]
"""A method, the updates of its trainings, and how many heads were free; None where that changes nothing of it."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Trainings of one later task that differ in what they are taught to.

    All are scored on the same examples, which are resampled alike: draw i of one belongs to draw i of every other.

    Attributes:
        name: the tasks in order, the model and the data.
        task: name of the later task.
        before: names of the tasks that the model had, in order; none where they are not known.
        members: every training, by method, heads freed and seed.
    """

    name: str
    task: str
    before: tuple[str, ...]
    members: tuple[LaterTraining, ...]

    @property
    def domain(self) -> Domain:
        """The outcomes of one of them; data, metric and heads are those of all."""
        return self.members[0].outcomes.domain

    @property
    def metric(self) -> Metric:
        """The metric of the later task."""
        return self.domain.metric

    @property
    def heads(self) -> int:
        """How many heads the model has."""
        return self.members[0].heads

    @property
    def alpha(self) -> float:
        """What intervals leave out."""
        return self.members[0].outcomes.inference.alpha

    @cached_property
    def points(self) -> dict[Point, list[LaterTraining]]:
        """The trainings that differ by seed alone, by method, updates and how many heads are free."""
        found: dict[Point, list[LaterTraining]] = {}
        for one in self.members:
            number = one.freed if one.method.by_heads else None
            found.setdefault((one.method, one.record.updates, number), []).append(one)
        return found

    @property
    def updates(self) -> tuple[int, ...]:
        """The numbers of updates that there are, the smallest first."""
        return tuple(sorted({one.record.updates for one in self.members}))

    @cached_property
    def main(self) -> dict[int, Point]:
        """The free heads that controls are held against, by how many there are.

        Where several orders have freed as many, those of most seeds, then those by importance.
        """
        found: dict[int, tuple[tuple[Any, ...], Point]] = {}
        for point, members in self.points.items():
            method, _, number = point
            if method.is_main and number is not None:
                rank = (len(by_seed(members)), method.order == "importance", -len(method.detail))
                if number not in found or rank > found[number][0]:
                    found[number] = rank, point
        return {number: point for number, (_, point) in sorted(found.items())}

    def control(self, name: str, beside: LaterTraining) -> list[LaterTraining]:
        """The trainings of a control that has all heads on, on the earlier task's weights, after as many updates.

        Where there are several that differ in an option of training, such as the learning rate, it is the one that has
        it as `beside` has: none where no control has. A control of one variant stands beside all.
        """
        found = self.controls(name, beside.record.updates)
        differ = differing([own[0].options for own in found.values()])
        alike = [
            method
            for method, own in found.items()
            if all(own[0].options.get(option) == beside.options.get(option) for option in differ)
        ]
        return found[min(alike, key=lambda method: (len(method.detail), method))] if alike else []

    def controls(self, name: str, updates: int) -> dict[Method, list[LaterTraining]]:
        """Every variant of a control that has all heads on, on the earlier task's weights, after so many updates."""
        return {
            method: own
            for (method, after, _), own in self.points.items()
            if (method.name, after) == (name, updates) and method.free_on and method.body == EARLIER
        }

    def output_layer(self, beside: LaterTraining) -> list[LaterTraining]:
        """The control that says what the body gives without having been taught."""
        return self.control(OUTPUT_LAYER, beside)

    def reference(self, beside: LaterTraining) -> list[LaterTraining]:
        """What gains are over: the output layer alone, or the model before, where there is no such layer."""
        return self.control(OUTPUT_LAYER if beside.record.output_parameters else MODEL_BEFORE, beside)

    def fine_tuning(self, beside: LaterTraining) -> list[LaterTraining]:
        """The control that says what all weights can be taught."""
        return self.control(ALL_WEIGHTS, beside)


def by_seed(members: Sequence[LaterTraining], number: str = "scores") -> dict[int | None, Draws]:
    """The scores (or `losses`) of each seed; of several trainings of a seed, such as random orders, their mean."""
    found: dict[int | None, list[Draws]] = {}
    for one in members:
        draws = getattr(one.outcomes, number)
        if draws is not None:
            found.setdefault(one.record.seed, []).append(draws)
    return {seed: np.mean(draws, axis=0) for seed, draws in found.items()}


def paired(a: Sequence[LaterTraining], b: Sequence[LaterTraining]) -> dict[int | None, Draws]:
    """The score of one less that of the other, for each seed that both have."""
    own, others = by_seed(a), by_seed(b)
    return {seed: draws - others[seed] for seed, draws in own.items() if seed in others}


def comparisons(trainings: Sequence[LaterTraining]) -> list[Comparison]:
    """Every comparison of some trainings, by name."""
    groups: dict[tuple[Any, ...], list[LaterTraining]] = {}
    for one in trainings:
        counts = tuple(one.outcomes.domain.layout.counts.items())
        groups.setdefault((one.record.name, *one.outcomes.examples, counts), []).append(one)
    found = [own for members in groups.values() for related in _related(members) for own in _by_earlier(related)]
    for told in (_metric, _examples):
        names = Counter(one.name for one in found)
        found = [replace(one, name=f"{one.name}{told(one)}") if names[one.name] > 1 else one for one in found]
    return sorted(found, key=lambda one: one.name)


def _metric(comparison: Comparison) -> str:
    return f", {comparison.metric.label}"


def _examples(comparison: Comparison) -> str:
    return f", {comparison.domain.different_examples:,} examples"


def _related(members: Sequence[LaterTraining]) -> list[list[LaterTraining]]:
    """Members in groups in which each shares a name, first weights or a start with another."""
    found: list[tuple[set[tuple[str, str]], list[LaterTraining]]] = []
    for one in members:
        known, group = one.ties, [one]
        for other in [other for other in found if other[0] & known]:
            found.remove(other)
            known, group = other[0] | known, other[1] + group
        found.append((known, group))
    return [group for _, group in found]


def _by_earlier(members: Sequence[LaterTraining]) -> Iterator[Comparison]:
    """The members by the tasks that the model had; those whose model had none of them are in each."""
    known = dict.fromkeys(one.before for one in members if one.before is not None)
    for before in known or [()]:
        own = [one for one in members if one.before in (before, None)]
        taught = [one for one in own if one.method.name != MODEL_BEFORE]
        families = dict.fromkeys(place.family for one in taught for place in one.outcomes.domain.factors)
        data, task = own[0].outcomes.domain.data, own[0].record.name
        after = f"{task} after {' and '.join(before)}" if before else f"{task}, a later task"
        on = "" if data == task else f" on {data}"
        ordered = sorted(own, key=lambda one: (_rank(one.method), one.freed, one.record.seed or 0, one.id))
        yield Comparison(f"{after}{on} ({listed(list(families))})", task, before, tuple(ordered))


def _rank(method: Method) -> tuple[Any, ...]:
    """Free heads first, then what is less than them, then what is more."""
    names = ("free_heads", MODEL_BEFORE, "output_layer", "biases_and_norms", "lora", "all_weights")
    place = names.index(method.name) if method.name in names else len(names)
    return not method.is_main, place, method.body != EARLIER, method.most_needed, method
