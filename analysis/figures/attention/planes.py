"""Heads in the plane: near each other where they look at the same tokens, coloured by role or by effect."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from analysis.figures.canvas import Drawing, Panel, Sample, Tip, draw, styled
from analysis.figures.canvas.style import GREY, INK, SERIES, SMALL
from analysis.figures.heat_maps import DIVERGING, colour_bar
from analysis.formatting import address, decimals, signed

MOST_ROLES = len(SERIES)
"""Roles that have a colour of their own, those of most heads."""

OTHER, NONE = "another role", "no role"

Row = Mapping[str, Any]


def plane_map(heads: pl.DataFrame, title: str, name: str, *, unit: str | None = None, limit: float = 1.0) -> Drawing:
    """Heads of one kind in the plane, each by the number of its layer.

    Args:
        heads: kind, layer, head, x, y, `role` (what it is coloured by; null for none) and `roles` (all of them, in
            words); where it is coloured by its effect, `effect`.
        title: what stands above.
        name: name of the drawing.
        unit: unit of the effects; None: heads are coloured by role.
        limit: effect at which colours saturate.
    """
    with styled():
        panel = Panel(title, 2.9, x="layers by their numbers; axes have no meaning of their own")
        axes = panel.axes
        looks = _looks(heads)
        if unit is None:
            panel.key = [Sample(role, _mark(*look)) for role, look in looks.items()]
        else:
            digits = decimals(unit)
            colour_bar(panel, limit, (f"≤ {signed(-limit, digits)}", "0", f"≥ {signed(limit, digits)} {unit}"))
        tips = {}
        for row in heads.rows(named=True):
            gid = f"head-{address(row)}"
            _draw(axes, row, gid, looks, unit, Normalize(-limit, limit))
            tips[gid] = Tip(_said(row, unit), address(row))
        _equal(panel, heads)
        return draw(panel, name, f"Heads in the plane by what they look at, {title}", heads, tips)


def _looks(heads: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """Colour and marker of the roles of most heads, of all others, and of heads without one."""
    often = heads["role"].drop_nulls().value_counts(sort=True)["role"].to_list()
    looks = dict(zip(often[:MOST_ROLES], SERIES, strict=False))
    if len(often) > MOST_ROLES:
        looks[OTHER] = (INK, "X")
    if heads["role"].null_count():
        looks[NONE] = (GREY, "o")
    return looks


def _mark(colour: str, marker: str) -> dict[str, Any]:
    return {"color": colour, "marker": marker, "markersize": 5, "markeredgewidth": 0, "alpha": 0.85}


def _draw(axes: Axes, row: Row, gid: str, looks: Mapping[str, tuple[str, str]], unit: str | None, norm: Any) -> None:
    """Draw one head and the number of its layer beside it."""
    if unit is None:
        role = NONE if row["role"] is None else row["role"] if row["role"] in looks else OTHER
        look = _mark(*looks[role])
    else:
        known = row["effect"] is not None
        colour = DIVERGING(norm(row["effect"])) if known else "none"
        look = {"color": colour, "marker": "o", "markersize": 6, "markeredgewidth": 0.5, "markeredgecolor": INK}
    axes.plot(row["x"], row["y"], linestyle="none", gid=gid, **look)
    place = {"xytext": (3, 2), "textcoords": "offset points"}
    axes.annotate(str(row["layer"]), (row["x"], row["y"]), fontsize=SMALL, alpha=0.6, **place)


def _said(row: Row, unit: str | None) -> str:
    words = f"{address(row)}: {row['roles'] or NONE}"
    if unit is None or row["effect"] is None:
        return words
    return f"{words}; effect {signed(row['effect'], decimals(unit))} {unit}"


def _equal(panel: Panel, heads: pl.DataFrame) -> None:
    """Give both axes one scale, so that distances can be seen."""
    axes, (wide, high) = panel.axes, panel.size
    points, sizes = heads.select("x", "y").to_numpy(), np.array([wide, high])
    low, top = points.min(axis=0), points.max(axis=0)
    half = (1.12 * float(((top - low) / sizes).max()) or 1.0) * sizes / 2
    (left, bottom), (right, upper) = (low + top) / 2 - half, (low + top) / 2 + half
    axes.set(xlim=(float(left), float(right)), ylim=(float(bottom), float(upper)))
    axes.set(xticks=[], yticks=[])
