"""The numbers of a pair of domains and some of its heads; what cannot be said is None, with the reason beside it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from analysis.correlation.coefficients import kendall, pearson, spearman
from analysis.correlation.head_influence import by_size
from analysis.correlation.noise_ceiling import Parts, Reliability, ceiling, part_effects, reliability, true_r_of_rest
from analysis.correlation.null_distributions import flipped_effects
from analysis.correlation.options import CorrelationOptions
from analysis.correlation.pairs import DomainEffects, Pair
from analysis.correlation.true_correlation import measured_r, true_r

WITHOUT_OUTCOMES = "needs the outcomes of examples: a table of effects says nothing about their noise"

SHARED_AT_MOST = 0.01
"""Share of examples that two domains may have in common; what they share has the same noise on both."""

COEFFICIENTS = {"heads": pl.Int64, **dict.fromkeys(["pearson", "spearman", "kendall"], pl.Float64), "reason": pl.String}
CEILING = dict.fromkeys(["reliability_a", "reliability_b", "ceiling"], pl.Float64) | {"ceiling_reason": pl.String}
NUMBERS = (
    COEFFICIENTS
    | {"pearson_low": pl.Float64, "pearson_high": pl.Float64, "interval_reason": pl.String}
    | {**dict.fromkeys(["true", "true_low", "true_high"], pl.Float64), "true_reason": pl.String}
    | {"share": pl.Float64, **CEILING}
)
REST = COEFFICIENTS | dict.fromkeys(["pearson_low", "pearson_high", "true"], pl.Float64) | CEILING

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class DomainResamples:
    """What is drawn once of a domain and serves every pair that it is in.

    Attributes:
        domain: the effects, and the outcomes behind them.
        options: how many are drawn, and the seed.
    """

    domain: DomainEffects
    options: CorrelationOptions

    @cached_property
    def halves(self) -> Parts | None:
        """Effects on random halves of the examples."""
        return self._parts("halves", 2)

    @cached_property
    def thirds(self) -> Parts | None:
        """Effects on random thirds of the examples."""
        return self._parts("thirds", 3)

    @cached_property
    def flipped(self) -> Float[np.ndarray, "resamples heads"]:
        """Effects under the null of no effect."""
        assert self.domain.sample is not None
        return flipped_effects(self.domain.sample, self._generator("flips"), self.options.resamples)

    def _parts(self, purpose: str, parts: int) -> Parts | None:
        sample = self.domain.sample
        return sample and part_effects(sample, self._generator(purpose), self.options.splits, parts)

    def _generator(self, purpose: str) -> np.random.Generator:
        return self.options.generator(purpose, self.domain.names["subject_id"], self.domain.names["setting_id"])


@dataclass(frozen=True, eq=False)
class PairResamples:
    """A pair with what was drawn of both its domains."""

    pair: Pair
    a: DomainResamples
    b: DomainResamples

    @property
    def options(self) -> CorrelationOptions:
        """The options of both sides."""
        return self.a.options

    @property
    def every_head(self) -> Bool[np.ndarray, " heads"]:
        """All heads of the pair."""
        return np.ones(len(self.pair.heads), dtype=bool)

    def numbers(self, kept: Bool[np.ndarray, " heads"]) -> Row:
        """The columns of `NUMBERS` for some of the heads, which the effects themselves had no part in choosing."""
        row: Row = dict.fromkeys(NUMBERS) | self._coefficients(kept)
        if row["reason"] is not None:
            return row
        silent = self.no_noise()
        if silent is not None:
            return row | dict.fromkeys(["interval_reason", "true_reason", "ceiling_reason"], silent)
        row |= self._estimates(kept)
        sides = zip((self.a, self.b), (self.pair.at_a, self.pair.at_b), strict=True)
        halves = [None if side.halves is None else side.halves[:, :, at[kept]] for side, at in sides]
        row |= self._ceiling(*map(reliability, halves))
        if row["true"] is not None and row["ceiling"] is not None:
            row["share"] = row["pearson"] / row["ceiling"]
        return row

    def without_largest(self, k: int) -> Row:
        """The columns of `REST` for all heads but the k of largest effect.

        The coefficients are of the heads left by the effects themselves, and the interval of r is of these heads,
        whatever chose them; reliabilities and the true r of those left by a third of the examples that they are not
        judged on.
        """
        rest = by_size(*self.pair.effects)[k:]
        kept = np.zeros(len(self.pair.heads), dtype=bool)
        kept[rest] = True
        row: Row = dict.fromkeys(REST) | self._coefficients(kept)
        silent = self.no_noise()
        if row["reason"] is not None or silent is not None:
            return row | {"ceiling_reason": row["reason"] or silent}
        measured = measured_r(*self.pair.noisy(kept), self.options.level)
        row |= {"pearson_low": measured.low, "pearson_high": measured.high}
        thirds_a, thirds_b = self.a.thirds, self.b.thirds
        if thirds_a is None or thirds_b is None:
            return row | self._ceiling(reliability(thirds_a), reliability(thirds_b))
        thirds_a, thirds_b = thirds_a[:, :, self.pair.at_a], thirds_b[:, :, self.pair.at_b]
        left = by_size(thirds_a[:, 0], thirds_b[:, 0])[:, k:]
        row |= self._ceiling(reliability(thirds_a, left), reliability(thirds_b, left))
        known = self._estimable and row["ceiling"] is not None
        return row | {"true": true_r_of_rest(thirds_a, thirds_b, left) if known else None}

    def no_noise(self) -> str | None:
        """Why nothing can be said of the noise of this pair; None when it can."""
        if not self.pair.has_outcomes:
            return WITHOUT_OUTCOMES
        if self.pair.shared_share > SHARED_AT_MOST:
            return f"the domains share {self.pair.shared:,} of their examples, and so their noise"
        return None

    @cached_property
    def _estimable(self) -> bool:
        """Whether the true r of all heads can be told from noise."""
        return true_r(*self.pair.noisy(self.every_head), self.options.level).value is not None

    def _coefficients(self, kept: Bool[np.ndarray, " heads"]) -> Row:
        row: Row = {"heads": int(kept.sum()), "reason": self.pair.no_correlation(kept)}
        if row["reason"] is not None:
            return row
        a, b = (effects[kept] for effects in self.pair.effects)
        return row | {"pearson": float(pearson(a, b)), "spearman": float(spearman(a, b)), "kendall": kendall(a, b)}

    def _estimates(self, kept: Bool[np.ndarray, " heads"]) -> Row:
        sides = self.pair.noisy(kept)
        measured, true = (of(*sides, self.options.level) for of in (measured_r, true_r))
        return {
            "pearson_low": measured.low,
            "pearson_high": measured.high,
            "interval_reason": measured.reason,
            "true": true.value,
            "true_low": true.low,
            "true_high": true.high,
            "true_reason": true.reason,
        }

    def _ceiling(self, a: Reliability, b: Reliability) -> Row:
        sides = zip((self.pair.a, self.pair.b), (a, b), strict=True)
        reasons = [f"{side.domain}: {own.reason}" for side, own in sides if own.reason]
        return {
            "reliability_a": a.whole,
            "reliability_b": b.whole,
            "ceiling": ceiling(a, b),
            "ceiling_reason": "; ".join(reasons) or None,
        }
