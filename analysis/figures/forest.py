"""The forest plot: heads by the effect of removing them, the most harmful first, with intervals on every domain."""

import polars as pl

from analysis.figures.canvas import Drawing
from analysis.figures.interval_rows import Gap, interval_rows, row_height
from analysis.formatting import address, decimals, effect, interval, signed, unit_name
from study.record.units import ADDRESS, UnitLevel

MOST = 24
"""Heads that are shown of many, where there are two domains at most; of more domains fewer."""


def forest(ablation: pl.DataFrame, name: str, *, most: int | None = MOST, narrow: bool = False) -> Drawing | None:
    """Heads sorted by their mean effect over domains, a mark with its interval for each domain.

    A significant effect is solid, another pale. The grey band is the margin within which an effect does not matter.

    Args:
        ablation: effects of single heads of one subject: domain (its label), kind, layer, head, effect, unit; where
            known low, high, significant, margin; level, where they are other units.
        name: name of the drawing.
        most: heads that are drawn, those of largest mean effect; words in place of the others say how many they are.
            None: every head, however many.
        narrow: the layout for phones.

    Returns:
        The drawing; None where no head was removed.
    """
    if ablation.is_empty():
        return None
    heads = _sorted_heads(ablation)
    domains, several = ablation["domain"].unique(maintain_order=True).to_list(), ablation["kind"].n_unique() > 1
    room = heads.height if most is None else max(1, int(most * row_height(1) / row_height(len(domains))))
    shown, gap = _strongest(heads, room, decimals(ablation["unit"][0]), _level(ablation).plural)
    rows = shown.with_row_index("rank").join(ablation, on=[*ADDRESS], maintain_order="left", nulls_equal=True)
    noun = _level(ablation).noun
    drawn = [
        {
            "row": unit_name(row, several),
            "series": row["domain"],
            "value": row["effect"],
            "low": row.get("low"),
            "high": row.get("high"),
            "sure": row.get("significant"),
            "text": effect(row) + ("*" if row.get("significant") else ""),
            "said": _said(row),
            "head": address(row),
            "rank": row["rank"],
        }
        for domain in domains
        for row in rows.filter(domain=domain).rows(named=True)
    ]
    schema = {"low": pl.Float64, "high": pl.Float64, "sure": pl.Boolean}
    ordered = pl.DataFrame(drawn, schema_overrides=schema)
    unit, margin = ablation["unit"][0], _margin(ablation)
    return interval_rows(
        ordered.sort("rank", maintain_order=True),
        name,
        f"Effect of removing each {noun} on {', '.join(domains)}, the most harmful first",
        f"effect of removing the {noun} ({unit})\n{_legend(ablation, margin)}".rstrip(),
        title=domains[0] if len(domains) == 1 else "",
        band=margin,
        wide=not narrow,
        gap=gap,
        data=_data(ablation, heads),
    )


def _sorted_heads(ablation: pl.DataFrame) -> pl.DataFrame:
    """Every head with its mean effect over the domains where it was measured, the lowest first."""
    means = ablation.group_by(*ADDRESS, maintain_order=True).agg(mean=pl.col("effect").mean())
    return means.sort("mean", maintain_order=True)


def _level(ablation: pl.DataFrame) -> UnitLevel:
    return UnitLevel(ablation["level"][0]) if "level" in ablation.columns else UnitLevel.head


def _strongest(heads: pl.DataFrame, most: int, digits: int, units: str) -> tuple[pl.DataFrame, Gap | None]:
    """The heads of largest mean effect, in order, and words in place of the others."""
    if heads.height <= most:
        return heads, None
    numbered = heads.with_row_index("at")
    kept = numbered.sort(pl.col("mean").abs(), descending=True, maintain_order=True).head(most).sort("at")
    left_out = numbered.join(kept, on="at", how="anti")
    above = kept.filter(pl.col("at") < left_out["at"].min()).height
    ends = (signed(end, digits) for end in (left_out["mean"].min(), left_out["mean"].max()))  # type: ignore[arg-type]
    words = f"{left_out.height} more {units} between {' and '.join(ends)}"
    return kept.drop("at"), Gap(above, words)


def _margin(ablation: pl.DataFrame) -> float | None:
    known = ablation["margin"].drop_nulls() if "margin" in ablation.columns else []
    return float(known[0]) if len(known) else None


def _legend(ablation: pl.DataFrame, margin: float | None) -> str:
    """What pale marks and the grey band mean, where there are any."""
    tested = "significant" in ablation.columns and ablation["significant"].is_not_null().any()
    parts = ["pale: not significant"] if tested else []
    parts += [f"grey: less than ±{margin:g}"] if margin is not None else []
    return "; ".join(parts)


def _said(row: dict) -> str:
    """`cross.2.1 on home: −0.53 points (−0.80 to −0.21), significant`."""
    sure = ", significant" if row.get("significant") else ""
    return f"{address(row)} on {row['domain']}: {effect(row)} {row['unit']}{interval(row)}{sure}"


def _data(ablation: pl.DataFrame, heads: pl.DataFrame) -> pl.DataFrame:
    """Every head, the lowest mean first, with its numbers on each domain."""
    wanted = ("mean", *ADDRESS, "domain", "effect", "low", "high", "significant", "margin", "unit")
    joined = heads.join(ablation, on=[*ADDRESS], maintain_order="left", nulls_equal=True)
    return joined.select(column for column in wanted if column in joined.columns)
