"""Figure 2: the effect of each head, or other unit, on two domains, one against the other, with their intervals."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.attention_kinds import by_style, style_of
from analysis.figures.canvas import Drawing, Panel, Sample, Tip, draw, limits, styled
from analysis.figures.canvas.point_names import name_points
from analysis.figures.canvas.style import INK
from analysis.formatting import address, decimals, interval, signed, unit_name
from study.record.units import UnitLevel

NAMED = 3
"""Heads of largest effect that have their name written beside them."""

OUTLIER = 8
"""Diameter in points of the ring around a named head."""

SMALL_WIDTH, SMALL_HEIGHT = 2.71, 1.55
"""Inches of a miniature, and of its axes."""

MUCH_WIDER = 4.0
"""From so many times the width on, a scale shows nothing of what lies on another."""

SHOWN = ("effect", "low", "high")
"""Columns of what an axis must hold."""

Names = tuple[str, str]
Ends = tuple[float, float]


def scatter(
    both: pl.DataFrame, labels: Names, units: Names, title: str, name: str, compared: pl.DataFrame | None = None
) -> Drawing:
    """Figure 2 of two domains, on one scale where that shows both; the heads farthest out are ringed and named.

    Args:
        both: heads with columns kind, layer, head, effect_a, effect_b; low_a, high_a, low_b, high_b, where known, give
            bars; level, where they are other units.
        labels: names of the two domains.
        units: unit of the effects on each of them; where they differ, each axis has a scale of its own.
        title: what stands above.
        name: name of the drawing.
        compared: effects of every domain whose panel shares the scale of this one, unless that is much wider than the
            effects of these two: columns effect, low, high.
    """
    kinds, noun = [kind for kind, _ in by_style(both)], _noun(both)
    with styled():
        panel = Panel(title, 3.0, x=_axis(labels[0], units[0]), y=_axis(labels[1], units[1]))
        panel.key = [Sample(style_of(kind).label, _look(kind)) for kind in kinds] if len(kinds) > 1 else []
        across, along = _scales(both, apart=units[0] != units[1], compared=compared)
        _set_limits(panel.axes, across, along)
        panel.height = panel.size[0]
        tips = _draw_heads(panel.axes, both, labels, units, bars=True)
        _name_outliers(panel, both, several=len(kinds) > 1, apart=across != along)
        return draw(panel, name, f"Effect of each {noun} on {labels[0]} against {labels[1]}, {title}", both, tips)


def small_scatter(both: pl.DataFrame, labels: Names, units: Names, title: str, name: str) -> Drawing:
    """Figure 2 in miniature: points without bars, names of domains without numbers; arguments as for `scatter`."""
    with styled():
        x, y = (_axis(label, unit).removesuffix(f" ({unit})") for label, unit in zip(labels, units, strict=True))
        panel = Panel(title, SMALL_HEIGHT, x=x, y=y, width=SMALL_WIDTH)
        sides = (("effect_a", "effect_b"),) * 2 if units[0] == units[1] else (("effect_a",), ("effect_b",))
        _set_limits(panel.axes, *(limits(both, columns, 0.0) for columns in sides))
        panel.axes.set(xticks=[], yticks=[])
        tips = _draw_heads(panel.axes, both, labels, units, bars=False)
        title = f"Effect of each {_noun(both)} on {labels[0]} against {labels[1]}, {title}"
        return draw(panel, name, title, both, tips)


def _noun(both: pl.DataFrame) -> str:
    """What one of the units is called."""
    return UnitLevel(both["level"][0] if "level" in both.columns else UnitLevel.head).noun


def _axis(label: str, unit: str) -> str:
    """What an axis is called: an effect on a domain, or a score, with whose name the label begins."""
    return label if label.startswith(unit) else f"effect on {label} ({unit})"


def _ends(both: pl.DataFrame, sides: str = "ab") -> pl.DataFrame:
    """Every number of these domains as columns effect, low, high, where known."""
    known = [column for column in ("effect", "low", "high") if f"{column}_a" in both.columns]
    return pl.concat([both.select(pl.col(f"{column}_{side}").alias(column) for column in known) for side in sides])


def _scales(both: pl.DataFrame, *, apart: bool, compared: pl.DataFrame | None) -> tuple[Ends, Ends]:
    """What the two axes show: one scale for both, two where they are `apart` or the domain of one is much wider."""
    across, along = limits(_ends(both, "a"), SHOWN, 0.0), limits(_ends(both, "b"), SHOWN, 0.0)
    if apart or max(_ratio(across, along), _ratio(along, across)) > MUCH_WIDER:
        return across, along
    own = limits(_ends(both), SHOWN, 0.0)
    common = own if compared is None else limits(compared, SHOWN, 0.0)
    shown = own if _ratio(common, own) > MUCH_WIDER else common
    return shown, shown


def _ratio(one: Ends, other: Ends) -> float:
    """How many times as wide as another a scale is."""
    return (one[1] - one[0]) / (other[1] - other[0])


def _set_limits(axes: Axes, across: tuple[float, float], along: tuple[float, float]) -> None:
    """Give the axes their limits."""
    axes.set(xlim=across, ylim=along)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6))


def _draw_heads(axes: Axes, both: pl.DataFrame, labels: Names, units: Names, bars: bool) -> dict[str, Tip]:
    """Draw the lines of no effect and of equal effects, and every head; what each says."""
    for line in (axes.axhline, axes.axvline):
        line(0, color=INK, linewidth=0.5, alpha=0.35, zorder=0)
    if units[0] == units[1]:
        axes.axline((0, 0), slope=1, color=INK, linewidth=0.6, alpha=0.5, linestyle=(0, (4, 3)), zorder=0)
    tips = {}
    for kind, heads in by_style(both):
        if bars and {"low_a", "high_a", "low_b", "high_b"} <= set(heads.columns):
            style: dict[str, Any] = {"color": style_of(kind).colour, "linewidth": 0.6, "alpha": 0.35, "zorder": 1}
            axes.hlines(heads["effect_b"].to_numpy(), heads["low_a"].to_numpy(), heads["high_a"].to_numpy(), **style)
            axes.vlines(heads["effect_a"].to_numpy(), heads["low_b"].to_numpy(), heads["high_b"].to_numpy(), **style)
        for row in heads.rows(named=True):
            gid = f"head-{address(row)}"
            at = [row["effect_a"]], [row["effect_b"]]
            axes.add_artist(Line2D(*at, linestyle="none", gid=gid, **_look(kind)))  # `plot` would look for limits
            tips[gid] = Tip(_said(row, labels, units), address(row))
    return tips


def _look(kind: str) -> dict[str, Any]:
    style = style_of(kind)
    return {"marker": style.marker, "color": style.colour, "markersize": 4, "markeredgewidth": 0, "alpha": 0.8}


def _said(row: Mapping[str, Any], labels: Names, units: Names) -> str:
    """`cross.2.1: home −0.53 points (−0.80 to −0.21); away ...`."""
    numbers = (
        f"{label} {signed(row[f'effect_{side}'], decimals(unit))} {unit}{interval(row, side, unit)}"
        for side, label, unit in zip("ab", labels, units, strict=True)
    )
    return f"{address(row)}: {'; '.join(numbers)}"


def _name_outliers(panel: Panel, both: pl.DataFrame, several: bool, *, apart: bool) -> None:
    """Ring the heads of largest effect and write their names beside them, where they cover fewest other heads.

    Where axes have scales `apart`, an effect is as large as it is beside the largest on its axis.
    """
    scales = {name: float(both[name].abs().max()) if apart else 1.0 for name in ("effect_a", "effect_b")}  # type: ignore[arg-type]
    size = pl.max_horizontal(*(pl.col(name).abs() / scale for name, scale in scales.items()))
    named = []
    for row in both.sort(size, descending=True, maintain_order=True).head(NAMED).iter_rows(named=True):
        at = (row["effect_a"], row["effect_b"])
        ring = {"markersize": OUTLIER, "markerfacecolor": "none", "markeredgecolor": INK, "markeredgewidth": 0.7}
        panel.axes.plot(*at, "o", **ring)
        named.append((unit_name(row, several), at))
    name_points(panel, both.select("effect_a", "effect_b").to_numpy(), named)
