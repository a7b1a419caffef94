"""Controls on one picture: a row for each method, beside the free heads; then what each costs an earlier task."""

import polars as pl

from analysis.figures.canvas import Drawing
from analysis.figures.canvas.lettering import lines
from analysis.figures.canvas.style import SMALL
from analysis.figures.interval_rows import Beside, interval_rows
from analysis.formatting import decimal, decimals, difference_between, signed

NAME = 1.32
"""Inches of the name of a method, which has two lines where it is longer."""

TALL = 0.33
"""Inches of a row whose name may have two lines."""


def control_rows(controls: pl.DataFrame, title: str, name: str) -> Drawing:
    """The later task's score less that of the free heads, by method; how many numbers moved stands beside.

    Args:
        controls: rows of one comparison at one number of free heads, as `control_tables` has them.
        title: what stands above.
        name: name of the drawing.
    """
    unit, main = controls["unit"][0], controls.row(by_predicate=pl.col("main"), named=True)
    shown = [
        _row(row, "difference", short, unit)
        for row, short in zip(controls.rows(named=True), told(controls), strict=True)
    ]
    numbers = [counted(row["parameters"]) for row in controls.rows(named=True)]
    reached = decimal(main["score"], decimals(unit))
    return interval_rows(
        _table(shown),
        name,
        f"Controls beside free heads, {title}",
        f"score less that of the free heads, {reached} ({unit})",
        title=title,
        beside=Beside("taught", "moved", tuple(numbers)),
        height=TALL,
        data=controls.drop("short", "main"),
    )


def cost_rows(earlier: pl.DataFrame, controls: pl.DataFrame, title: str, name: str) -> Drawing:
    """The change of an earlier task's score by each method, in the order of the controls; intervals over examples.

    Args:
        earlier: rows of one comparison and one earlier task on some data, as `earlier_table` has them.
        controls: the rows of `control_rows`, in their order.
        title: what stands above.
        name: name of the drawing.
    """
    unit = earlier["unit"][0]
    rows = {row["method"]: row for row in earlier.rows(named=True)}
    nothing = dict.fromkeys(["change", "change_low", "change_high", "score"])
    every = zip(controls["method"], told(controls), strict=True)
    shown = [_row(rows.get(method, nothing | {"method": method}), "change", short, unit) for method, short in every]
    numbers = [signed(row["value"], decimals(unit)) if row["value"] is not None else "–" for row in shown]
    return interval_rows(
        _table(shown),
        name,
        f"What each method costs, {title}",
        f"change of its score ({unit})",
        title=title,
        beside=Beside("taught", unit, tuple(numbers)),
        height=TALL,
        data=earlier.drop("short", "by_heads"),
    )


def told(rows: pl.DataFrame) -> list[str]:
    """Short names of methods; long ones where two of them would be one."""
    return rows["short" if rows["short"].n_unique() == rows.height else "method"].to_list()


def counted(number: float) -> str:
    """A large number in short: `61 k`, `1.2 M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.0f}"


def _row(row: dict, value: str, short: str, unit: str) -> dict:
    over = "" if value == "change" or row[f"{value}_seeds_low"] is None else "seeds_"
    number, low, high = row[value], row[f"{value}_{over}low"], row[f"{value}_{over}high"]
    said = "" if number is None else difference_between(number, low, high, unit)
    return {
        "row": "\n".join(lines(short, NAME, SMALL)),
        "series": "",
        "value": 0.0 if number is None and row.get("main") else number,
        "low": low,
        "high": high,
        "said": f"{row['method']}: {said or decimal(row.get('score'), decimals(unit))}",
    }


def _table(rows: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(["value", "low", "high"], pl.Float64))
