"""Names beside some of many points, in the corner where they cover fewest others; none where it would cover a name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.figures.canvas.lettering import line_height, text_width
from analysis.figures.canvas.panel import Panel
from analysis.figures.canvas.style import SMALL

BESIDE, ABOVE = 6, 3
"""Points between a point and its name, across and along."""

Place = tuple[float, float]
Corner = tuple[bool, bool]
"""Whether a name stands to the right of its point, and whether above it."""

CORNERS: tuple[Corner, ...] = ((True, True), (False, True), (True, False), (False, False))


def name_points(panel: Panel, points: Float[np.ndarray, "points 2"], named: Sequence[tuple[str, Place]]) -> None:
    """Write the names of some points beside them, the first where there is most room.

    Args:
        panel: where they are drawn; its limits are those that stay.
        points: every point that is drawn, in the units of the axes.
        named: the names, and the points that they are of.
    """
    names = np.empty((0, 2))
    for name, at in named:
        width = text_width(name, SMALL)
        crowd = {corner: _covered(panel, np.vstack([points, names]), at, width, corner) for corner in CORNERS}
        corner = min(CORNERS, key=lambda corner: crowd[corner] + _outside(panel, len(points), at, width, corner))
        if _covered(panel, names, at, width, corner):
            continue  # whoever points at the mark reads its name
        names = np.vstack([names, _under_name(panel, at, width, corner)])
        right, up = corner
        look: dict[str, Any] = {"ha": "left" if right else "right", "va": "bottom" if up else "top"}
        offset = (BESIDE if right else -BESIDE, ABOVE if up else -ABOVE)
        panel.axes.annotate(name, at, offset, textcoords="offset points", fontsize=SMALL, **look)


def _inches(panel: Panel) -> tuple[float, float]:
    """Inches of a unit across and along."""
    (low, high), (bottom, top) = panel.axes.get_xlim(), panel.axes.get_ylim()
    return panel.size[0] / (high - low), panel.size[1] / (top - bottom)


def _signs(corner: Corner) -> tuple[int, int]:
    right, up = corner
    return 1 if right else -1, 1 if up else -1


def _under_name(panel: Panel, at: Place, width: float, corner: Corner) -> Float[np.ndarray, "points 2"]:
    """Points under a name, which other names had better leave free."""
    (across, along), (right, up) = _inches(panel), _signs(corner)
    x = right * (BESIDE / 72 + width * np.array([0.02, 0.26, 0.5, 0.74, 0.98])) / across
    y = up * (ABOVE / 72 + line_height(SMALL) / 2) / along
    return np.column_stack([at[0] + x, np.full(len(x), at[1] + y)])


def _covered(panel: Panel, points: Float[np.ndarray, "points 2"], at: Place, width: float, corner: Corner) -> int:
    """How many of some points a name covers in a corner of its own."""
    right, up = _signs(corner)
    x, y = ((points - np.array(at)) * _inches(panel)).T
    across, along = right * x, up * y
    beside, above = BESIDE / 72 + width, ABOVE / 72 + line_height(SMALL)
    return int(((across > 0) & (across < beside) & (along > 0) & (along < above)).sum())


def _outside(panel: Panel, points: int, at: Place, width: float, corner: Corner) -> float:
    """How many of so many points a name could as well cover as go over an end of the axes there.

    All of them to the side, where it would be cut; above and below, where there is a margin, less than one.
    """
    (low, high), (bottom, top), (right, up) = panel.axes.get_xlim(), panel.axes.get_ylim(), _signs(corner)
    across, along = _inches(panel)
    room_x = ((high - at[0]) if right > 0 else (at[0] - low)) * across
    room_y = ((top - at[1]) if up > 0 else (at[1] - bottom)) * along
    over_side, over_end = room_x < BESIDE / 72 + width, room_y < ABOVE / 72 + line_height(SMALL)
    return points * float(over_side) + 0.5 * float(over_end)
