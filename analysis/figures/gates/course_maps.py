"""Gates over the steps of a training as a heat map: heads down, by layer; updates across; the darker, the more open."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from analysis.figures.canvas import Drawing, Panel, Tip, draw, styled
from analysis.figures.canvas.style import INK, SMALL
from analysis.figures.heat_maps import GAIN
from analysis.formatting import decimal
from study.record.units import Head

OPEN = LinearSegmentedColormap.from_list("open", [(*GAIN, 0.0), (*GAIN, 1.0)])
"""Clear where a gate is closed, on any ground; blue where it is open."""

MOST_COLUMNS = 60
"""Moments that are drawn; of more some are passed over."""

ROW, TALLEST = 0.065, 5.2
"""Inches of a row, and of all rows at most."""


def course_map(
    steps: Sequence[int], heads: Sequence[Head], opened: Float[np.ndarray, "steps heads"], title: str, name: str
) -> Drawing:
    """How open each gate is over the updates.

    Args:
        steps: updates behind each moment.
        heads: the heads of one attention kind that have gates, by layer.
        opened: probability that each gate is not 0; of a subset, its value.
        title: what stands above.
        name: name of the drawing.
    """
    at = _some(len(steps))
    shown, rows = opened[at].T, len(heads)
    with styled():
        panel = Panel(title, max(0.9, min(TALLEST, ROW * rows)), x="updates", y="heads, by layer")
        panel.axes.imshow(
            OPEN(shown), aspect="auto", interpolation="none", extent=(-0.5, len(at) - 0.5, rows - 0.5, -0.5)
        )
        tips = _rows(panel.axes, heads, opened, len(at))
        _axes(panel.axes, heads, [steps[i] for i in at])
        _scale(panel)
        names = {str(head): opened[:, i].round(4) for i, head in enumerate(heads)}
        return draw(panel, name, f"Gates over the updates, {title}", pl.DataFrame({"step": list(steps), **names}), tips)


def _some(count: int) -> list[int]:
    """Moments at equal distances, as many as are drawn; the first and the last among them."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, MOST_COLUMNS))})


def _rows(axes: Axes, heads: Sequence[Head], opened: np.ndarray, width: int) -> dict[str, Tip]:
    """A clear mark over each row, which says how its gate went."""
    tips = {}
    for row, head in enumerate(heads):
        gid = f"row-{head}"
        axes.add_patch(Rectangle((-0.5, row - 0.5), width, 1, facecolor=(0, 0, 0, 0), edgecolor="none", gid=gid))
        first, last = (decimal(float(opened[at, row])) for at in (0, -1))
        tips[gid] = Tip(f"{head}: open by {first} at first, by {last} at the end", str(head))
    return tips


def _axes(axes: Axes, heads: Sequence[Head], steps: Sequence[int]) -> None:
    """Layers beside their rows, parted by thin lines, and a few numbers of updates below."""
    layers = np.array([head.layer for head in heads])
    starts = [int(np.flatnonzero(layers == layer)[0]) for layer in np.unique(layers)]
    for start in starts[1:]:
        axes.axhline(start - 0.5, color=INK, linewidth=0.4, alpha=0.35)
    every = -(-len(starts) // 24)
    middles = [float(np.flatnonzero(layers == layer).mean()) for layer in np.unique(layers)[::every]]
    axes.set_yticks(middles, [f"L{layer}" for layer in np.unique(layers)[::every]])
    places = sorted({round(i) for i in np.linspace(0, len(steps) - 1, min(5, len(steps)))})
    axes.set_xticks(places, [f"{steps[i]:,}" for i in places])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _scale(panel: Panel) -> None:
    """The scale of the colours, from closed to open."""
    axes = panel.foot(0.09, 0.19)
    axes.imshow(OPEN(np.linspace(0, 1, 64))[None], aspect="auto", interpolation="none", extent=(0, 1, 0, 1))
    axes.set(xlim=(0, 1), ylim=(0, 1), yticks=[], xticks=[])
    axes.spines[:].set_visible(False)
    for place, text, side in ((0, "closed", "left"), (0.5, "0.5", "center"), (1, "open", "right")):
        axes.text(place, -0.6, text, ha=side, va="top", fontsize=SMALL, transform=axes.transAxes)
