"""Influence of single groups of examples: on the noise of a domain, on the effect of a head, on r between two domains.

One translation that repeats itself for two hundred words may make most of the noise of all heads. A group *decides*
where it makes more than half of a sampling variance: more than all others together, so that the number is that group's
and not the domain's. These are influences of leaving one out (Belsley, Kuh and Welsch 1980), read off the jackknife
over groups, whose squares are the variance. Of normal contributions one of 20 groups makes more than half of the
squares by chance in 7 of 1,000 cases, one of 10 in 150: where groups are fewer than 20, none is said to decide.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from analysis.correlation import DomainEffects
from analysis.correlation.coefficients import pearson
from analysis.correlation.domain_effects import DOMAIN
from analysis.correlation.jackknife import Stratum, error_shares, fisher_z
from analysis.correlation.pairs import Pair, pairs_of
from analysis.correlation.tables import PAIR
from analysis.correlation.true_correlation import FEWEST_GROUPS, NoisyEffects, noise_shares, r_without_each
from analysis.effects.head_effects import Measure
from analysis.formatting import decimal, shortened, signed
from analysis.results.domain import Domain
from analysis.results.sample import NOUNS
from study.record.examples import text_columns
from study.record.metrics import METRICS
from study.record.units import ADDRESS

DECIDES = 0.5
"""Share of a sampling variance, or of an effect, beyond which a group decides."""

FEWEST = 20
"""Groups below which one makes more than half of a variance by chance too often to be named."""

LISTED = 20
"""Groups of a domain or pair that the tables have, the most influential first."""

NAMED = 3
"""Heads that a sentence names; the rest is counted."""

LONGEST = 200
"""Letters of a text that the tables have."""

GROUP = {"group": pl.String, "unit": pl.String, "groups": pl.Int64, "examples": pl.Int64, "text": pl.String}
NOISE = dict.fromkeys(DOMAIN, pl.String) | GROUP | {"share": pl.Float64, "decides": pl.Boolean}
EFFECTS = (
    dict.fromkeys(DOMAIN, pl.String)
    | ADDRESS
    | {"effect": pl.Float64}
    | GROUP
    | {"effect_without": pl.Float64, "share": pl.Float64, "decides": pl.Boolean}
)
CORRELATION = (
    PAIR
    | {"domain": pl.String, "setting_id": pl.String}
    | GROUP
    | dict.fromkeys(["noise_share", "share", "pearson", "pearson_without"], pl.Float64)
    | {"decides": pl.Boolean}
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Influence:
    """The tables.

    A group has its name (the premise, or the id of the example), what it is (`unit`), of how many `groups`, how many
    `examples`, and the first `text` of the first of them.

    Attributes:
        noise: one row a domain and group, the first 20: share of the sampling variance of all heads (centred over
            heads, as in the true r), and whether it decides.
        effects: one row a domain and head, and the group whose omission changes its effect most: effect, and
            effect_without that group (in the metric's unit); share of the effect that goes with it; decides: more than
            half of a significant effect, or of the domain's largest.
        correlation: one row a pair and group of either domain (`domain`, `setting_id`), the first 20: noise_share as in
            `noise`; share of the sampling variance of r (of Fisher's z, over both domains); pearson, and
            pearson_without that group; decides: one of both shares is more than half.
    """

    noise: pl.DataFrame
    effects: pl.DataFrame
    correlation: pl.DataFrame

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """All of them under the names of their files."""
        return {f"influence_on_{name}": getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, eq=False)
class DomainGroups:
    """The groups of examples of a domain.

    Attributes:
        own: the effects of its heads, which have outcomes.
        columns: what the tables say of each group, in the order of the sample.
        shares: the part of each in the noise of all heads; none of a single head, which has no noise beside others.
    """

    own: DomainEffects
    columns: tuple[Row, ...]
    shares: Float[np.ndarray, " groups"]

    @classmethod
    def of(cls, domain: Domain, own: DomainEffects, groups: str) -> "DomainGroups":
        """The groups of a domain with the effects of its heads, grouped as in `Domain.sample`."""
        assert own.sample is not None
        column = domain.group_column(groups)
        texts = domain.examples.select(
            pl.col(column).cast(pl.String).alias("group"),
            _first_text(domain.examples.columns).alias("text"),
        )
        first = dict(texts.unique("group", keep="first", maintain_order=True).iter_rows())
        same = {"unit": own.sample.unit, "groups": own.sample.groups}
        columns = tuple(
            {"group": name, **same, "examples": int(size) // own.sample.draws, "text": shortened(first[name], LONGEST)}
            for name, size in zip(own.sample.names, own.sample.sizes, strict=True)
        )
        if len(own.heads) < 2:
            return cls(own, columns, np.zeros(own.sample.groups))
        return cls(own, columns, noise_shares(NoisyEffects(own.domain, own.effects, own.without)))

    @property
    def many(self) -> bool:
        """Whether there are so many that one of them does not decide by chance."""
        return len(self.columns) >= FEWEST


def influence(domains: Sequence[tuple[Domain, DomainEffects]], effects: pl.DataFrame, groups: str) -> Influence:
    """The influence of the groups of every domain.

    Args:
        domains: with the effects of their heads.
        effects: the tidy table of them, which says what is significant.
        groups: how examples are grouped, as in `Domain.sample`.
    """
    found = {
        own.names["setting_id"]: DomainGroups.of(domain, own, groups)
        for domain, own in domains
        if own.heads and own.sample is not None and own.sample.groups >= FEWEST_GROUPS
    }
    pairs = pairs_of([own.own for own in found.values()])
    single = effects.filter(measure=Measure.ABLATION).filter("significant")
    significant = set(single.select("setting_id", *ADDRESS).iter_rows())
    return Influence(
        pl.DataFrame([row for own in found.values() for row in _noise(own)], schema=NOISE),
        pl.DataFrame([row for own in found.values() for row in _effects(own, significant)], schema=EFFECTS),
        pl.DataFrame([row for pair in pairs for row in _correlation(pair, found)], schema=CORRELATION),
    )


def deciding(found: Influence, labels: Mapping[str, str], named: Callable[[Row], str], letters: int) -> list[str]:
    """What single groups decide of these domains, a sentence each; none where none does.

    Args:
        found: the tables.
        labels: names of the domains, by setting id.
        named: the name of a head, from a row with its address.
        letters: how many letters of a text are shown.
    """
    mine, decides = pl.col("setting_id").is_in(list(labels)), pl.col("decides")
    pairs = found.correlation.filter(mine, decides).rows(named=True)
    told = {(row["setting_id"], row["group"]) for row in pairs}
    alone = found.noise.filter(mine, decides).rows(named=True)
    lines = [_said_of_r(row, labels, letters) for row in pairs]
    lines += [
        f"{labels[row['setting_id']]}: {_one(row)} makes {row['share']:.0%} of the sampling noise of all heads: "
        f"{_quoted(row, letters)}."
        for row in alone
        if (row["setting_id"], row["group"]) not in told
    ]
    heads: dict[tuple[str, str], list[Row]] = {}
    for row in found.effects.filter(mine, decides).rows(named=True):
        heads.setdefault((row["setting_id"], row["group"]), []).append(row)
    return lines + [_said_of_heads(own, labels, named, letters) for own in heads.values()]


def _said_of_r(row: Row, labels: Mapping[str, str], letters: int) -> str:
    both = " and ".join(labels[row[f"setting_{side}"]] for side in "ab")
    shares = [
        f"{row['noise_share']:.0%} of the sampling noise of all heads",
        f"{row['share']:.0%} of the variance of r",
    ]
    made = " and ".join(shares if row["noise_share"] > 0 else shares[1:])
    return (
        f"{labels[row['setting_id']]}: {_one(row)} makes {made}; without it r between {both} is "
        f"{decimal(row['pearson_without'])} instead of {decimal(row['pearson'])}: {_quoted(row, letters)}."
    )


def _said_of_heads(rows: Sequence[Row], labels: Mapping[str, str], named: Callable[[Row], str], letters: int) -> str:
    """The sentence about heads that have more than half of their effect from one group."""
    first = rows[0]
    digits = METRICS[first["metric"]].digits
    parts = [
        f"{named(row)} ({signed(row['effect'], digits)}, without it {signed(row['effect_without'], digits)})"
        for row in rows[:NAMED]
    ]
    parts += [f"{len(rows) - NAMED} more heads"] if len(rows) > NAMED else []
    return (
        f"{labels[first['setting_id']]}: on {_one(first)} rests more than half of the effect of {', '.join(parts)}: "
        f"{_quoted(first, letters)}."
    )


def _one(row: Row) -> str:
    unit = row["unit"] if row["unit"] in NOUNS else f"group by {row['unit']}"
    more = f" ({row['examples']} examples)" if row["examples"] > 1 else ""
    return f"one {unit} of {row['groups']:,}{more}"


def _quoted(row: Row, letters: int) -> str:
    text = shortened(row["text"], letters)
    return row["group"] if text in (None, row["group"]) else f"{row['group']}, “{text}”"


def _noise(groups: DomainGroups) -> Iterator[Row]:
    for at in _first(groups.shares):
        share = float(groups.shares[at])
        said = {"share": share, "decides": groups.many and share > DECIDES}
        yield {**groups.own.names, **groups.columns[at], **said}


def _effects(groups: DomainGroups, significant: Collection[tuple[Any, ...]]) -> Iterator[Row]:
    own, largest = groups.own, int(np.abs(groups.own.effects).argmax())
    change = own.effects - own.without
    for head, at in enumerate(np.abs(change).argmax(axis=0)):
        effect, without = float(own.effects[head]), float(own.without[at, head])
        address = own.heads[head].row
        share = float(change[at, head]) / effect if effect else 0.0
        quoted = head == largest or (own.names["setting_id"], *address.values()) in significant
        said = {"effect_without": without, "share": share, "decides": groups.many and quoted and share > DECIDES}
        yield {**own.names, **address, "effect": effect, **groups.columns[at], **said}


def _correlation(pair: Pair, found: Mapping[str, DomainGroups]) -> Iterator[Row]:
    every = np.ones(len(pair.heads), dtype=bool)
    a_group_is_on_one_side = not pair.shared_groups.count
    if pair.no_correlation(every) or not a_group_is_on_one_side:
        return
    sides = [found[side.names["setting_id"]] for side in (pair.a, pair.b)]
    without = [stratum.values for stratum in r_without_each(*pair.noisy(every))[:2]]
    z = [Stratum(np.asarray(fisher_z(values))) for values in without]
    shares = error_shares(float(fisher_z(float(pearson(*pair.effects)))), *z)
    if not np.isfinite(np.concatenate(shares)).all():
        return
    whole, listed = float(pearson(*pair.effects)), _first(np.concatenate(shares))
    for place in listed:
        side, at = (0, place) if place < len(shares[0]) else (1, place - len(shares[0]))
        groups, share = sides[side], float(shares[side][at])
        noise = float(groups.shares[at])
        yield {
            **pair.names,
            **{name: groups.own.names[name] for name in ("domain", "setting_id")},
            **groups.columns[at],
            "noise_share": noise,
            "share": share,
            "pearson": whole,
            "pearson_without": float(without[side][at]),
            "decides": groups.many and max(noise, share) > DECIDES,
        }


def _first(shares: Float[np.ndarray, " groups"]) -> list[int]:
    """Places of the largest shares above 0, the largest first, as many as the tables have; of ties the first.

    Rounded, as processors differ in the last bit, and would list ties in another order.
    """
    rounded = np.round(shares, 12)
    return [int(at) for at in np.argsort(-rounded, kind="stable")[:LISTED] if rounded[at] > 0]


def _first_text(columns: Iterable[str]) -> pl.Expr:
    """The first text of an example that is not empty, as the context of a minimal pair is."""
    texts = [pl.when(pl.col(name) != "").then(pl.col(name)) for name in text_columns(columns)]
    return pl.coalesce(texts) if texts else pl.lit(None)
