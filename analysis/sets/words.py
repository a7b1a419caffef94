"""What sets of units come to, in sentences that stand on the page and on the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from analysis.effects.chance import chance
from analysis.formatting import decimal, decimals, p_value, score, signed, unit_name
from analysis.results.sample import EXAMPLE
from analysis.sets.pairs import COMPLEMENTARY, REDUNDANT, Pairs
from analysis.sets.scales import SCORE, tested_scale
from analysis.sets.screening import CONFIRMED, Screening
from analysis.sets.shapley import SEMIVALUE, SHAPLEY, Coalitions, ScoreSum
from analysis.sets.sufficient import Verdict
from study.record.designs.names import CHOSEN, IMPORTANT, RANDOM, SCREENED
from study.record.designs.pairs import ALL, KIND, LAYER
from study.record.units import UnitLevel, parse_unit

Row = Mapping[str, Any]

ORACLE = "oracle"
"""The set by an oracle's order, which all examples have made."""

MOST_TOLD = 3
"""Units or pairs that a sentence names."""


def short_name(address: str, level: UnitLevel, several: bool) -> str:
    """`L2H1` of a unit; its address where there are several kinds of attention."""
    return unit_name({**parse_unit(address).row, "level": str(level)}, several)


def short_names(addresses: tuple[str, ...], level: UnitLevel) -> dict[str, str]:
    """The short name of each unit, by address; addresses where there are several kinds of attention."""
    several = len({parse_unit(address).row["kind"] for address in addresses}) > 1
    return {address: short_name(address, level, several) for address in addresses}


def pair_words(pairs: Pairs, table: pl.DataFrame, redundancy: pl.DataFrame) -> Iterator[str]:
    """How many pairs of a design are named, the largest of them, and the most redundant units.

    Args:
        pairs: the design.
        table: `analysis.sets.pairs.pair_table` of all.
        redundancy: `analysis.sets.redundancy.redundancy_table` of all.
    """
    own = table.filter(scale=pairs.tested, **_own(pairs.about))
    if own.is_empty():
        return
    names, label = short_names(pairs.units, pairs.level), pairs.scales[pairs.tested].metric.label
    start = f"{pairs.name}: of {own.height:,} pairs of {pairs.level.plural}{_within(pairs)}"
    named = own.drop_nulls("named")
    if named.is_empty():
        yield f"{start} none is named{_least(own)}, by {label}."
    else:
        counts = dict(named["named"].value_counts().iter_rows())
        told = [f"{counts[name]} {'is' if counts[name] == 1 else 'are'} {name}" for name in _names(counts)]
        yield f"{start} {' and '.join(told)} ({_scales(pairs)}corrected p up to {own['alpha'][0]:g} by {label})."
        for name in _names(counts):
            largest = named.filter(named=name).sort(pl.col("interaction").abs(), descending=True).head(MOST_TOLD)
            what = "Either suffices" if name == REDUNDANT else "One needs the other"
            yield f"{what}: {'; '.join(_pair(row, names) for row in largest.rows(named=True))}."
    yield from _redundant(redundancy.filter(**_own(pairs.about)).drop_nulls("low"), names, pairs.level)


def sufficient_words(verdict: Verdict, table: pl.DataFrame) -> Iterator[str]:
    """Whether the set that a search ended with suffices, and how it stands beside sets chosen in simpler ways.

    Args:
        verdict: the search.
        table: `analysis.sets.sufficient.sufficient_table` of all.
    """
    domain, design = verdict.stored.domain, verdict.stored.design
    own = table.filter(setting_id=domain.setting_id, design=design.id)
    row = own.filter(set=CHOSEN).row(0, named=True)
    digits, unit = decimals(row["unit"]), row["unit"]
    shown = "the set is shown to lose" if row["sufficient"] else "the set is not shown to lose"
    needed = (
        "" if row["sufficient"] or row["needed"] is None else f"; that takes about {row['needed']:,} {_groups(row)}"
    )
    yield (
        f"{verdict.name}: {row['kept']} of {row['units']} {design.unit.plural} suffice, as far as measured. Judged by "
        f"{row['n']:,} examples that did not choose them, their effect is {signed(row['effect'], digits)} {unit}, with "
        f"{100 * (1 - row['alpha']):g} % no lower than {signed(row['limit'], digits)}: {shown} no more than "
        f"{row['lose']:g}{needed}."
    )
    others = own.filter(pl.col("set") != CHOSEN)
    if others.height:
        told = [f"by {_rival(other, row['kept'])} {_ahead(other, digits)}" for other in others.rows(named=True)]
        yield (
            f"Its score less that of as many {design.unit.plural} chosen in other ways ({unit}, above 0 where it is "
            f"better): {'; '.join(told)}."
        )


def _groups(row: Row) -> str:
    """What is counted where errors are of groups."""
    return "examples" if row["group"] == EXAMPLE else "groups of examples"


def _rival(row: Row, kept: int) -> str:
    """What another set was chosen by, and in what it is not on even ground with the one that keeps `kept` units."""
    uneven = [f"which keep {row['kept']}"] if row["kept"] != kept else []
    uneven += ["which has seen the examples that judge"] if row["set"] == ORACLE else []
    return f"{row['set']}{''.join(f', {one},' for one in uneven)}".replace(",,", ",")


def _ahead(row: Row, digits: int) -> str:
    """How far the chosen set is ahead of another."""
    if row["ahead_low"] is None:
        return f"{signed(row['ahead'], digits)}, not tested, few answers differ"
    p = p_value(row["ahead_p_corrected"]).removeprefix("= ")
    ends = f"{signed(row['ahead_low'], digits)} to {signed(row['ahead_high'], digits)}"
    return f"{signed(row['ahead'], digits)} ({ends}; corrected p {p})"


def screening_words(found: Screening, table: pl.DataFrame) -> Iterator[str]:
    """What a screening has found, beside as many masks spent on single units.

    Args:
        found: the screening.
        table: `analysis.sets.screening.screening_table` of all.
    """
    design, domain = found.chosen.design, found.chosen.domain
    own = table.filter(setting_id=domain.setting_id, design=design.id)
    if own.is_empty():
        return
    names = short_names(design.units, design.unit)
    first, screened = own.row(0, named=True), own.filter(pl.col(SCREENED))
    sure = screened.filter(CONFIRMED)
    told = "; ".join(
        f"{names[row['address']]} {_with_interval(row, 'effect')}"
        for row in sure.sort(pl.col("effect").abs(), descending=True).head(MOST_TOLD).rows(named=True)
    )
    yield (
        f"{found.name}: {found.masks:,} random masks point at {screened.height} of {first['units']:,} "
        f"{design.unit.plural}; of {sure.height} of these a mask of its own confirms an effect, corrected over all "
        f"{first['units']:,}{told and f': {told}'}."
    )
    yield (
        f"Random masks tell a {design.unit.noun}'s average effect with {100 * first['rate']:g} % of the others off, "
        f"masks of single {design.unit.plural} its effect with all others on."
    )
    counts = {name: own.filter(pl.col(name) & pl.col(CONFIRMED)).height for name in (RANDOM, IMPORTANT)}
    if own.select(pl.any_horizontal(RANDOM, IMPORTANT).any()).item():
        budget = found.masks + screened.height
        yield (
            f"With as many masks ({budget:,}) single {design.unit.plural} at random find {counts[RANDOM]} "
            f"{_effects(counts[RANDOM])}, those of most importance {counts[IMPORTANT]}."
        )


def _effects(count: int) -> str:
    return "effect" if count == 1 else "effects"


def _own(about: Row) -> dict[str, Any]:
    return {"setting_id": about["setting_id"], "design": about["design"]}


def _within(pairs: Pairs) -> str:
    """What two units have in common."""
    within = pairs.stored.design.options.get("within")
    common = {LAYER: " in one layer", KIND: " of one kind of attention", ALL: ""}
    return common.get(str(within), f" that {within} names")


def _least(own: pl.DataFrame) -> str:
    least = own["p_corrected"].min()
    if least is None:
        return ", as none changes the outcome of 20 groups of examples"
    return f" (smallest corrected p {p_value(float(least)).removeprefix('= ')})"  # type: ignore[arg-type]


def _names(counts: Row) -> list[str]:
    return [name for name in (REDUNDANT, COMPLEMENTARY) if name in counts]


def _scales(pairs: Pairs) -> str:
    several = list(pairs.scales)
    return f"{', '.join(several[:-1])} and {several[-1]} agree in sign, " if len(several) > 1 else ""


def _pair(row: Row, names: Mapping[str, str]) -> str:
    return f"{names[row['a']]} and {names[row['b']]}, {_with_interval(row, 'interaction')}"


def _with_interval(row: Row, name: str) -> str:
    digits = decimals(row["unit"])
    ends = "" if row["low"] is None else f" ({signed(row['low'], digits)} to {signed(row['high'], digits)})"
    return f"{signed(row[name], digits)} {row['unit']}{ends}"


def _redundant(own: pl.DataFrame, names: Mapping[str, str], level: UnitLevel) -> Iterator[str]:
    sure = own.filter(pl.col("high") < 0).sort("redundancy").head(MOST_TOLD)
    if sure.height:
        told = [f"{names[row['address']]} {_with_interval(row, 'redundancy')}" for row in sure.rows(named=True)]
        yield (
            f"The most redundant {level.plural}, partners selected on one half of the examples and summed on the "
            f"other: {'; '.join(told)}."
        )


def shapley_words(found: Coalitions, table: pl.DataFrame, sizes: pl.DataFrame) -> Iterator[str]:
    """The largest values of a sample of coalitions, what removals one at a time show of them, and the middle sizes.

    Args:
        found: the coalitions.
        table: `analysis.sets.shapley.shapley_table` of all.
        sizes: `analysis.sets.coalition_sizes.size_table` of all.
    """
    scale, level = tested_scale(found.scales), found.design.unit
    names = short_names(found.design.units, level)
    for (average,), own in table.filter(scale=scale, **_own(found.about)).group_by("average", maintain_order=True):
        first, digits = own.row(0, named=True), decimals(own["unit"][0])
        largest = own.sort(pl.col("value").abs(), descending=True).head(MOST_TOLD)
        told = "; ".join(f"{names[row['address']]} {_with_interval(row, 'value')}" for row in largest.rows(named=True))
        by = found.scales[scale].metric.label
        if average == SEMIVALUE:
            yield (
                f"{found.name}, by {by}: where each other of the {level.plural} stays on with probability "
                f"{first['kept']:g}, the largest contributions are {told}."
            )
            continue
        how = "all sets" if first["exact"] else f"{first['coalitions']:,} coalitions"
        yield (
            f"{found.name}, by {by}: {own.height} {level.plural} share {_summed(found.total(scale), digits)} "
            f"(Shapley values from {how}); the largest are {told}."
        )
        if (alone := found.together(scale)) is not None:
            yield f"Removed one at a time, the {level.plural} lose {_summed(alone, digits)} together."
        yield from _stopped(found, own, digits)
    yield from _middle(found, sizes.filter(scale=SCORE, **_own(found.about)))


def _stopped(found: Coalitions, own: pl.DataFrame, digits: int) -> Iterator[str]:
    """Where a sample ended that was to end at a width, and how wide intervals are there."""
    looks = found.design.looks
    if looks is None:
        return
    first, most = own.row(0, named=True), looks.at[-1]
    widest, unit = float((own["high"] - own["low"]).max()) / 2, first["unit"]  # type: ignore[arg-type]
    asked = f"± {looks.width:g} was asked for"
    pays = f"intervals allow for {found.looks} looks at the growing sample"
    if found.drawn >= most:
        yield (
            f"All {found.drawn:,} coalitions were taken: the widest interval is ± {decimal(widest, digits)} {unit} "
            f"({asked}); {pays}."
        )
    elif widest <= looks.width:
        yield (
            f"Stopped at {found.drawn:,} of at most {most:,} coalitions, as the width was reached: the widest interval "
            f"is ± {decimal(widest, digits)} {unit} ({asked}); {pays}."
        )
    else:
        yield (
            f"{found.drawn:,} of at most {most:,} coalitions are there so far, and the widest interval is "
            f"± {decimal(widest, digits)} {unit} ({asked}); {pays}."
        )


def _middle(found: Coalitions, sizes: pl.DataFrame) -> Iterator[str]:
    """What sets of about half of the units score, beside chance."""
    if sizes.is_empty():
        return
    row, noun = sizes.sort((pl.col("size") - pl.col("units") / 2).abs()).row(0, named=True), found.design.unit.noun
    domain, by = found.scales[SCORE], found.scales[SCORE].metric.name
    expected = chance(domain)
    ends = "" if row["low"] is None else f" ({score(row['low'], by)} to {score(row['high'], by)}, over sets)"
    beside = "" if expected is None else f"; chance is {score(expected, by)}"
    yield (
        f"{found.name}: sets of {row['size']} of {row['units']} {found.design.unit.plural} score "
        f"{score(row['score'], by)} on average{ends}{beside}. A {SHAPLEY.capitalize()} value is a mean over such sets "
        f"too, an effect is of the full set alone: a {noun} whose value is large and whose effect is small may matter "
        f"only to a model that has lost others already."
    )


def _summed(found: ScoreSum, digits: int) -> str:
    """A sum with its interval and unit."""
    ends = f"{signed(found.low, digits)} to {signed(found.high, digits)}"
    return f"{signed(found.value, digits)} {found.unit} ({ends})"
