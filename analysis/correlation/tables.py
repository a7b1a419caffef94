"""Everything about the correlation of head effects between domains, as tidy tables.

A table about pairs begins with subject, subject_id, metric, domain_a, domain_b, setting_a, setting_b. Two settings of
one data set are two domains; a subject with more than two domains has a row for every two, which read as a matrix.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis.correlation import head_influence
from analysis.correlation.coefficients import pearson, spearman
from analysis.correlation.domain_effects import DOMAIN, DomainEffects
from analysis.correlation.noise_ceiling import reliability
from analysis.correlation.null_distributions import Null, NullName, permutation_null, sign_flip_null, within
from analysis.correlation.options import CorrelationOptions
from analysis.correlation.pair_numbers import NUMBERS, REST, DomainResamples, PairResamples
from analysis.correlation.pairs import FEWEST, by_kind, pairs_of
from analysis.correlation.true_correlation import FEWEST_GROUPS, NoisyEffects, noise
from analysis.effects.head_effects import ALL_KINDS
from analysis.inference.significance import TIE
from study.record.errors import listed
from study.record.units import ADDRESS, UnitLevel, layer_of
from study.terminal.progress import progress

log = logging.getLogger(__name__)

PAIR = dict.fromkeys(["subject", "subject_id", "metric", "domain_a", "domain_b", "setting_a", "setting_b"], pl.String)

CORRELATION = (
    PAIR
    | {"kind": pl.String}
    | NUMBERS
    | dict.fromkeys(["heads_low", "heads_high", "spearman_low", "spearman_high", "level"], pl.Float64)
    | {"groups_a": pl.Int64, "groups_b": pl.Int64, "shared": pl.Int64}
)
BY_LAYER = PAIR | {"kind": pl.String, "layer": pl.Int64} | NUMBERS
WITHOUT_LARGEST = PAIR | {"left_out": pl.Int64, "last": pl.String} | REST
OVERLAP = PAIR | {"heads": pl.Int64, "k": pl.Int64, "shared": pl.Float64, "expected": pl.Float64, "p": pl.Float64}
INFLUENCE = (
    PAIR
    | ADDRESS
    | dict.fromkeys(["effect_a", "effect_b", "contribution", "pearson_without"], pl.Float64)
    | {"rank": pl.Int64}
)
NULL = (
    PAIR
    | {"null": pl.String, "heads": pl.Int64}
    | dict.fromkeys(["pearson", "within", "mean", "high", "p"], pl.Float64)
    | {"resamples": pl.Int64, "reason": pl.String}
)
RELIABILITY = (
    dict.fromkeys(DOMAIN, pl.String)
    | dict.fromkeys(["left_out", "heads", "groups", "splits", "parts"], pl.Int64)
    | dict.fromkeys(["between", "between_low", "between_high", "whole", "by_moments"], pl.Float64)
    | {"reason": pl.String}
)

CORRELATION_NAME = "correlation"

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Correlations:
    """The tables. What cannot be said is null, with the reason in a column beside it.

    They are of heads, or of the units of another level (`level`), whose columns have the same names: `heads` counts
    these units, and `head` is the number of a group.

    Columns of `NUMBERS`, of the heads that a row is about: heads (measured on both); pearson, spearman, kendall
    (tau-b), and reason, why there are none; pearson_low, pearson_high (jackknife over groups of examples;
    interval_reason); true, true_low, true_high: r of the true effects (true_reason); reliability_a, reliability_b: of
    the whole test sets, from halves; ceiling (ceiling_reason); share: pearson as a share of it, where the true r is
    estimable.

    Attributes:
        correlation: one row a pair, for all heads (`kind` is "all") and by attention kind where there are several.
            After `NUMBERS`: heads_low, heads_high: interval of pearson over heads, another question; spearman_low,
            spearman_high: that of spearman, where there are no outcomes; level: of every interval; numbers of groups
            of examples: groups_a, groups_b; shared: examples of the smaller domain whose first text the other has.
        by_layer: one row a pair and layer: kind, layer (from 0), `NUMBERS`.
        without_largest: one row a pair and number of heads of largest effect left out, from 0: left_out, last (address
            of the last one left out), heads; pearson with its interval (pearson_low, pearson_high), spearman, kendall
            and reason of what these same effects leave, which makes it look less alike than new examples would; true
            (no interval), reliability_a, reliability_b, ceiling and ceiling_reason of what is left when a third of the
            examples says which are the largest.
        overlap: one row a pair and k: heads, k, shared (of the k whose removal costs most), expected and p by chance.
        influence: one row a pair and head: kind, layer, head (from 0), effect_a, effect_b, contribution (adds up to
            pearson), pearson_without, rank (1 is the first that `without_largest` leaves out).
        null: one row a pair and null (`NullName`): heads, pearson, within (r of effects less the means of their
            strata), mean and high (what `level` of the resamples stay below) of r under the null, p (one-sided),
            resamples, reason.
        reliability: one row a domain and number of its heads of largest effect left out: left_out, heads, groups,
            splits, parts (2; 3 where the first says which are the largest), between (mean r between two parts),
            between_low, between_high (middle 95 % of splits), whole (Spearman-Brown), by_moments (1 - noise / variance:
            the same without splits; of all heads only), reason.
        level: what the units are.
    """

    correlation: pl.DataFrame
    by_layer: pl.DataFrame
    without_largest: pl.DataFrame
    overlap: pl.DataFrame
    influence: pl.DataFrame
    null: pl.DataFrame
    reliability: pl.DataFrame
    level: UnitLevel = UnitLevel.head

    def select(self, subject_id: str) -> "Correlations":
        """The rows of one subject."""
        return Correlations(**{name: own.filter(subject_id=subject_id) for name, own in self._named}, level=self.level)

    @property
    def overall(self) -> pl.DataFrame:
        """The rows of `correlation` that are about all heads."""
        return self.correlation.filter(pl.col("kind") == ALL_KINDS)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """All of them under the names of their files: `correlation`, `correlation_by_layer` ...

        Of other units than heads: `correlation_of_groups`, `correlation_of_groups_by_layer` ..., with columns named
        after what they are of.
        """
        first = CORRELATION_NAME if self.level is UnitLevel.head else f"{CORRELATION_NAME}_of_{self.level.plural}"
        prefixed = {f"{first}_{name}": columns_of(own, self.level) for name, own in self._named}
        return {first: prefixed.pop(f"{first}_{CORRELATION_NAME}"), **prefixed}

    @property
    def _named(self) -> Iterator[tuple[str, pl.DataFrame]]:
        return ((name, getattr(self, name)) for name in (*PAIR_TABLES, "reliability"))


def columns_of(table: pl.DataFrame, level: UnitLevel) -> pl.DataFrame:
    """A table as it is written: of other units than heads its columns do not speak of heads, but say what they are."""
    if level is UnitLevel.head:
        return table
    names = {"heads": "units", "heads_low": "units_low", "heads_high": "units_high", "head": "index"}
    renamed = table.rename({name: new for name, new in names.items() if name in table.columns})
    return renamed.with_columns(unit_level=pl.lit(str(level)))


def correlate(domains: Sequence[DomainEffects], options: CorrelationOptions | None = None) -> Correlations:
    """Correlations between every two domains of each subject; domains without the effect of any head are left out.

    All domains have the effects of units of one level.
    """
    options = options or CorrelationOptions()
    domains = [domain for domain in domains if domain.heads]
    level = domains[0].level if domains else UnitLevel.head
    resampled = {id(domain): DomainResamples(domain, options) for domain in domains}
    pairs = pairs_of(domains)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in PAIR_TABLES}
    with progress("correlations", len(pairs), "pairs") as advance:
        for pair in pairs:
            _name_unmatched(pair.a, pair.b)
            _name_unmatched(pair.b, pair.a)
            both = PairResamples.of(pair, resampled[id(pair.a)], resampled[id(pair.b)])
            for name, (_, of) in PAIR_TABLES.items():
                rows[name] += [pair.names | row for row in of(both)]
            advance(1)
    tables = {name: pl.DataFrame(rows[name], schema=schema) for name, (schema, _) in PAIR_TABLES.items()}
    own = [row for domain in domains for row in _reliability(resampled[id(domain)])]
    return Correlations(**tables, reliability=pl.DataFrame(own, schema=RELIABILITY), level=level)


def _name_unmatched(a: DomainEffects, b: DomainEffects) -> None:
    other = set(b.heads)
    alone = [str(head) for head in a.heads if head not in other]
    if alone:
        log.warning("%s measured on %s and not on %s: %s", a.level.plural, a.domain, b.domain, listed(alone))


def _correlation(both: PairResamples) -> Rows:
    pair, options = both.pair, both.options
    for kind, kept in by_kind(pair.heads, (*pair.a.heads, *pair.b.heads)):
        row = {"kind": kind, **both.numbers(kept), "level": options.level, "shared": pair.shared}
        if row["reason"] is None:
            a, b = (effects[kept] for effects in pair.effects)
            of = {"heads": pearson} | ({} if pair.has_outcomes else {"spearman": spearman})
            for name, coefficient in of.items():
                generator = options.generator("over heads", kind, *pair.names.values())
                ends = head_influence.over_heads(a, b, generator, options.level, options.resamples, coefficient)
                row |= dict(zip((f"{name}_low", f"{name}_high"), ends or (None, None), strict=True))
        samples = (("groups_a", pair.a.sample), ("groups_b", pair.b.sample))
        yield row | {name: None if sample is None else sample.groups for name, sample in samples}


def _by_layer(both: PairResamples) -> Rows:
    if both.pair.level in (UnitLevel.layer, UnitLevel.mlp):
        return  # there is one a layer
    layers = [layer_of(head) for head in both.pair.heads]
    for layer in dict.fromkeys(layers):
        kept, first = np.array([own == layer for own in layers]), both.pair.heads[layers.index(layer)].row
        yield {"kind": first["kind"], "layer": first["layer"], **both.numbers(kept)}


def _without_largest(both: PairResamples) -> Rows:
    if both.pair.no_correlation(both.every_head):
        return
    order = head_influence.by_size(*both.pair.effects)
    for k in range(min(both.options.largest, order.size - FEWEST) + 1):
        yield {"left_out": k, "last": str(both.pair.heads[order[k - 1]]) if k else None, **both.without_largest(k)}


def _overlap(both: PairResamples) -> Rows:
    count = len(both.pair.heads)
    sides = zip((both.pair.a, both.pair.b), both.pair.effects, strict=True)
    a, b = (-effects if side.importance else effects for side, effects in sides)
    for k in (k for k in both.options.leading if k < count):
        found = head_influence.overlap(a, b, k)
        yield {"heads": count, **asdict(found)}


def _influence(both: PairResamples) -> Rows:
    if both.pair.no_correlation(both.every_head):
        return
    a, b = both.pair.effects
    rank = np.empty(a.size, dtype=np.int64)
    rank[head_influence.by_size(a, b)] = np.arange(1, a.size + 1)
    columns = zip(
        both.pair.heads, a, b, head_influence.contributions(a, b), head_influence.without_each(a, b), rank, strict=True
    )
    for head, effect_a, effect_b, contribution, without, place in columns:
        yield {
            **head.row,
            "effect_a": float(effect_a),
            "effect_b": float(effect_b),
            "contribution": float(contribution),
            "pearson_without": None if np.isnan(without) else float(without),
            "rank": int(place),
        }


def null_rows(both: PairResamples) -> Rows:
    """R of a pair under every null: the columns of `NULL` but those that name the pair."""
    pair, options = both.pair, both.options
    reason = pair.no_correlation(both.every_head)
    strata: Mapping[NullName, Callable[[Any], object]] = {
        NullName.HEADS: lambda _: 0,
        NullName.HEADS_WITHIN_KINDS: lambda head: head.row["kind"],
        NullName.HEADS_WITHIN_LAYERS: layer_of,
    }
    a, b = pair.effects
    r = None if reason else float(pearson(a, b))
    row = {"null": str(NullName.SIGN_FLIPS), "heads": a.size, "pearson": r, "within": r}
    missing = reason or both.no_noise()
    flips = (
        None
        if missing
        else sign_flip_null(a, b, both.a.flipped[:, pair.at_a], both.b.flipped[:, pair.at_b], options.level)
    )
    yield row | _null_cells(flips, missing or "no resample has a correlation")
    for name, stratum in strata.items():
        own = [stratum(head) for head in pair.heads]
        generator = options.generator(str(name), *pair.names.values())
        found = None if reason else permutation_null(a, b, own, generator, options.resamples, options.level)
        inner = np.nan if reason else float(pearson(within(a, own), within(b, own)))
        row |= {"null": str(name), "within": None if np.isnan(inner) else inner}
        yield row | _null_cells(found, reason or f"every stratum has one {pair.level.noun}: none can change places")


def _null_cells(found: Null | None, reason: str) -> dict[str, Any]:
    return {"reason": reason} if found is None else asdict(found) | {"reason": None}


def _reliability(own: DomainResamples) -> Rows:
    sample, effects = own.domain.sample, own.domain.effects
    if sample is None:
        return
    for k in range(min(own.options.largest, effects.size - FEWEST) + 1):
        if k == 0 or own.thirds is None:
            found = reliability(own.halves)
        else:
            found = reliability(own.thirds, head_influence.by_size(own.thirds[:, 0])[:, k:])
        yield {
            **own.domain.names,
            "left_out": k,
            "heads": effects.size - k,
            "groups": sample.groups,
            "splits": own.options.splits,
            "parts": 3 if k else 2,
            "between": found.between,
            "between_low": found.low,
            "between_high": found.high,
            "whole": found.whole,
            "by_moments": None if k else _by_moments(own.domain),
            "reason": found.reason,
        }


def _by_moments(domain: DomainEffects) -> float | None:
    if len(domain.without) < FEWEST_GROUPS or np.ptp(domain.effects) < TIE:
        return None
    return 1 - noise(NoisyEffects(domain.domain, domain.effects, domain.without)) / float(domain.effects.var(ddof=1))


PAIR_TABLES: Mapping[str, tuple[Mapping[str, Any], Callable[[PairResamples], Rows]]] = {
    "correlation": (CORRELATION, _correlation),
    "by_layer": (BY_LAYER, _by_layer),
    "without_largest": (WITHOUT_LARGEST, _without_largest),
    "overlap": (OVERLAP, _overlap),
    "influence": (INFLUENCE, _influence),
    "null": (NULL, null_rows),
}
"""Each table of pairs: its columns, and what makes its rows."""
