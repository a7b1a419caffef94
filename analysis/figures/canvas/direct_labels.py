"""Names of curves written beside them or at their ends, in place of a key."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression

from analysis.figures.canvas.lettering import line_height, text_width
from analysis.figures.canvas.panel import Panel
from analysis.figures.canvas.style import SMALL

STEPS = 60
"""Places along a curve that are looked at."""

CLEAR = 0.03
"""Inches between a name and its curve, at least."""

FARTHER = (0.0, 0.05, 0.1, 0.17)
"""Inches that a name may stand farther off, where the curve is steep."""

APART = 0.05
"""Inches by which every other curve is farther from a name than its own."""

Path = Float[np.ndarray, "steps 2"]
Points = Float[np.ndarray, "points 2"]
Boxes = Float[np.ndarray, "boxes 4"]


@dataclass(frozen=True)
class Curve:
    """A curve that wants a name.

    Attributes:
        name: what is written.
        colour: its colour.
        x: places of its points, ascending.
        y: heights of its points.
    """

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]


def name_curves(panel: Panel, curves: Sequence[Curve], others: Sequence[Curve] = ()) -> bool:
    """Write the name of every curve beside it; false, and nothing is written, where one finds no place.

    Args:
        panel: where they are drawn; its limits are kept as they are.
        curves: the curves that want a name.
        others: further curves that no name may cover.
    """
    axes = panel.axes
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    paths = [_path(panel, curve) for curve in (*curves, *others)]
    taken: list[np.ndarray] = []
    for i, curve in enumerate(curves):
        size = text_width(curve.name, SMALL, "bold"), 0.8 * line_height(SMALL)
        rest = np.concatenate([np.empty((0, 2)), *paths[:i], *paths[i + 1 :]])
        box = _best_box(paths[i], rest, size, taken, panel.size)
        if box is None:
            return False
        taken.append(box)
    for curve, (left, bottom, right, top) in zip(curves, taken, strict=True):
        middle = (left + right) / 2 / panel.size[0], (bottom + top) / 2 / panel.size[1]
        look = {"ha": "center", "va": "center", "fontsize": SMALL, "color": curve.colour, "fontweight": "bold"}
        axes.text(*middle, curve.name, transform=axes.transAxes, **look)
    return True


def name_ends(panel: Panel, title: str, curves: Sequence[Curve]) -> None:
    """Write the names of curves to the right of their ends, under a title, as many as have room.

    Args:
        panel: where they are drawn; its right margin grows.
        title: what the names are.
        curves: the curves in an order that readers know, such as of a share, so that some may go without a name.
    """
    axes, line = panel.axes, line_height(SMALL)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())
    room = int(panel.height / line) - 1
    named = curves[:: -(-len(curves) // room)]
    panel.right = max(text_width(name, SMALL) for name in (title, *(curve.name for curve in named))) + 0.12
    bottom, top = axes.get_ylim()
    ends = np.array([(curve.y[-1] - bottom) / (top - bottom) * panel.height for curve in named])
    look = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center", "fontsize": SMALL}
    axes.annotate(title, (1, 1), (4, 0), **look)
    for place, curve in zip(_spread(ends, line, panel.height - line), named, strict=True):
        axes.annotate(curve.name, (1, place / panel.height), (4, 0), color=curve.colour, **look)


def _spread(places: Float[np.ndarray, " names"], apart: float, height: float) -> Float[np.ndarray, " names"]:
    """Places moved as little as needed to be so far apart between 0 and a height, in the same order."""
    order = np.argsort(places, kind="stable")
    steps = apart * np.arange(len(places))
    found = np.empty(len(places))  # a sequence with steps that are large enough does not fall once they are taken off
    found[order] = np.clip(isotonic_regression(places[order] - steps).x, 0, height - steps[-1]) + steps
    return found


def _path(panel: Panel, curve: Curve) -> Path:
    """A curve in inches from the lower left corner of the axes, densely."""
    (left, right), (bottom, top) = panel.axes.get_xlim(), panel.axes.get_ylim()
    x = np.linspace(curve.x[0], curve.x[-1], STEPS)
    y = np.interp(x, curve.x, curve.y)
    width, height = panel.size
    return np.column_stack([(x - left) / (right - left) * width, (y - bottom) / (top - bottom) * height])


def _best_box(
    own: Path, rest: Points, size: tuple[float, float], taken: Sequence[np.ndarray], axes: tuple[float, float]
) -> np.ndarray | None:
    """The box beside a curve that is farthest from the others; None where none is clear."""
    boxes = _boxes(own, size)
    inside = (boxes[:, :2] >= 0).all(1) & (boxes[:, 2] <= axes[0]) & (boxes[:, 3] <= axes[1])
    to_own, to_rest = _distance(boxes, own), _distance(boxes, rest)
    fits = inside & (to_own > 0.8 * CLEAR) & (to_rest > to_own + APART)
    for box in taken:
        fits &= (boxes[:, 0] > box[2]) | (boxes[:, 2] < box[0]) | (boxes[:, 1] > box[3]) | (boxes[:, 3] < box[1])
    if not fits.any():
        return None
    return boxes[np.argmax(np.where(fits, to_rest - to_own, -np.inf))]


def _boxes(own: Path, size: tuple[float, float]) -> Boxes:
    """Boxes (left, bottom, right, top) above and below every place of a curve, and to its right."""
    (width, height), (x, y) = size, own.T
    places = [(x + CLEAR, y - height / 2)]
    for away in FARTHER:
        places += [(x - width / 2, y + CLEAR + away), (x - width / 2, y - CLEAR - away - height)]
    return np.concatenate([np.stack([left, low, left + width, low + height], axis=1) for left, low in places])


def _distance(boxes: Boxes, points: Points) -> Float[np.ndarray, " boxes"]:
    """How far the nearest point is from each box; 0 where it lies within, infinite where there is none."""
    x, y = points.T
    across = np.maximum(boxes[:, [0]] - x, x - boxes[:, [2]])
    along = np.maximum(boxes[:, [1]] - y, y - boxes[:, [3]])
    return np.hypot(across.clip(0), along.clip(0)).min(axis=1, initial=np.inf)
