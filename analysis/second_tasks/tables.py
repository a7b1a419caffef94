"""All that second tasks come to, as tables; nothing where no model was taught a later task."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from analysis.effects.head_effects import effects as effect_table
from analysis.inference import Inference
from analysis.results.domain import Domain
from analysis.results.read import Results
from analysis.second_tasks.chains import chain_table
from analysis.second_tasks.comparisons import Comparison, comparisons
from analysis.second_tasks.earlier import EARLIER_TASKS, earlier_table, proof_table
from analysis.second_tasks.head_sizes import head_tables
from analysis.second_tasks.later_trainings import later_trainings, models_before, stored_results
from analysis.second_tasks.scores import CONTROLS, CURVES, LATER, PAIRS, control_tables, curve_table, later_table
from analysis.second_tasks.words import Answer, answer_words, failure_words, head_words, proof_words, warnings


@dataclass(frozen=True, eq=False)
class SecondTasks:
    """What later tasks of models come to.

    Attributes:
        comparisons: trainings that are compared.
        later: a row for each training, `analysis.second_tasks.scores.later_table`.
        curves: the capacity curve, `analysis.second_tasks.scores.curve_table`.
        controls: methods beside free heads, seed by seed, `analysis.second_tasks.scores.control_tables`.
        pairs: the differences of single seeds.
        earlier: what earlier tasks lose, `analysis.second_tasks.earlier.earlier_table`.
        proofs: whether earlier tasks are what they were, `analysis.second_tasks.earlier.proof_table`.
        heads: effects of single heads on later tasks, `analysis.second_tasks.head_sizes.head_tables`.
        head_tests: whether the heads that were taught matter more.
        chains: models of three tasks and more, `analysis.second_tasks.chains.chain_table`.
        warnings: what makes a comparison unfair, in words.
        alone: ids of settings that hold the outcomes of a task with all heads that it has, or of its masked model, and
            no more: they are points here, and no subjects of the page.
        alpha: chance of an error.
    """

    comparisons: tuple[Comparison, ...]
    later: pl.DataFrame
    curves: pl.DataFrame
    controls: pl.DataFrame
    pairs: pl.DataFrame
    earlier: pl.DataFrame
    proofs: pl.DataFrame
    heads: pl.DataFrame
    head_tests: pl.DataFrame
    chains: pl.DataFrame
    warnings: tuple[str, ...]
    alone: frozenset[str]
    alpha: float

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table under the name of its file."""
        return {
            "second_tasks": self.later,
            "second_tasks_curves": self.curves,
            "second_tasks_controls": self.controls,
            "second_tasks_pairs": self.pairs,
            "second_tasks_earlier": self.earlier,
            "second_tasks_proofs": self.proofs,
            "second_tasks_heads": self.heads,
            "second_tasks_head_tests": self.head_tests,
            "second_tasks_chains": self.chains,
        }

    @cached_property
    def failures(self) -> tuple[str, ...]:
        """Every proof that has failed, in words."""
        return tuple(failure_words(self.proofs))

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """For each later task and number of free heads: do they hold it, and what does it cost."""
        return tuple(one for own in self.comparisons for one in answer_words(self.curves, self.earlier, own))

    @cached_property
    def further(self) -> tuple[str, ...]:
        """Whether earlier tasks are what they were, and whether the heads that were taught matter, in words."""
        return (*proof_words(self.proofs), *head_words(self.head_tests, self.heads, self.alpha))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it comes to, in words."""
        return (*map(str, self.answers), *self.further)


def second_tasks(results: Results, inference: Inference, effects: pl.DataFrame | None = None) -> SecondTasks | None:
    """All of it; None where no model was taught a later task, which costs a look into each setting's folder.

    Args:
        results: what was read.
        inference: how intervals are made.
        effects: the tidy table of effects of all domains; None: those of later tasks are computed.
    """
    stored, unread = stored_results(results.distinct)
    if not stored and not unread:
        return None
    trainings, earlier, wrong = later_trainings(results.distinct, stored, inference)
    every = comparisons([*trainings, *models_before(trainings)])
    if effects is None:
        effects = pl.concat([effect_table(domain, inference) for domain in _with_heads(stored)] or [pl.DataFrame()])
    heads, tests = head_tables(trainings, effects, inference.seed)
    controls, pairs = zip(*map(control_tables, every), strict=True) if every else ((), ())
    return SecondTasks(
        comparisons=tuple(every),
        later=_stacked(map(later_table, every), LATER),
        curves=_stacked(map(curve_table, every), CURVES),
        controls=_stacked(controls, CONTROLS),
        pairs=_stacked(pairs, PAIRS),
        earlier=_stacked(map(earlier_table, every), EARLIER_TASKS),
        proofs=proof_table(earlier),
        heads=heads,
        head_tests=tests,
        chains=chain_table(trainings, earlier, inference.alpha),
        warnings=(*warnings(every), *unread, *wrong),
        alone=_alone(results, stored),
        alpha=inference.alpha,
    )


def _with_heads(stored: Iterable[tuple[Domain, Any]]) -> list[Domain]:
    """The domains whose single heads were removed, once each."""
    return list({domain.setting_id: domain for domain, _ in stored if domain.single_heads}.values())


def _alone(results: Results, stored: Iterable[tuple[Domain, Any]]) -> frozenset[str]:
    """`SecondTasks.alone`."""
    masks: dict[str, set[str]] = {}
    for domain, result in stored:
        masks.setdefault(domain.setting.id, set())
        masks.setdefault(result.start or "", set())
        if result.proof is not None:
            masks.setdefault(result.proof.masked, set()).add(result.proof.mask)
    return frozenset(
        domain.setting_id
        for domain in results.domains
        if domain.setting.id in masks and domain.masks <= {domain.layout.full_key, *masks[domain.setting.id]}
    )


def _stacked(tables: Iterable[pl.DataFrame], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=schema), *tables])
