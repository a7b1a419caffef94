"""Variance components as a small forest: the share of each in the variance of true effects, with its interval."""

import polars as pl

from analysis.figures.canvas import Drawing
from analysis.figures.interval_rows import interval_rows


def component_rows(components: pl.DataFrame, title: str, name: str, *, wide: bool = False) -> Drawing:
    """A row for each component of a grid: by moments, and by restricted maximum likelihood where there is such.

    Args:
        components: the rows of one grid, as `analysis.components.tables` has them, all of which have shares.
        title: what stands above.
        name: name of the drawing.
        wide: the layout for wide pages.
    """
    moments = components.select(
        row="belongs_to",
        series=pl.lit("by moments"),
        value=100 * pl.col("share"),
        low=100 * pl.col("share_low"),
        high=100 * pl.col("share_high"),
    )
    likely = components.filter(pl.col("reml_share").is_not_null()).select(
        row="belongs_to",
        series=pl.lit("by likelihood (REML)"),
        value=100 * pl.col("reml_share"),
        low=100 * pl.col("reml_share_low"),
        high=100 * pl.col("reml_share_high"),
    )
    rows = pl.concat([moments, likely]).with_columns(
        text=pl.format("{} %", pl.col("value").round(0).cast(pl.Int64).cast(pl.String).str.replace("-", "−")),
        said=pl.format("{}, {}: {} %", "row", "series", pl.col("value").round(1)),
    )
    what = "share of the variance of true effects (%)"
    about = f"Components: {what}, {title}"
    return interval_rows(rows, name, about, what, title=title, wide=wide, data=components)
