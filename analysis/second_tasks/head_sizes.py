"""Are the heads that a later task was taught to those that matter for it? Sizes of their effects, by permutation.

The size of a head's effect is what its removal changes of the score, whichever way; noise makes every size a little
larger, of taught heads and of others alike. Under the null hypothesis any heads of a layer, as many as were taught
there, are as likely to have been: what layers are worth is held. Heads that are off for the task are left out.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb, prod
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from analysis.effects.head_effects import Measure
from analysis.results.domain import Domain
from analysis.second_tasks.later_trainings import LaterTraining
from study.record.units import ADDRESS, Head

DRAWS = 10_000
"""Arrangements up to which all are tried; of more so many are drawn."""

TIE = 1e-9
"""Sums of sizes that differ by less are equal."""

GROUP = dict.fromkeys(["task", "family", "data", "method", "metric", "unit"], pl.String) | {
    "updates": pl.Int64,
    "freed": pl.Int64,
}

HEADS = (
    GROUP
    | {"seeds": pl.Int64, **ADDRESS}
    | {"taught": pl.Boolean, "effect": pl.Float64, "size": pl.Float64, "rank": pl.Int64}
)

TESTS = (
    GROUP
    | dict.fromkeys(["seeds", "taught", "others"], pl.Int64)
    | dict.fromkeys(["taught_size", "others_size", "difference", "by_chance", "p"], pl.Float64)
    | {"arrangements": pl.Int64, "exact": pl.Boolean, "top": pl.Int64, "top_taught": pl.Int64}
)


def head_tables(
    trainings: Sequence[LaterTraining], effects: pl.DataFrame, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Effects of single heads on later tasks, and whether those that were taught matter more.

    Args:
        trainings: trainings of later tasks.
        effects: the tidy table of effects (`analysis.effects`).
        seed: seed of random arrangements.

    Returns:
        For each head that is on: columns task, family, data, method, metric, unit, updates, freed; seeds that were
        averaged; its address; taught: whether the task was taught to it; effect, size: means over seeds of the effect
        of its removal and of its absolute value; rank by size, from 1. For each of these groups: taught, others:
        numbers of heads; taught_size, others_size: mean sizes, difference, by_chance: what it would be on average if
        any heads of each layer had been taught; p: two-sided, null where no layer has heads of both; arrangements,
        exact: how many there were to choose from or were drawn; top, top_taught: as many heads of largest size as were
        taught, and how many of these were taught.
    """
    heads, tests = [], []
    for about, own in _groups(trainings, effects):
        heads += [about | row for row in own.rows(named=True)]
        tests.append(about | {"seeds": own["seeds"][0]} | _test(own, [seed, zlib.crc32(str(about).encode())]))
    return pl.DataFrame(heads, schema=HEADS), pl.DataFrame(tests, schema=TESTS)


def _groups(trainings: Sequence[LaterTraining], effects: pl.DataFrame) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    """Trainings whose single heads were removed, those together that differ by seed alone: what they are, the heads."""
    if effects.is_empty():
        return
    single = effects.filter(measure=Measure.ABLATION)
    known = set(single["setting_id"])
    found: dict[tuple[Any, ...], list[LaterTraining]] = {}
    for one in trainings:
        if one.outcomes.domain.setting_id in known and one.record.taught:
            domain, record = one.outcomes.domain, one.record
            key = (_family(domain), domain.data, record.name, str(one.method), record.updates, record.on, record.taught)
            found.setdefault(key, []).append(one)
    for members in found.values():
        domain = members[0].outcomes.domain
        about = {
            "task": members[0].record.name,
            "family": _family(domain),
            "data": domain.data,
            "method": str(members[0].method),
            "metric": domain.metric.name,
            "unit": domain.metric.unit,
            "updates": members[0].record.updates,
            "freed": members[0].freed,
        }
        yield about, _sizes(members, single)


def _family(domain: Domain) -> str:
    return domain.factors[0].family if domain.factors else domain.model


def _sizes(members: Sequence[LaterTraining], single: pl.DataFrame) -> pl.DataFrame:
    """The heads of some trainings that are on, with mean effects, sizes and ranks."""
    ids = list(dict.fromkeys(one.outcomes.domain.setting_id for one in members))
    record, layout = members[0].record, members[0].outcomes.domain.layout
    on = [str(head) for head, bit in zip(layout.heads, record.on, strict=False) if bit == "1"]
    rows = single.filter(pl.col("setting_id").is_in(ids))
    addresses = [str(Head.from_row(row)) for row in rows.select(*ADDRESS).rows(named=True)]
    rows = rows.with_columns(address=pl.Series(addresses, dtype=pl.String)).filter(pl.col("address").is_in(on))
    means = rows.group_by(*ADDRESS, "address", maintain_order=True).agg(
        seeds=pl.len().cast(pl.Int64), effect=pl.col("effect").mean(), size=pl.col("effect").abs().mean()
    )
    rank = pl.col("size").rank("ordinal", descending=True).cast(pl.Int64)
    return means.with_columns(taught=pl.col("address").is_in(list(record.taught)), rank=rank).drop("address")


def _test(heads: pl.DataFrame, seed: Sequence[int]) -> dict[str, Any]:
    taught, sizes = heads["taught"].to_numpy(), heads["size"].to_numpy()
    layers = heads.select(pl.concat_str("kind", "layer", separator=".").alias("layer"))["layer"].to_numpy()
    top = heads.filter(pl.col("rank") <= int(taught.sum()))
    return {
        "taught": int(taught.sum()),
        "others": int((~taught).sum()),
        **permuted(sizes, taught, layers, np.random.default_rng(list(seed))),
        "top": top.height,
        "top_taught": int(top["taught"].sum()),
    }


def permuted(
    sizes: Float[np.ndarray, " heads"], taught: Bool[np.ndarray, " heads"], layers: np.ndarray, rng: np.random.Generator
) -> dict[str, Any]:
    """The difference of mean sizes, taught less others, held against other choices of as many heads in each layer.

    Args:
        sizes: size of each head's effect.
        taught: whether the task was taught to it.
        layers: its layer, any values that tell layers apart.
        rng: draws arrangements where there are more than `DRAWS`.
    """
    count, rest = int(taught.sum()), int((~taught).sum())
    if not count or not rest:
        nothing = dict.fromkeys(["taught_size", "others_size", "difference", "by_chance", "p"])
        return {**nothing, "arrangements": 1, "exact": True}
    strata = [(sizes[layers == layer], int(taught[layers == layer].sum())) for layer in np.unique(layers)]
    arrangements = prod(comb(len(own), chosen) for own, chosen in strata)
    exact = arrangements <= DRAWS
    sums = _every_sum(strata) if exact else _drawn_sums(strata, rng)
    observed, whole = float(sizes[taught].sum()), float(sizes.sum())
    beyond = [(sums >= observed - TIE).sum(), (sums <= observed + TIE).sum()]
    tails = [number / len(sums) if exact else (1 + number) / (1 + len(sums)) for number in beyond]
    expected = sum(chosen * float(own.mean()) for own, chosen in strata)
    return {
        "taught_size": observed / count,
        "others_size": (whole - observed) / rest,
        "difference": observed / count - (whole - observed) / rest,
        "by_chance": expected / count - (whole - expected) / rest,
        "p": min(1.0, 2 * float(min(tails))) if arrangements > 1 else None,
        "arrangements": arrangements if exact else DRAWS,
        "exact": exact,
    }


Strata = Sequence[tuple[np.ndarray, int]]
"""The sizes of the heads of each layer, and how many of these heads were taught."""


def _every_sum(strata: Strata) -> Float[np.ndarray, " arrangements"]:
    """The sum of the chosen sizes under every choice of as many heads in each layer."""
    found = np.zeros(1)
    for own, chosen in strata:
        some = np.array([sum(each) for each in combinations(own, chosen)], dtype=np.float64)
        found = (found[:, None] + some[None]).ravel()
    return found


def _drawn_sums(strata: Strata, rng: np.random.Generator) -> Float[np.ndarray, " draws"]:
    """The sum of the chosen sizes under random choices."""
    found = np.zeros(DRAWS)
    for own, chosen in strata:
        found += rng.permuted(np.broadcast_to(own, (DRAWS, len(own))), axis=1)[:, :chosen].sum(axis=1)
    return found
