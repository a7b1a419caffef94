"""All that gates of trainings come to, as tables; nothing where no training has gates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from analysis.agreement import KeptSets
from analysis.defaults import DEFAULTS
from analysis.gates.by_seed import DIFFERENCES, seed_differences
from analysis.gates.comparisons import Comparison, comparisons
from analysis.gates.course import Course, course_table, courses
from analysis.gates.kept_heads import KeptHeads
from analysis.gates.roles import roles_kept
from analysis.gates.scores import CURVES, KEPT, curve_table, kept_table
from analysis.gates.survival import survival
from analysis.gates.trials import Training, gated_trainings, trials
from analysis.gates.words import kept_words, survival_words, warnings
from analysis.inference import Inference
from analysis.results.read import Results
from analysis.roles import HeadAttention
from study.tracking.run import training_folders


@dataclass(frozen=True, eq=False)
class Gates:
    """What gates of trainings come to.

    Attributes:
        comparisons: trainings that are compared, those that were tried and not chosen left out.
        courses: the gates of each training that learned any, over its steps.
        kept: `analysis.gates.scores.kept_table`.
        curves: `analysis.gates.scores.curve_table`.
        differences: `analysis.gates.by_seed.seed_differences`.
        survival: in how many seeds heads survive, `analysis.gates.survival.survival`.
        survivors: in which seeds each head does.
        course: `analysis.gates.course.course_table`.
        trials: `analysis.gates.trials.trials`.
        roles: `analysis.gates.roles.roles_kept`.
        warnings: what makes a comparison unfair, in words.
        within: loss of score that is allowed; by metric, or one for any.
        alpha: chance of an error.
    """

    comparisons: tuple[Comparison, ...]
    courses: tuple[Course, ...]
    kept: pl.DataFrame
    curves: pl.DataFrame
    differences: pl.DataFrame
    survival: pl.DataFrame
    survivors: pl.DataFrame
    course: pl.DataFrame
    trials: pl.DataFrame
    roles: pl.DataFrame
    warnings: tuple[str, ...]
    within: Mapping[str, float] | float
    alpha: float

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table under the name of its file."""
        return {
            "gates": self.kept,
            "gates_curves": self.curves,
            "gates_differences": self.differences,
            "gates_survival": self.survival,
            "gates_survivors": self.survivors,
            "gates_course": self.course,
            "gates_trials": self.trials,
            "gates_roles": self.roles,
        }

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What it comes to, in words."""
        return (*kept_words(self.curves, self.within), *survival_words(self.survival, self.alpha))


def gates(
    results: Results,
    inference: Inference,
    attention: HeadAttention | None = None,
    within: Mapping[str, float] | float = DEFAULTS["within"],
) -> Gates | None:
    """All of it; None where no training has gates, which costs nothing.

    Args:
        results: what was read.
        inference: how intervals are made.
        attention: what heads look at, where it was measured.
        within: loss of score that is allowed; by metric, or one for any.
    """
    trainings = _trainings(results)
    if not trainings and not any(domain.kept for domain in results.distinct):
        return None
    found, wrong = courses(trainings)
    every = comparisons(results.distinct, inference, trainings)
    tried = trials(trainings, {one.training for comparison in every for one in comparison.members})
    refused = frozenset(id_.rpartition("-")[2] for id_ in tried.filter(chosen=False)["training_id"])
    every = [replace(comparison, refused=refused) for comparison in every]
    kept = _stacked([kept_table(comparison, tried) for comparison in every], KEPT)
    chosen = [_chosen(comparison) for comparison in every]
    differences = _stacked(map(seed_differences, chosen), DIFFERENCES)
    survive, survivors = survival([sets for comparison in chosen for sets in kept_sets(comparison)], inference.seed)
    return Gates(
        comparisons=tuple(chosen),
        courses=tuple(found),
        kept=kept,
        curves=_stacked(map(curve_table, chosen), CURVES),
        differences=differences,
        survival=survive,
        survivors=survivors,
        course=course_table(found),
        trials=tried,
        roles=roles_kept(chosen, attention),
        warnings=(*warnings(chosen, kept, differences, tried), *wrong),
        within=within,
        alpha=inference.alpha,
    )


def kept_sets(comparison: Comparison) -> Iterator[tuple[dict[str, Any], KeptSets]]:
    """The heads of each gated kind that seeds keep, for every method that learns them and amount with several seeds.

    Given masks say nothing of what a training finds; kinds that keep all heads are left out as well.
    """
    for (method, updates), members in comparison.lines.items():
        amounts: dict[str, dict[str, KeptHeads]] = {}
        for one in members if method.is_learned else ():
            amounts.setdefault(comparison.amount(one), {}).setdefault(str(one.seed), one)
        for amount, by_seed in amounts.items():
            about = {"comparison": comparison.name, "method": str(method), "amount": amount, "updates": updates}
            if len(by_seed) > 1:
                yield from (
                    (about, sets) for sets in _sets_by_kind(", ".join(map(str, about.values())), by_seed, comparison)
                )


def _sets_by_kind(task: str, by_seed: Mapping[str, KeptHeads], comparison: Comparison) -> Iterator[KeptSets]:
    heads = next(iter(by_seed.values())).domain.layout.heads
    for kind in comparison.kinds:
        own = [i for i, head in enumerate(heads) if str(head.kind) == kind]
        kept = np.stack([one.mask[own] for one in by_seed.values()])
        if not kept.all():
            yield KeptSets(f"{task}, {kind}", "seed", tuple(by_seed), tuple(heads[i] for i in own), kept)


def _trainings(results: Results) -> list[Training]:
    """The trainings of families with gates; where no training has a record of any, no file is read."""
    folders = list(dict.fromkeys([results.folder, *(domain.folder.parents[2] for domain in results.domains)]))
    some = any(domain.kept for domain in results.domains)
    some = some or any(next(path.glob("gates.json*"), None) for root in folders for path in training_folders(root))
    return gated_trainings(folders, results.trainings) if some else []


def _chosen(comparison: Comparison) -> Comparison:
    """A comparison without what was tried and not chosen."""
    members = tuple(one for one in comparison.members if one.training not in comparison.refused)
    return replace(comparison, members=members)


def _stacked(tables: Sequence[pl.DataFrame] | map, schema: Mapping) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=schema), *tables])
