"""Which trainings are compared: related ones of one scope that were scored by one metric on the same examples.

Trainings are related that have one family, or that started from the same weights or named the same start, under
whatever names.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from analysis.attention_kinds import kind_label
from analysis.gates.kept_heads import KeptHeads, Method
from analysis.gates.trials import Training
from analysis.inference import Inference
from analysis.results.domain import Domain
from study.record.errors import listed
from study.record.factors import AXES

FREE = ("gates", "seed", "epoch", "weights_seed", "order_seed", "family", "data")
"""Axes that are not held, or told by themselves."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Trainings that differ in how many heads they keep, and which.

    All are scored on the same examples, which are resampled alike: draw i of one belongs to draw i of every other.

    Attributes:
        name: family and data, and the kinds that have gates where these are not all.
        kinds: the kinds that have gates, in the order of masks.
        heads: how many heads of these kinds there are.
        members: every training: the un-pruned ones first, others by method, number of heads and seed.
        refused: ids of trainings that were tried and not chosen.
    """

    name: str
    kinds: tuple[str, ...]
    heads: int
    members: tuple[KeptHeads, ...]
    refused: frozenset[str] = frozenset()

    @cached_property
    def methods(self) -> dict[Method, list[KeptHeads]]:
        """The trainings by method."""
        found: dict[Method, list[KeptHeads]] = {}
        for one in self.members:
            found.setdefault(one.method, []).append(one)
        return found

    @cached_property
    def lines(self) -> dict[tuple[Method, int | None], list[KeptHeads]]:
        """The trainings by method and updates."""
        found: dict[tuple[Method, int | None], list[KeptHeads]] = {}
        for method, members in self.methods.items():
            for one in sorted(members, key=lambda one: one.updates or 0):
                found.setdefault((method, one.updates), []).append(one)
        return found

    def kept(self, one: KeptHeads) -> int:
        """How many heads of the gated kinds a training keeps."""
        return one.kept(self.kinds)

    def amount(self, one: KeptHeads) -> str:
        """What decides how many heads a training keeps: `λ 0.05`, `λ 0.05 (reduction mean)`, or the number itself."""
        amount = f"λ {one.penalty:g}" if one.penalty is not None else f"{self.kept(one)} heads"
        return f"{amount} ({one.variant})" if one.variant else amount

    def by_kind(self, one: KeptHeads) -> str:
        """How many heads of each gated kind a training keeps: `encoder_self 10, cross 3`."""
        return ", ".join(f"{kind} {kept}" for kind, kept in one.by_kind.items() if kind in self.kinds)

    def reference(self, one: KeptHeads) -> KeptHeads | None:
        """The un-pruned model that was trained equally long from the same seed; None where there is none.

        Of several trials it is the chosen one; an un-pruned model is its own.
        """
        if one.method.is_reference:
            return one
        found = [
            other
            for other in self.members
            if other.method.is_reference and (other.updates, other.seed) == (one.updates, one.seed)
        ]
        return next((other for other in found if other.training not in self.refused), next(iter(found), None))


def comparisons(
    domains: Sequence[Domain], inference: Inference, trainings: Sequence[Training] = ()
) -> list[Comparison]:
    """Every comparison of the trainings whose kept heads were scored on some domains, by name.

    Args:
        domains: the domains.
        inference: how scores are resampled.
        trainings: those of which more is known, in any order.
    """
    known = {training.id: training for training in trainings}
    groups: dict[tuple[Any, ...], list[KeptHeads]] = {}
    for domain in domains:
        for curve in domain.kept:
            training = known.get(str(curve.options.get("training")))
            told = {} if training is None else _told(training)
            one = KeptHeads(domain, curve, inference, **told)
            groups.setdefault(_held(one), []).append(one)
    found = [own for members in groups.values() for related in _related(members) for own in _by_scope(related)]
    for told in (_metric, _place, _examples):
        names = Counter(comparison.name for comparison in found)
        found = [replace(own, name=f"{own.name}{told(own)}") if names[own.name] > 1 else own for own in found]
    return sorted(found, key=lambda comparison: comparison.name)


def _told(training: Training) -> dict[str, Any]:
    return {"scratch": training.method.scratch, "start": training.start, "variant": training.variant}


def _metric(comparison: Comparison) -> str:
    return f", {comparison.members[0].domain.metric.label}"


def _place(comparison: Comparison) -> str:
    domain = comparison.members[0].domain
    replaced = "" if domain.replacement.is_usual else f", replacement {domain.replacement.label}"
    return f"{replaced}, {domain.setting.precision}"


def _examples(comparison: Comparison) -> str:
    return f", {comparison.members[0].domain.different_examples:,} examples"


def _held(one: KeptHeads) -> tuple[Any, ...]:
    domain, place = one.domain, one.domain.factors[0]
    sample = domain.sample(one.inference.groups)
    axes = tuple((axis, place.at(axis)) for axis in AXES if axis not in FREE)
    return domain.data, domain.metric.name, axes, *domain.layout.counts.items(), sample.names, tuple(sample.sizes)


def _related(members: Sequence[KeptHeads]) -> list[list[KeptHeads]]:
    """Members in groups in which each has the family, the first weights or the start of another."""
    found: list[tuple[set[tuple[str, str]], list[KeptHeads]]] = []
    for one in members:
        place = one.domain.factors[0]
        ties = {"family": place.family, "initial": place.initial, "start": one.start}
        known, group = {(name, value) for name, value in ties.items() if value}, [one]
        for other in [other for other in found if other[0] & known]:
            found.remove(other)
            known, group = other[0] | known, other[1] + group
        found.append((known, group))
    return [group for _, group in found]


def _by_scope(members: Sequence[KeptHeads]) -> Iterator[Comparison]:
    """The members by the kinds that have gates; un-pruned ones are in each."""
    layout = members[0].domain.layout
    family = listed(list(dict.fromkeys(one.domain.factors[0].family for one in members)))
    every = {str(kind): sum(layers) for kind, layers in layout.counts.items()}
    references = [one for one in members if one.method.is_reference]
    others = [one for one in members if not one.method.is_reference]
    scopes = {one: _scope(one, others) for one in others}
    for scope in dict.fromkeys(scopes.values() if others else [""]):
        kinds = tuple(kind for kind in every if not scope or kind in scope.split("+"))
        label = f", {' and '.join(map(kind_label, kinds))} heads" if scope else ""
        own = [one for one in others if scopes[one] == scope]
        heads = sum(every[kind] for kind in kinds)
        name = f"{family} on {members[0].domain.data}{label}"
        ordered = sorted(own, key=lambda one: (one.method, -one.kept(kinds), one.seed or 0))
        yield Comparison(name, kinds, heads, (*sorted(references, key=lambda one: one.seed or 0), *ordered))


def _scope(one: KeptHeads, others: Sequence[KeptHeads]) -> str:
    """The kinds that have gates; of a given mask that does not say, those of learned gates that it can stand beside."""
    if one.scope or one.method.is_learned:
        return one.scope
    learned = dict.fromkeys(other.scope for other in others if other.method.is_learned and other.scope)
    return next((scope for scope in learned if one.pruned <= set(scope.split("+"))), "")
