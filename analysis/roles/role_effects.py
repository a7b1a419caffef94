"""Do roles matter? Effects of heads with a role against those of the other heads of their layers, and correlations.

Roles and statistics are of other examples than effects (`analysis.roles.split`). Layers are held: a role's difference
is a mean over the layers that have heads with it and heads without it, of how far the first lie from the second. A
layer with n_1 and n_0 of them has the weight n_1 n_0 / (n_1 + n_0), as least squares with a mean for each layer gives
it. All roles and statistics are one family, corrected by max-T over permutations of effects within layers. None of it
says that a head matters because of its role: heads are not given their roles at random.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int
from scipy import stats

from analysis.attention.statistics import Neighbours, Ratios, head_statistics, layer_numbers
from analysis.correlation.coefficients import pearson, spearman
from analysis.correlation.pairs import FEWEST, by_kind
from analysis.correlation.true_correlation import Estimate, NoisyEffects, measured_r, true_r
from analysis.effects.head_effects import ALL_KINDS
from analysis.inference import Inference
from analysis.inference.significance import TIE
from analysis.results.domain import IDENTITY, Domain
from analysis.results.readings import HeadSums, Reading
from analysis.roles.outcomes import IMPORTANCE, Outcome, outcomes
from analysis.roles.permutations import Family, permutation_family, within_layers
from analysis.roles.split import disjoint_samples
from study.record.designs.jackknife import standard_error

Members = Mapping[str, Bool[np.ndarray, " heads"]]
"""Which heads have each role."""

Assign = Callable[[HeadSums], Members]
"""What assigns roles, from the statistics of a sample."""

PAIR = (*IDENTITY, "reading", "reading_id", "special")
"""Columns that say which outcomes and which reading a row is of."""

NO_CONTRAST = "in no layer do some heads have it and others not"

ABOUT = (
    dict.fromkeys(PAIR, pl.String)
    | dict.fromkeys(["outcome", "unit"], pl.String)
    | {"groups_reading": pl.Int64, "groups_outcome": pl.Int64, "halved": pl.Boolean}
)
EFFECT_ROWS = (
    ABOUT
    | {"role": pl.String}
    | dict.fromkeys(["heads", "others", "layers"], pl.Int64)
    | dict.fromkeys(["mean", "others_mean", "difference", "low", "high", "alpha", "p", "p_corrected"], pl.Float64)
    | {"significant": pl.Boolean, "family": pl.Int64, "exact": pl.Boolean, "resamples": pl.Int64, "seed": pl.Int64}
    | {"reason": pl.String}
)
CORRELATION_ROWS = (
    ABOUT
    | dict.fromkeys(["statistic", "kind"], pl.String)
    | {"heads": pl.Int64}
    | dict.fromkeys(["pearson", "pearson_low", "pearson_high", "spearman"], pl.Float64)
    | dict.fromkeys(["true", "true_low", "true_high"], pl.Float64)
    | {"true_reason": pl.String}
    | dict.fromkeys(["within", "within_low", "within_high"], pl.Float64)
    | dict.fromkeys(["within_true", "within_true_low", "within_true_high"], pl.Float64)
    | {"within_true_reason": pl.String}
    | dict.fromkeys(["p", "p_corrected"], pl.Float64)
    | {"significant": pl.Boolean, "family": pl.Int64, "exact": pl.Boolean, "resamples": pl.Int64, "seed": pl.Int64}
    | {"reason": pl.String}
)


@dataclass(frozen=True, eq=False)
class Tables:
    """What one reading says of the outcomes of its model.

    Attributes:
        effects: a row for each role and outcome.
        correlations: a row for each statistic, outcome and kind of attention.
    """

    effects: pl.DataFrame
    correlations: pl.DataFrame


@dataclass(frozen=True)
class Options:
    """How roles are tested.

    Attributes:
        inference: level, resamples, seed and groups.
        neighbours: what the weight on neighbours is divided by.
    """

    inference: Inference
    neighbours: Neighbours


def role_effects(reading: Reading, domain: Domain, assign: Assign, options: Options) -> Tables | None:
    """Roles and statistics of a reading against every outcome of a domain.

    Args:
        reading: where heads were looked at.
        domain: outcomes of the same weights.
        assign: what says which heads have each role, from the statistics of a sample.
        options: how.

    Returns:
        None where too few groups of examples are left of either.
    """
    inference = options.inference
    samples = disjoint_samples(reading, domain, inference.groups, inference.seed)
    if samples is None:
        return None
    names = {**domain.identity, "reading": reading.data, "reading_id": reading.setting.id}
    names |= {"special": str(reading.special), "halved": samples.halved, "groups_reading": samples.sums.groups}
    assigned, ratios = assign(samples.sums), _ratios(samples.sums, reading, options.neighbours)
    effects, correlations = [pl.DataFrame(schema=EFFECT_ROWS)], [pl.DataFrame(schema=CORRELATION_ROWS)]
    for outcome in outcomes(samples.domain, inference.groups):
        if len(outcome.at) < FEWEST:
            continue
        told = names | {"outcome": outcome.name, "unit": outcome.unit, "groups_outcome": len(outcome.without)}
        one = Comparison(reading, outcome, assigned, ratios, options)
        effects.append(_frame(one.role_rows(), told, EFFECT_ROWS))
        correlations.append(_frame(one.statistic_rows(), told, CORRELATION_ROWS))
    return Tables(pl.concat(effects), pl.concat(correlations))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Roles and statistics of one reading against one outcome, on the heads that both have."""

    reading: Reading
    outcome: Outcome
    assigned: Members
    ratios: Mapping[str, Ratios]
    options: Options

    @cached_property
    def layers(self) -> Int[np.ndarray, " heads"]:
        """The attention layer of each head."""
        return layer_numbers(self.reading.layout)[self.outcome.at]

    @cached_property
    def roles(self) -> dict[str, Float[np.ndarray, " heads"]]:
        """1 for the heads with a role, by role; none against importance, which is an estimate and no effect."""
        if self.outcome.name == IMPORTANCE:
            return {}
        return {name: has[self.outcome.at].astype(np.float64) for name, has in self.assigned.items()}

    @cached_property
    def family(self) -> Family:
        """All roles, then all statistics, tested together."""
        statistics = (_filled(ratios.values[self.outcome.at], self.layers) for ratios in self.ratios.values())
        columns = np.array([*self.roles.values(), *statistics]).reshape(-1, len(self.outcome.at))
        inference = self.options.inference
        rng = np.random.default_rng([inference.seed, len(columns)])
        return permutation_family(columns.T, self.outcome.values, self.layers, rng, inference.resamples)

    @property
    def told(self) -> dict[str, Any]:
        """What every row says of the tests."""
        inference, family = self.options.inference, self.family
        made = {"exact": family.exact, "resamples": family.resamples, "seed": inference.seed}
        return {"alpha": inference.alpha, "family": int(np.isfinite(family.p).sum()), **made}

    def role_rows(self) -> Iterator[dict[str, Any]]:
        """A row for each role."""
        for at, (name, has) in enumerate(self.roles.items()):
            centred = within_layers(has, self.layers)
            layers = len(set(self.layers[np.abs(centred) > TIE]))
            row = {**self.told, "role": name, "heads": int(has.sum()), "others": int((1 - has).sum()), "layers": layers}
            row["mean"] = _mean(self.outcome.values, has)
            row["others_mean"] = _mean(self.outcome.values, 1 - has)
            yield row | ({"reason": NO_CONTRAST} if not layers else self._difference(centred) | self._tested(at))

    def _difference(self, centred: Float[np.ndarray, " heads"]) -> dict[str, float | None]:
        """How far the heads of a role lie from the others of their layers, with its interval over groups."""
        weights = centred / np.square(centred).sum()
        difference, without = float(self.outcome.values @ weights), self.outcome.without @ weights
        groups = len(without)
        if groups < 2:
            return {"difference": difference}
        error = float(standard_error(without[:, None])[0])
        half = float(stats.t.ppf(1 - self.options.inference.alpha / 2, groups - 1)) * error
        return {"difference": difference, "low": difference - half, "high": difference + half}

    def _tested(self, at: int) -> dict[str, Any]:
        p, corrected = float(self.family.p[at]), float(self.family.p_corrected[at])
        if np.isnan(p):
            return {}
        return {"p": p, "p_corrected": corrected, "significant": corrected <= self.options.inference.alpha}

    def statistic_rows(self) -> Iterator[dict[str, Any]]:
        """A row for each statistic, of all heads and of each kind of attention."""
        heads = [self.reading.layout.heads[at] for at in self.outcome.at]
        for number, (name, ratios) in enumerate(self.ratios.items(), len(self.roles)):
            for kind, kept in by_kind(heads):
                row = {**self.told, "statistic": name, "kind": kind, **self._correlations(ratios, kept)}
                yield row | (self._tested(number) if kind == ALL_KINDS else {})

    def _correlations(self, ratios: Ratios, kept: Bool[np.ndarray, " heads"]) -> dict[str, Any]:
        """R of a statistic and the outcome, as measured and true, over heads and within their layers."""
        kept = kept & np.isfinite(ratios.values[self.outcome.at])
        statistic = NoisyEffects(
            f"the {ratios.statistic.label}",
            ratios.values[self.outcome.at][kept],
            np.nan_to_num(ratios.without[:, self.outcome.at][:, kept]),
        )
        own = self.outcome.noisy()
        own = NoisyEffects(own.domain, own.effects[kept], own.without[:, kept])
        row: dict[str, Any] = {"heads": int(kept.sum())}
        if kept.sum() < FEWEST or not _vary(statistic, own):
            return row | {"reason": "fewer than three heads, or all of one value"}
        row["spearman"] = _number(spearman(statistic.effects, own.effects))
        row |= self._r(statistic, own, "pearson", "true")
        layers = self.layers[kept]
        statistic, own = _within(statistic, layers), _within(own, layers)
        return row | (self._r(statistic, own, "within", "within_true") if _vary(statistic, own) else {})

    def _r(self, a: NoisyEffects, b: NoisyEffects, measured: str, true: str) -> dict[str, Any]:
        level = 1 - self.options.inference.alpha
        few = min(len(a.without), len(b.without)) < 2
        found = Estimate(_number(pearson(a.effects, b.effects))) if few else measured_r(a, b, level)
        real = Estimate(reason="one group of examples") if few else true_r(a, b, level)
        named = {"": "value", "_low": "low", "_high": "high"}
        row = {f"{measured}{ending}": getattr(found, name) for ending, name in named.items()}
        row |= {f"{true}{ending}": getattr(real, name) for ending, name in named.items()}
        reason = None if real.reason is None else real.reason.replace("the effects on ", "")
        return row | {f"{true}_reason": reason}


def _ratios(sums: HeadSums, reading: Reading, neighbours: Neighbours) -> dict[str, Ratios]:
    """The statistics that some head has and that differ between heads, by name."""
    found = ((each.name, Ratios.of(each, sums, reading.layout)) for each in head_statistics(neighbours))
    return {name: ratios for name, ratios in found if ratios is not None and _differs(ratios.values)}


def _differs(values: Float[np.ndarray, " heads"]) -> bool:
    known = values[np.isfinite(values)]
    return known.size >= FEWEST and bool(np.ptp(known) > TIE)


def _vary(*both: NoisyEffects) -> bool:
    return all(np.ptp(one.effects) > TIE for one in both)


def _within(one: NoisyEffects, layers: Int[np.ndarray, " heads"]) -> NoisyEffects:
    """Numbers of heads less the means of their layers."""
    return NoisyEffects(one.domain, within_layers(one.effects, layers), within_layers(one.without, layers))


def _filled(values: Float[np.ndarray, " heads"], layers: Int[np.ndarray, " heads"]) -> Float[np.ndarray, " heads"]:
    """Values with the mean of their layer where there are none, so that these heads say nothing."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    for layer in np.unique(layers):
        here = layers == layer
        filled[here & ~known] = filled[here & known].mean() if (here & known).any() else 0.0
    return filled


def _mean(values: Float[np.ndarray, " heads"], weights: Float[np.ndarray, " heads"]) -> float | None:
    return float(values @ weights / weights.sum()) if weights.sum() else None


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _frame(rows: Iterator[dict[str, Any]], told: Mapping[str, Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    known = [{name: value for name, value in {**told, **row}.items() if name in schema} for row in rows]
    return pl.DataFrame(known, schema=schema)
