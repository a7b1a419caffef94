"""All that designs of sets come to, as tables; nothing where there is no such design, which costs nothing."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import polars as pl

from analysis.effects.chance import chance_columns
from analysis.inference import Inference
from analysis.results.designs import StoredDesign
from analysis.results.read import Results
from analysis.sets.coalition_sizes import SIZES, size_table
from analysis.sets.pairs import PAIRS, Pairs, pair_table
from analysis.sets.redundancy import REDUNDANCY, redundancy_table
from analysis.sets.screening import SCREENING, Screening, screening_table, screenings
from analysis.sets.shapley import (
    SHAPLEY_PAIRS,
    SHAPLEY_VALUES,
    Coalitions,
    coalition_samples,
    shapley_pair_table,
    shapley_table,
)
from analysis.sets.sufficient import PATH, SUFFICIENT, Verdict, path_table, sufficient_table, verdicts
from analysis.sets.words import pair_words, screening_words, shapley_words, sufficient_words
from study.record.designs import DesignKind
from study.record.designs.names import LOSE
from study.record.errors import InputError


@dataclass(frozen=True, eq=False)
class Sets:
    """What sets of units come to.

    Attributes:
        pair_designs: pairs, by design.
        coalitions: samples of coalitions from which values are estimated.
        pairs: `analysis.sets.pairs.pair_table`.
        redundancy: `analysis.sets.redundancy.redundancy_table`.
        shapley: `analysis.sets.shapley.shapley_table`.
        shapley_pairs: `analysis.sets.shapley.shapley_pair_table`.
        sizes: `analysis.sets.coalition_sizes.size_table`.
        verdicts: sets that searches ended with.
        screenings: units that random masks point at.
        sufficient: `analysis.sets.sufficient.sufficient_table`.
        path: `analysis.sets.sufficient.path_table`.
        screening: `analysis.sets.screening.screening_table`.
        warnings: what is not whole, or cannot be trusted, a sentence each.
        alpha: chance of an error.
    """

    pair_designs: tuple[Pairs, ...]
    coalitions: tuple[Coalitions, ...]
    pairs: pl.DataFrame
    redundancy: pl.DataFrame
    shapley: pl.DataFrame
    shapley_pairs: pl.DataFrame
    sizes: pl.DataFrame
    verdicts: tuple[Verdict, ...]
    screenings: tuple[Screening, ...]
    sufficient: pl.DataFrame
    path: pl.DataFrame
    screening: pl.DataFrame
    warnings: tuple[str, ...]
    alpha: float

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table that has rows, under the name of its file."""
        every = {
            "pairs": self.pairs,
            "pairs_redundancy": self.redundancy,
            "shapley": self.shapley,
            "shapley_pairs": self.shapley_pairs,
            "shapley_sizes": self.sizes,
            "sufficient": self.sufficient,
            "sufficient_path": self.path,
            "screening": self.screening,
        }
        return {name: table for name, table in every.items() if table.height}

    @cached_property
    def pair_sentences(self) -> tuple[str, ...]:
        """What pairs come to, in words."""
        return tuple(line for pairs in self.pair_designs for line in pair_words(pairs, self.pairs, self.redundancy))

    @cached_property
    def shapley_sentences(self) -> tuple[str, ...]:
        """What Shapley values come to, in words."""
        return tuple(line for found in self.coalitions for line in shapley_words(found, self.shapley, self.sizes))

    @cached_property
    def chosen_sentences(self) -> tuple[str, ...]:
        """What sufficient sets and screenings come to, in words."""
        judged = (line for verdict in self.verdicts for line in sufficient_words(verdict, self.sufficient))
        screened = (line for found in self.screenings for line in screening_words(found, self.screening))
        return (*judged, *screened)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it all comes to, in words."""
        return (*self.pair_sentences, *self.shapley_sentences, *self.chosen_sentences)


def sets(results: Results, inference: Inference) -> Sets | None:
    """All of it; None where no design of sets is stored.

    Args:
        results: what was read.
        inference: how intervals and p values are made.
    """
    designs = list({(one.domain.setting_id, one.design.id): one for one in results.designs}.values())
    if not designs:
        return None
    pairs = [Pairs.of(one, inference) for one in designs if one.design.kind is DesignKind.PAIR]
    judged, screened = verdicts(designs, inference), screenings(designs, inference)
    samples, refused = _whole(coalition_samples(designs, inference), {found.sample for found in screened})
    paths = [one for one in designs if one.design.kind is DesignKind.STEP and LOSE in one.design.options]
    return Sets(
        pair_designs=tuple(pairs),
        coalitions=tuple(samples),
        pairs=_stacked(map(pair_table, pairs), PAIRS),
        redundancy=_stacked(map(redundancy_table, pairs), REDUNDANCY),
        shapley=_stacked(map(shapley_table, samples), SHAPLEY_VALUES),
        shapley_pairs=_stacked(map(shapley_pair_table, samples), SHAPLEY_PAIRS),
        sizes=_stacked(map(size_table, samples), SIZES),
        verdicts=tuple(judged),
        screenings=tuple(screened),
        sufficient=_stacked(map(sufficient_table, judged), SUFFICIENT),
        path=_stacked((path_table(one, inference) for one in paths), PATH),
        screening=_stacked(map(screening_table, screened), SCREENING),
        warnings=(
            *_unfinished(designs),
            *_without_verdict(designs),
            *_shared_judges(judged),
            *_lacking_singles(pairs),
            *refused,
            *_at_chance(designs, inference),
        ),
        alpha=inference.alpha,
    )


def _whole(samples: Sequence[Coalitions], screening: Collection[StoredDesign]) -> tuple[list[Coalitions], list[str]]:
    """The samples that are large enough for values, and why others are not, but for those of a screening."""
    enough, refused = [], []
    for sample in samples:
        try:
            sample.estimates  # noqa: B018
            enough.append(sample)
        except InputError as error:
            refused += [] if sample.stored in screening else [f"{sample.name}: {error}"]
    return enough, refused


def _unfinished(designs: Sequence[StoredDesign]) -> Iterator[str]:
    for one in designs:
        whole = len(one.design)
        if whole < one.asked and one.design.kind not in (DesignKind.STEP, DesignKind.SET):
            name, kind = f"{one.domain.subject} on {one.domain.data}", one.design.kind
            yield f"{name}: {whole:,} of {one.asked:,} {kind}s have all outcomes; the same command measures the others"


def _without_verdict(designs: Sequence[StoredDesign]) -> Iterator[str]:
    """Searches whose set was measured on no example that did not choose it."""
    judged = {_search(one) for one in designs if one.design.kind is DesignKind.SET}
    for one in designs:
        if one.design.kind is DesignKind.STEP and LOSE in one.design.options and _search(one) not in judged:
            yield (
                f"{one.domain.subject} on {one.domain.data}: the set that was searched for (to lose at most "
                f"{one.design.options[LOSE]:g}) has no verdict, as no other examples than those that chose it have all "
                f"outcomes; the same command measures them"
            )


def _shared_judges(judged: Sequence[Verdict]) -> Iterator[str]:
    """Searches that the same examples judge: of many sets one is shown to suffice by chance."""
    for name, several in groupby(sorted(judged, key=lambda one: one.name), key=lambda one: one.name):
        number = len({_search(one.stored) for one in several})
        if number > 1:
            yield (
                f"{name}: {number} searches are judged by examples that they share, and each limit is of one search "
                f"alone: the more there are, the sooner one of their sets is shown to suffice by chance"
            )


def _search(one: StoredDesign) -> tuple[str, str, int | None, tuple[str, ...], tuple[str, ...]]:
    """What tells one search from others."""
    design = one.design
    return one.domain.setting_id, str(sorted(design.options.items())), design.seed, design.units, design.examples


def _lacking_singles(pairs: Sequence[Pairs]) -> Iterator[str]:
    for own in pairs:
        lacking = len(own.stored.design) - len(own.places)
        if lacking:
            why = f"not both of their {own.level.plural} were removed alone"
            yield f"{own.name}: {lacking:,} pairs are left out, as {why}"


def _at_chance(designs: Sequence[StoredDesign], inference: Inference) -> Iterator[str]:
    domains = {one.domain.setting_id: one.domain for one in designs}
    for domain in domains.values():
        if chance_columns(domain, inference)["above_chance"] is False:
            yield (
                f"{domain.subject} on {domain.data}: the base score is not shown to be above chance, so that there is "
                f"nothing for sets of units to be missed from"
            )


def _stacked(tables: Iterable[pl.DataFrame], schema: Mapping) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=schema), *tables])
