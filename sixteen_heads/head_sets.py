"""Sets of heads, for a notebook: pairs, Shapley values, sufficient sets; from stored results alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analysis import Inference, read_results
from analysis.figures import Drawing
from analysis.page.sections.sets.chosen import set_drawings
from analysis.page.sections.sets.pairs import graph_drawings, map_drawings
from analysis.page.sections.sets.shapley import size_drawings, value_drawings
from analysis.sets import Sets, sets
from study.record.errors import InputError


@dataclass(frozen=True, repr=False)
class HeadPairs:
    """Which two heads are missed together otherwise than one by one.

    Attributes:
        found: every table of the analysis about it.
    """

    found: Sets

    @property
    def table(self) -> pl.DataFrame:
        """A row for each pair and scale: effects of one, the other and both, the interaction, and how sure it is."""
        return self.found.pairs

    @property
    def redundancy(self) -> pl.DataFrame:
        """A row for each unit: its interactions below 0, selected on one half of the examples, summed on the other."""
        return self.found.redundancy

    def maps(self) -> list[Drawing]:
        """Heat maps of the interactions, in the order of clusters."""
        return [drawing for pairs in self.found.pair_designs for drawing in map_drawings(self.found, pairs)]

    def graphs(self) -> list[Drawing]:
        """Named pairs, layer by layer; a figure for each design that has any."""
        return [drawing for pairs in self.found.pair_designs for drawing in graph_drawings(self.found, pairs)]

    def __repr__(self) -> str:
        """The answer in sentences."""
        return _answer(self.found, self.found.pair_sentences)


@dataclass(frozen=True, repr=False)
class ShapleyValues:
    """What each head adds to the score, on average over contexts.

    Attributes:
        found: every table of the analysis about it.
    """

    found: Sets

    @property
    def table(self) -> pl.DataFrame:
        """A row for each unit, scale and average: its value with both errors, and what it adds to the full set."""
        return self.found.shapley

    @property
    def interactions(self) -> pl.DataFrame:
        """A row for each two units: what both add beyond what each adds, on average over contexts."""
        return self.found.shapley_pairs

    @property
    def sizes(self) -> pl.DataFrame:
        """The mean score of sets by how many units are on."""
        return self.found.sizes

    def values(self) -> list[Drawing]:
        """The largest values with their intervals; a figure for the score, and one for the loss."""
        return list(value_drawings(self.found))

    def curves(self) -> list[Drawing]:
        """Scores of sets by their size."""
        return list(size_drawings(self.found))

    def __repr__(self) -> str:
        """The answer in sentences."""
        return _answer(self.found, self.found.shapley_sentences)


@dataclass(frozen=True, repr=False)
class ChosenSets:
    """Sets of heads that were chosen: sufficient ones, and what random masks point at.

    Attributes:
        found: every table of the analysis about it.
    """

    found: Sets

    @property
    def table(self) -> pl.DataFrame:
        """A row for each set of a search, judged by examples that did not choose it."""
        return self.found.sufficient

    @property
    def path(self) -> pl.DataFrame:
        """The steps of each search, on the examples that chose."""
        return self.found.path

    @property
    def screening(self) -> pl.DataFrame:
        """A row for each unit that got a mask of its own after random masks."""
        return self.found.screening

    def sets(self) -> list[Drawing]:
        """The sets of each search beside each other."""
        return list(set_drawings(self.found))

    def __repr__(self) -> str:
        """The answer in sentences."""
        return _answer(self.found, self.found.chosen_sentences)


def pairs(results: str | Path = "results", inference: Inference | None = None) -> HeadPairs:
    """The pairs that a results folder holds; nothing is computed but statistics.

    Args:
        results: folder of stored outcomes.
        inference: how intervals and p values are made.

    Raises:
        InputError: when no pairs are stored.
    """
    found = _stored(results, inference)
    if found is None or found.pairs.is_empty():
        raise InputError(f"{results} holds no pairs of heads: measure=pairs measures them")
    return HeadPairs(found)


def shapley(results: str | Path = "results", inference: Inference | None = None) -> ShapleyValues:
    """The Shapley values that follow from a results folder; nothing is computed but statistics.

    Args:
        results: folder of stored outcomes.
        inference: how intervals are made.

    Raises:
        InputError: when no coalitions are stored, or too few.
    """
    found = _stored(results, inference)
    if found is None or found.shapley.is_empty():
        why = "" if found is None else "".join(f"; {line}" for line in found.warnings)
        raise InputError(f"{results} holds no Shapley values of heads: measure=shapley measures coalitions{why}")
    return ShapleyValues(found)


def sufficient(results: str | Path = "results", inference: Inference | None = None) -> ChosenSets:
    """The sufficient sets and screenings that a results folder holds; nothing is computed but statistics.

    Args:
        results: folder of stored outcomes.
        inference: how limits and p values are made.

    Raises:
        InputError: when no search and no screening has come to its end.
    """
    found = _stored(results, inference)
    if found is None or not (found.verdicts or found.screenings):
        raise InputError(f"{results} holds no set that was chosen: measure=sufficient and measure=screen choose some")
    return ChosenSets(found)


def _stored(results: str | Path, inference: Inference | None) -> Sets | None:
    return sets(read_results(Path(results)), inference or Inference())


def _answer(found: Sets, sentences: Sequence[str]) -> str:
    return "\n".join([*sentences, *(f"Mind: {line}." for line in found.warnings)])
