"""Figure 5: how much of the score above chance is left at each epoch of a training, a line for each share of heads."""

import polars as pl
from matplotlib.colors import LinearSegmentedColormap

from analysis.figures.drawing import DASHED, INK, Drawing, draw, panel, styled
from analysis.figures.heat_maps import GAIN, HARM
from analysis.formatting import SCORE_NAMES

SHARES = LinearSegmentedColormap.from_list("share", [GAIN, (0.55, 0.5, 0.55), HARM])
"""Few heads removed: blue; many: orange."""


def dynamics(line: pl.DataFrame, title: str, name: str) -> Drawing:
    """Figure 5 of one training, domain and order: rows of `training_dynamics` of one `LINE`, each with a share.

    Epochs stand side by side, whatever lies between them, as the first ones are the ones that differ; under each is the
    un-pruned score.
    """
    epochs = line.select("epoch", "base_score").unique("epoch").sort("epoch")
    places = {epoch: place for place, epoch in enumerate(epochs["epoch"])}
    removed = line.filter(pl.col("share") > 0)
    with styled():
        figure, axes = panel(4.1, 3.4)
        axes.axhline(100, color=INK, linewidth=0.8, linestyle=DASHED, alpha=0.6, zorder=0)
        for share in removed["share"].unique().sort():
            rows = removed.filter(share=share)
            x = [places[epoch] for epoch in rows["epoch"]]
            kept, low, high = (100 * rows[of].cast(pl.Float64).to_numpy() for of in ("kept", "low", "high"))
            axes.fill_between(x, low, high, color=SHARES(share), alpha=0.15, linewidth=0)
            axes.plot(x, kept, color=SHARES(share), marker="o", markersize=2.5, label=f"{100 * share:.0f} %")
        labels = [f"{epoch:g}\n{base:.1f}" for epoch, base in epochs.iter_rows()]
        axes.set_xticks(range(len(labels)), labels)
        axes.set(title=title, ylabel="share of the score above chance left (%)")
        axes.set_xlabel(f"epoch, and {SCORE_NAMES[line['metric'][0]]} with every head")
        figure.legend(loc="outside right upper", title="heads\nremoved", handlelength=1.2)
        return draw(figure, name, f"Share of the score above chance by epoch and share of heads removed, {title}")
