"""Leave-top-k curve: what is left of a correlation without the heads of largest effect, under its noise ceiling."""

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.figures.canvas import Curve, Drawing, Panel, Sample, draw, limits, name_curves, styled
from analysis.figures.canvas.style import BAND, BLUE, DASHED, GREY, INK, ORANGE
from study.record.units import UnitLevel

LINES = {
    "pearson": ("Pearson r", {"color": BLUE, "linestyle": "-", "marker": "o", "markersize": 3.5}),
    "spearman": ("Spearman ρ", {"color": ORANGE, "linestyle": "-", "marker": "s", "markersize": 3.5}),
    "ceiling": ("noise ceiling", {"color": GREY, "linestyle": DASHED}),
}
"""Name and look of each column that is drawn."""


def leave_out(
    without: pl.DataFrame,
    labels: tuple[str, str],
    name: str,
    compared: pl.DataFrame | None = None,
    level: UnitLevel = UnitLevel.head,
) -> Drawing:
    """Correlation of one pair over the heads left out (`Correlations.without_largest`), with a band where r has one.

    `compared` has the rows of every pair whose panel shares the scale of this one; `level` is what the units are.
    """
    title = f"{labels[0]} and {labels[1]}, without the largest"
    with styled():
        panel = Panel(
            title, 2.6, x=f"{level.plural} of largest effect left out", y=f"correlation of the other {level.plural}"
        )
        axes, key, curves = panel.axes, [], []
        axes.axhline(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
        low, high = (without[f"pearson_{end}"].cast(pl.Float64) for end in ("low", "high"))
        axes.fill_between(without["left_out"], low, high, color=BLUE, alpha=BAND, linewidth=0)
        for column, (label, look) in LINES.items():
            line = without.select(pl.col("left_out", column).cast(pl.Float64)).drop_nulls()
            axes.plot(*line.to_numpy().T, **look)
            if line.height:
                key.append(Sample(label, look))
                curves.append(Curve(label, look["color"], *(numbers.to_list() for numbers in line)))
        shown = without if compared is None else compared
        axes.set(
            ylim=limits(shown, ("pearson", "spearman", "pearson_low"), 0.0, 1.0, air=0.03),
            xlim=(-0.3, float(without["left_out"][-1]) + 0.3),
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if not name_curves(panel, curves):
            panel.key = key
        columns = ("left_out", "pearson", "pearson_low", "pearson_high", "spearman", "ceiling")
        title = f"Correlation of {level.noun} effects on {labels[0]} and {labels[1]} without the largest"
        return draw(panel, name, title, without.select(*columns))
