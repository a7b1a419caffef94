"""Figure 5: how much of the score above chance is left at each epoch of a training, a line for each share of heads."""

import polars as pl
from matplotlib.colors import LinearSegmentedColormap, to_hex

from analysis.figures.canvas import Curve, Drawing, Panel, draw, limits, name_ends, styled
from analysis.figures.canvas.style import BAND, DASHED, INK
from analysis.figures.heat_maps import GAIN, HARM
from analysis.formatting import score_axis

SHARES = LinearSegmentedColormap.from_list("share", [GAIN, (0.55, 0.5, 0.55), HARM])
"""Few heads removed: blue; many: orange."""


def dynamics(line: pl.DataFrame, title: str, name: str, compared: pl.DataFrame | None = None) -> Drawing:
    """Figure 5 of one training, domain and order: rows of `training_dynamics` of one `LINE`, each with a share.

    Epochs stand side by side, whatever lies between them, as the first ones are the ones that differ; under each is the
    un-pruned score. `compared` has the rows of every panel that shares the scale of this one.
    """
    epochs = line.select("epoch", "base_score").unique("epoch").sort("epoch")
    places = {epoch: place for place, epoch in enumerate(epochs["epoch"])}
    removed = line.filter(pl.col("share") > 0)
    with styled():
        x = f"epoch, and {score_axis(line['metric'][0])} with every head"
        panel = Panel(title, 2.3, x=x, y="share of the score above chance left (%)")
        axes, lines = panel.axes, []
        axes.axhline(100, color=INK, linewidth=0.8, linestyle=DASHED, alpha=0.6, zorder=0)
        for share in removed["share"].unique().sort():
            rows, colour = removed.filter(share=share).sort("epoch"), to_hex(SHARES(share))
            at = [float(places[epoch]) for epoch in rows["epoch"]]
            kept, low, high = (100 * rows[column].cast(pl.Float64).to_numpy() for column in ("kept", "low", "high"))
            axes.fill_between(at, low, high, color=colour, alpha=BAND, linewidth=0)
            axes.plot(at, kept, color=colour, marker="o", markersize=2.5)
            lines.append(Curve(f"{100 * share:.0f} %", colour, at, kept.tolist()))
        axes.set_xticks(range(len(places)), [f"{epoch:g}\n{base:.1f}" for epoch, base in epochs.iter_rows()])
        axes.set(xlim=(-0.3, len(places) - 0.7), ylim=_y_limits(removed if compared is None else compared))
        name_ends(panel, "removed", lines)
        data = line.select("domain", "metric", "curve", "epoch", "share", "base_score", "kept", "low", "high")
        return draw(panel, name, f"Share of the score above chance by epoch and share of heads removed, {title}", data)


def _y_limits(compared: pl.DataFrame) -> tuple[float, float]:
    """Every share that is left, in percent, 0 and 100 among them."""
    low, high = limits(compared, ("kept", "low", "high"), 0.0, 1.0)
    return 100 * low, 100 * high
