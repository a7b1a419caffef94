"""Units beyond single heads: what each costs as a whole, and what its heads come to that were removed one by one."""

import polars as pl

from analysis.figures.canvas import Drawing
from analysis.figures.interval_rows import Gap, interval_rows
from analysis.formatting import decimals, effect, interval, signed, unit_name

WHOLE, SUM = "as a whole", "its heads, added up"

MOST = 20
"""Units that are drawn, those of largest effect or largest difference from their heads."""


def unit_rows(units: pl.DataFrame, title: str, name: str, *, wide: bool = False) -> Drawing:
    """The units of one level on one domain, in their order, each with the sum of its heads beside it.

    A significant effect is solid, another pale; sums have no intervals of their own.

    Args:
        units: rows of `analysis.effects.unit_effects.effect_tables`.
        title: what stands above.
        name: name of the drawing.
        wide: the layout for wide pages.
    """
    several = units["kind"].n_unique() > 1
    size = pl.max_horizontal(pl.col("effect").abs(), pl.col("excess").abs())
    numbered = units.with_row_index("at")
    shown = numbered.sort(size, descending=True, maintain_order=True).head(MOST).sort("at")
    rest = numbered.join(shown, on="at", how="anti")
    gap = None
    if rest.height:
        digits = decimals(rest["unit"][0])
        low, high = (signed(float(end), digits) for end in (rest["effect"].min(), rest["effect"].max()))  # type: ignore[arg-type]
        gap = Gap(shown.height, f"{rest.height} more between {low} and {high}")
    rows = [entry for row in shown.rows(named=True) for entry in _entries(row, several)]
    schema = {"low": pl.Float64, "high": pl.Float64, "sure": pl.Boolean}
    unit, tested = units["unit"][0], units["significant"].is_not_null().any()
    return interval_rows(
        pl.DataFrame(rows, schema_overrides=schema),
        name,
        f"Effect of removing each {units['level'][0]}, {title}",
        f"effect ({unit})" + ("\npale: not significant" if tested else ""),
        title=title,
        wide=wide,
        gap=gap,
        data=units,
    )


def _entries(row: dict, several: bool) -> list[dict]:
    name, sure = unit_name(row, several), ", significant" if row["significant"] else ""
    same = {"row": name, "head": row["address"]}
    whole = f"{row['address']}: {effect(row)} {row['unit']}{interval(row)}{sure}"
    entries = [same | {"series": WHOLE, "value": row["effect"], "low": row["low"], "high": row["high"], "said": whole}]
    entries[0]["sure"] = row["significant"]
    if row["sum"] is not None:
        said = f"{row['heads']} heads of {row['address']}, one by one: {effect(row, 'sum')} {row['unit']} together"
        entries.append(
            same | {"series": SUM, "value": row["sum"], "low": None, "high": None, "sure": None, "said": said}
        )
    return entries
