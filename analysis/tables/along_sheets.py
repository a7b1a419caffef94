"""Tables of agreement along an axis for a paper: r between every two cells, and how much each head matters in all."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from analysis.along import Along
from analysis.along.tables import LINE
from analysis.along.words import line_name, plural, singular
from analysis.attention_kinds import kind_label
from analysis.formatting import decimal, decimals, effect, p_value, slug, unit_name
from analysis.tables.latex import Sheet
from study.record.units import UnitLevel

NONE = "–"

Row = Mapping[str, Any]


def along_sheets(found: Along) -> Iterator[Sheet]:
    """The sheets of every line of cells; of matched heads one of all lines."""
    for at, row in enumerate(found.pairs.select(*LINE).unique(maintain_order=True).rows(named=True), 1):
        name = f"{row['axis']}-{at}-{slug(line_name(row['family'], row['held']))}"
        yield _pairs(found.pairs.filter(**row), row, f"correlation-{name}", found.level)
        heads = found.heads.filter(**row)
        if heads["mean"].count():  # of tasks with metrics of their own effects have no mean
            yield _heads(heads, row, f"heads-{name}", found.level)
    if found.matched.height:
        yield _matched(found.matched, found.level)


def _pairs(table: pl.DataFrame, line: Row, name: str, level: UnitLevel) -> Sheet:
    rows = [
        (
            f"{row['cell_a']}, {row['cell_b']}",
            kind_label(row["kind"]),
            str(row["heads"]),
            decimal(row["true"]),
            _between(row["true_low"], row["true_high"]),
            decimal(row["pearson"]),
            _between(row["pearson_low"], row["pearson_high"]),
            decimal(row["crossed"]),
            decimal(row["crossed_ceiling"]),
            decimal(row["spearman"]),
        )
        for row in table.rows(named=True)
    ]
    first = table.row(0, named=True)
    shared = "; noise of shared examples is taken out. Crossed: one on each half of the examples, beside the most it is"
    note = (
        f"True r: of the true effects{shared if first['groups_shared'] else ''}. {100 * first['level']:g} % intervals "
        f"by a jackknife over {first['groups_a']:,} groups of examples. Weights at the start: {first['start']}."
    )
    head = ("", "attention", level.plural, "true r", "interval", "r", "interval", "crossed r", "at most", "Spearman ρ")
    name_of_line = line_name(line["family"], line["held"])
    caption = f"Correlation of the effects of {level.plural} between {plural(line['axis'])}: {name_of_line}."
    return Sheet(name, caption, head, rows, note=note)


def _heads(table: pl.DataFrame, line: Row, name: str, level: UnitLevel) -> Sheet:
    several = table["kind"].n_unique() > 1
    rows = [
        (
            unit_name({**row, "level": level}, several),
            effect(row, "mean"),
            NONE if row["mean_low"] is None else f"{effect(row, 'mean_low')} to {effect(row, 'mean_high')}",
            decimal(row["spread"], decimals(row["unit"])),
            _between(row["spread_low"], row["spread_high"], decimals(row["unit"])),
            NONE if row["p_corrected"] is None else p_value(row["p_corrected"]).removeprefix("= "),
            f"{NONE if row['significant'] is None else row['significant']} of {row['cells']}",
        )
        for row in table.sort(pl.col("mean").abs(), descending=True, maintain_order=True).rows(named=True)
    ]
    cells, first = plural(line["axis"]), table.row(0, named=True)
    note = (
        f"Mean over {first['cells']} {cells} in {first['unit']}; spread: standard deviation of the true effects over "
        f"{cells}, noise taken out; p: of equal effects in every {singular(line['axis'])}, corrected over the "
        f"{level.plural} (Holm); {100 * first['level']:g} % intervals."
    )
    caption = f"Effects of {level.plural} over {cells}: {line_name(line['family'], line['held'])}."
    head = (level.noun, "mean", "interval", "spread", "interval", "p", "significant in")
    return Sheet(name, caption, head, rows, note=note)


def _matched(table: pl.DataFrame, level: UnitLevel) -> Sheet:
    rows = [
        (
            line_name(row["family"], row["held"]),
            f"{row['cell_a']}, {row['cell_b']}",
            decimal(row["matched"]),
            _between(row["low"], row["high"]),
            decimal(row["by_size"]),
            decimal(row["in_place"]),
            decimal(row["ceiling"]),
            _percent(row["same_place"]),
            _percent(row["same_place_by_chance"]),
        )
        for row in table.rows(named=True)
    ]
    note = (
        f"{level.plural.capitalize()} matched within their layers by what they do to a third of the examples; r "
        f"crossed on the other two thirds, mean and middle 95 % of {table['splits'][0]} splits. By size: matched on "
        f"shuffled examples."
    )
    head = ("", "", "matched", "splits", "by size", "in place", "at most", "own place", "by chance")
    return Sheet("matched", f"Correlation of the effects of matched {level.plural}.", head, rows, note=note)


def _between(low: float | None, high: float | None, digits: int = 2) -> str:
    return NONE if low is None else f"{decimal(low, digits)} to {decimal(high, digits)}"


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.0f} %"
