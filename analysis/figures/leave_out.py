"""Leave-top-k curve: what is left of a correlation without the heads of largest effect, under its noise ceiling."""

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.figures.drawing import BLUE, DASHED, GREY, INK, LEGEND_BELOW, ORANGE, Drawing, draw, panel, styled

COLOURS = {"pearson": BLUE, "spearman": ORANGE, "ceiling": GREY}


def leave_out(without: pl.DataFrame, labels: tuple[str, str], name: str) -> Drawing:
    """Correlation of one pair over the heads left out (`Correlations.without_largest`), with a band where r has one."""
    with styled():
        figure, axes = panel(4.1, 3.9)
        axes.axhline(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        for column, label, marker in (("pearson", "Pearson r", "o"), ("spearman", "Spearman ρ", "s")):
            line = {"color": COLOURS[column], "marker": marker, "markersize": 3.5, "label": label}
            axes.plot(without["left_out"], without[column].cast(pl.Float64), **line)
        low, high = (without[f"pearson_{end}"].cast(pl.Float64) for end in ("low", "high"))
        axes.fill_between(without["left_out"], low, high, color=COLOURS["pearson"], alpha=0.15, linewidth=0)
        if without["ceiling"].is_not_null().any():
            ceiling = without["ceiling"].cast(pl.Float64)
            axes.plot(without["left_out"], ceiling, color=COLOURS["ceiling"], linestyle=DASHED, label="noise ceiling")
        lowest = without.select(pl.min_horizontal(pl.col("pearson", "spearman", "pearson_low").min(), 0.0)).item()
        axes.set(
            ylim=(lowest - 0.05, 1.05), xlabel="heads of largest effect left out", ylabel="correlation of the rest"
        )
        axes.set_title(f"{labels[0]} and {labels[1]},\nwithout the largest")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(ncols=3, handlelength=1.8, **LEGEND_BELOW)
        return draw(figure, name, f"Correlation of head effects on {labels[0]} and {labels[1]} without the largest")
