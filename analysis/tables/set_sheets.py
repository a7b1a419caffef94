"""Tables of sets of units for a paper: named pairs, and Shapley values with both of their errors."""

from collections.abc import Iterator, Mapping
from typing import Any

from analysis.formatting import decimal, decimals, signed
from analysis.sets import Sets
from analysis.sets.scales import tested_scale
from analysis.sets.words import short_names
from analysis.tables.latex import Sheet

NONE = "–"

Row = Mapping[str, Any]


def set_sheets(found: Sets) -> Iterator[Sheet]:
    """A table of named pairs, where there are any, and one of Shapley values."""
    named = found.pairs.drop_nulls("named")
    if named.height:
        yield _pairs_sheet(found)
    if found.shapley.height:
        yield _shapley_sheet(found)


def _percent(found: Sets) -> str:
    return f"{100 * (1 - found.alpha):g} %"


def _pairs_sheet(found: Sets) -> Sheet:
    rows = []
    for pairs in found.pair_designs:
        names = short_names(pairs.units, pairs.level)
        own = found.pairs.filter(setting_id=pairs.about["setting_id"], design=pairs.about["design"], scale=pairs.tested)
        rows += [(pairs.name, *_pair(row, names)) for row in own.drop_nulls("named").rows(named=True)]
    head = ("", "pair", "one", "other", "both", "interaction", "interval", "corrected p", "named")
    first = found.pairs.row(0, named=True)
    note = (
        f"Interactions: the effect of removing both less the effects of removing each. Intervals at {_percent(found)} "
        f"and p: a studentised bootstrap over groups of examples ({first['resamples']:,} resamples, seed "
        f"{first['seed']}), p corrected by max-T over the pairs. Named are pairs whose sign is the same on every scale."
    )
    return Sheet("pairs", "Pairs that are redundant or complementary.", head, rows, (), note)


def _pair(row: Row, names: Mapping[str, str]) -> tuple[str, ...]:
    digits = decimals(row["unit"])
    effects = (signed(row[f"effect_{which}"], digits) for which in ("a", "b", "both"))
    pair = f"{names[row['a']]}, {names[row['b']]}"
    p = f"{row['p_corrected']:.4f}"
    return (pair, *effects, signed(row["interaction"], digits), _ends(row, digits), p, row["named"])


def _ends(row: Row, digits: int) -> str:
    return NONE if row["low"] is None else f"{signed(row['low'], digits)} to {signed(row['high'], digits)}"


def _shapley_sheet(found: Sets) -> Sheet:
    rows = []
    for own in found.coalitions:
        names = short_names(own.design.units, own.design.unit)
        table = found.shapley.filter(
            setting_id=own.about["setting_id"], design=own.about["design"], scale=tested_scale(own.scales)
        )
        rows += [(own.name, *_value(row, names)) for row in table.rows(named=True)]
    head = ("", "unit", "average", "value", "interval", "by coalitions", "by examples", "removed alone")
    note = (
        f"What a unit adds to the score, on average over contexts. Errors are standard errors: over draws of "
        f"coalitions with the examples held, and over groups of examples with the coalitions held. Intervals at "
        f"{_percent(found)} are of both together, by Student's t{_pays(found)}."
    )
    return Sheet("shapley", "Shapley values and semivalues.", head, rows, (), note)


def _pays(found: Sets) -> str:
    """What intervals allow for where a sample could end at a width."""
    looks = found.shapley["looks"].max()
    return f", and allow for up to {looks} looks at a growing sample (Bonferroni)" if looks != 1 else ""


def _value(row: Row, names: Mapping[str, str]) -> tuple[str, ...]:
    digits = decimals(row["unit"])
    average = row["average"] if row["kept"] is None else f"{row['average']}, {row['kept']:g}"
    alone = NONE if row["alone"] is None else signed(row["alone"], digits)
    errors = (decimal(row[f"error_{by}"], digits) for by in ("coalitions", "examples"))
    return (names[row["address"]], average, signed(row["value"], digits), _ends(row, digits), *errors, alone)
