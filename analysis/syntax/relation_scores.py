"""Every head as a parser: accuracy by relation and direction, against the best fixed offset.

The offset is chosen on one half of the groups of examples and scored on the other, both ways.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int
from polars import selectors

from analysis.inference import Inference
from analysis.inference.discordant_pairs import PERCENT
from analysis.inference.resampling import ENOUGH_FOR_AN_INTERVAL
from analysis.inference.shares import above_zero, difference_limits, ratio_limits
from analysis.results.readings import Reading
from analysis.syntax.halves import choose, cross_fitted, first_half
from analysis.syntax.relation_sums import OFFSETS, Direction, RelationSums, relation_sums
from analysis.syntax.word_choices import has_trees, read_choices
from study.record.units import ADDRESS, Head

LEVEL = 0.95
"""Level of one-sided limits."""

VOITA_POINTS, VOITA_SHARE = 10.0, 0.1
"""Voita et al. (2019) call a head syntactic that is 10 % above the baseline: points of accuracy, or a share of it."""

SCORES = (
    ADDRESS
    | {"relation": pl.String, "direction": pl.String, "cases": pl.Int64, "hits": pl.Int64, "accuracy": pl.Float64}
    | {"baseline_hits": pl.Int64, "baseline": pl.Float64, "first_offset": pl.Int64, "second_offset": pl.Int64}
    | dict.fromkeys(["difference", "lower", "lower_relative", "p", "p_corrected"], pl.Float64)
    | dict.fromkeys(["above", "voita_points", "voita_relative"], pl.Boolean)
    | {"groups": pl.Int64, "alpha": pl.Float64}
)


def relation_scores(reading: Reading, inference: Inference, mask: str | None = None) -> pl.DataFrame | None:
    """The accuracy of every head, relation and direction under a mask; None without trees or attended words.

    Returns:
        Columns kind, layer, head; relation, direction (`to_head`: the dependent attends most to its head;
        `to_dependent`: no word attends to the dependent more than its head does); cases, hits, accuracy (percent);
        baseline_hits, baseline: those of the best fixed offset, which is first_offset on the first half and
        second_offset on the second, each scored on the other half; difference: accuracy less baseline, points; lower:
        its one-sided limit at 95 %; lower_relative: that of accuracy less 1.1 times the baseline; p, p_corrected:
        one-sided, by turned signs, corrected by max-T over heads, relations and directions; above: whether p_corrected
        is at most alpha; voita_points, voita_relative: whether lower is at least 10, or lower_relative at least 0;
        groups: groups of examples with a case; alpha.

    Raises:
        InputError: when the examples have no such groups.
    """
    scores = RelationScores.of(reading, inference, mask)
    return None if scores is None else scores.each_head


@dataclass(frozen=True, eq=False)
class RelationScores:
    """The hits of all heads of a reading, and of what they are compared with.

    Shapes: G = groups, R = relations, D = directions, H = heads, 2 = halves.

    Attributes:
        sums: hits by group.
        heads: those that attend to words of their own text.
        inference: alpha, resamples and seed.
    """

    sums: RelationSums
    heads: tuple[Head, ...]
    inference: Inference

    @classmethod
    def of(cls, reading: Reading, inference: Inference, mask: str | None = None) -> "RelationScores | None":
        """The scores of a reading; arguments and errors are those of `relation_scores`."""
        found = read_choices(reading, inference.groups, mask) if has_trees(reading.examples) else None
        if found is None:
            return None
        examples, choices = found
        heads = [head for head, chooses in zip(reading.layout.heads, choices.choosing, strict=True) if chooses]
        return cls(relation_sums(examples, choices.select(choices.choosing)), tuple(heads), inference)

    @cached_property
    def half(self) -> Bool[np.ndarray, " G"]:
        """Which groups are in the first half."""
        return first_half(len(self.sums.cases), self.inference.seed)

    @cached_property
    def scored(self) -> list[int]:
        """The places of the relations that two groups or more of both halves have."""
        there = self.sums.cases > 0
        fewest = np.minimum(there[self.half].sum(axis=0), there[~self.half].sum(axis=0))
        return np.flatnonzero(fewest >= 2).tolist()

    @cached_property
    def offsets(self) -> Int[np.ndarray, "2 R"]:
        """The place in `OFFSETS` of the offset that finds most in each half."""
        return choose(self.sums.offsets, self.half)

    @cached_property
    def baseline(self) -> Int[np.ndarray, "G R"]:
        """Hits of the offset that was chosen on the other half."""
        return cross_fitted(self.sums.offsets, self.offsets, self.half)

    @cached_property
    def each_head(self) -> pl.DataFrame:
        """See `relation_scores`."""
        flat = [self.sums.hits[:, at].reshape(len(self.half), -1) for at in self.scored]
        tests = self.tested([hits - self.baseline[:, at, None] for at, hits in zip(self.scored, flat, strict=True)])
        rows = [self._rows(*each) for each in zip(self.scored, flat, tests, strict=True)]
        return pl.concat([pl.DataFrame(schema=SCORES), *rows])

    def tested(
        self, changes: Sequence[Int[np.ndarray, "G _"]]
    ) -> list[tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]]:
        """P and corrected p that sums are above 0, one family of all, see `above_zero`."""
        resamples = min(self.inference.resamples, ENOUGH_FOR_AN_INTERVAL)
        return above_zero(changes, resamples, self.inference.seed) if changes else []

    def _rows(self, at: int, hits: Int[np.ndarray, "G others"], test: tuple[np.ndarray, np.ndarray]) -> pl.DataFrame:
        """The rows of a relation, the heads of one direction behind those of the other."""
        base, cases, one_sided = self.baseline[:, at], self.sums.cases[:, at], 2 * (1 - LEVEL)
        total, count = hits.sum(axis=0), int(cases.sum())
        lower, _ = difference_limits(hits - base[:, None], cases, one_sided)
        relative, _ = ratio_limits(hits - (1 + VOITA_SHARE) * base[:, None], cases, one_sided)
        p, corrected = test
        columns = {
            "relation": self.sums.relations[at],
            "direction": np.repeat([str(direction) for direction in Direction], len(self.heads)),
            "cases": count,
            "hits": total,
            "accuracy": PERCENT * total / count,
            "baseline_hits": int(base.sum()),
            "baseline": PERCENT * base.sum() / count,
            "first_offset": int(OFFSETS[self.offsets[0, at]]),
            "second_offset": int(OFFSETS[self.offsets[1, at]]),
            "difference": PERCENT * (total - base.sum()) / count,
            "lower": lower,
            "lower_relative": relative,
            "p": p,
            "p_corrected": corrected,
            "above": corrected <= self.inference.alpha,
            "voita_points": lower >= VOITA_POINTS,
            "voita_relative": relative >= 0,
            "groups": int((cases > 0).sum()),
            "alpha": self.inference.alpha,
        }
        return with_addresses([*self.heads] * len(Direction), columns, SCORES)


def with_addresses(heads: Sequence[Head], columns: Mapping[str, Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    """A row for each head, with its address; NaN, of what cannot be known, is null."""
    table = pl.DataFrame([head.row for head in heads], schema=ADDRESS)
    given = {name: pl.Series(own) if isinstance(own, np.ndarray) else pl.lit(own) for name, own in columns.items()}
    own = {name: kind for name, kind in schema.items() if name in (*ADDRESS, *columns)}
    shown = table.with_columns(**given).select(*own).cast(own)  # type: ignore[arg-type]
    return shown.with_columns(selectors.float().fill_nan(None))
