"""The capacity curve: what a later task reaches over the heads that are free, and what these cost the earlier one."""

from collections.abc import Iterator, Mapping
from itertools import cycle

import polars as pl
from matplotlib.ticker import MaxNLocator

from analysis.figures.canvas import Drawing, Panel, Sample, Tip, draw, limits, styled
from analysis.figures.canvas.style import BAND, BLUE, DASHED, GREEN, GREY, INK, LINES, ORANGE, SERIES
from analysis.figures.second_tasks.control_rows import told
from analysis.formatting import decimal, decimals, score_axis, signed
from analysis.inference.seeds import ENDS

HEIGHT = 2.4
"""Inches of the axes."""

MOST_TICKS = 6
"""Numbers of free heads that are named on the axis one by one."""

MARKERS = ("o", "s", "^", "D", "v", "P")

COLOURS = {
    "free heads": BLUE,
    "random heads": GREY,
    "most needed heads": ORANGE,
    "LoRA": GREEN,
    "output layer alone": INK,
    "model before": INK,
    "all weights": INK,
}
"""Colours of methods by their short names; others have those of series."""

DASHES = {"output layer alone": LINES[2], "model before": LINES[2], "all weights": DASHED}


def capacity_curve(curves: pl.DataFrame, later: pl.DataFrame, value: str, title: str, name: str) -> Drawing:
    """The score or loss of the later task over the heads that are free; what does not depend on them is a level.

    Bars are intervals over seeds where there are enough of them, else over examples; the axis says which.

    Args:
        curves: rows of one comparison, as `analysis.second_tasks.scores.curve_table` has them.
        later: the trainings behind them, rows of `later_table`.
        value: `score` or `loss`.
        title: what stands above.
        name: name of the drawing.
    """
    metric = curves["metric"][0]
    axis = score_axis(metric) if value == "score" else "loss (nats)"
    curves = _with_names(curves.drop_nulls(value))
    later = later.drop_nulls(value).join(curves.select("method", "updates").unique(), on=["method", "updates"])
    lines, levels = curves.filter("by_heads"), curves.filter(~pl.col("by_heads"))
    digits = decimals(curves["unit"][0]) if value == "score" else 4
    with styled():
        panel = Panel(title, HEIGHT, x=f"{_x_name(curves)}\n{_bars_name(lines, value)}".rstrip(), y=axis)
        looks = _looks(pl.concat([lines, levels]))
        tips: dict[str, Tip] = {}
        for line, own in _by_line(levels):
            _draw_level(panel, own, value, looks[line])
        for at, (line, own) in enumerate(_by_line(lines)):
            look = {**looks[line], "marker": MARKERS[at % len(MARKERS)], "markersize": 3.5}
            looks[line] = look
            _draw_line(panel, own, value, look)
            seeds = later.join(own.select("method", "updates").unique(), on=["method", "updates"])
            tips |= _draw_seeds(panel, seeds, value, look, f"{at}", digits)
        columns = [f"{value}{end}" for end in ("", "_seeds_low", "_seeds_high")]
        bars = _bars(lines, value)
        panel.axes.set(ylim=limits(curves, columns, *later[value], *bars["bar_low"], *bars["bar_high"]))
        _name_heads(panel, lines if lines.height else curves)
        panel.key = [Sample(line, look) for line, look in looks.items()]
        data = curves.select("method", "updates", "seeds", "freed", "share", *_numbers(curves, value), "parameters")
        what = "Score" if value == "score" else "Loss"
        return draw(panel, name, f"{what} over the heads that are free, {title}", data, tips)


def cost_curve(earlier: pl.DataFrame, title: str, name: str) -> Drawing:
    """What the mask costs an earlier task over the heads that it gave, with intervals over examples.

    Args:
        earlier: rows of one comparison and one earlier task on some data, as `earlier_table` has them, in which it gave
            heads.
        title: what stands above.
        name: name of the drawing.
    """
    unit, earlier = earlier["unit"][0], _with_names(earlier)
    with styled():
        panel = Panel(title, HEIGHT, x=_x_name(earlier), y=f"change of its score ({unit})")
        panel.axes.axhline(0, color=INK, linewidth=0.8, linestyle=DASHED, alpha=0.6, zorder=0)
        looks = _looks(earlier)
        tips: dict[str, Tip] = {}
        for at, (line, own) in enumerate(_by_line(earlier)):
            look = {**looks[line], "marker": MARKERS[at % len(MARKERS)], "markersize": 3.5}
            looks[line] = look
            panel.axes.plot(own["freed"], own["change"], linestyle=look["linestyle"], color=look["color"])
            panel.axes.vlines(own["freed"], own["change_low"], own["change_high"], color=look["color"], linewidth=0.8)
            for row in own.rows(named=True):
                gid = f"cost-{at}-{row['freed']:g}"
                panel.axes.plot([row["freed"]], [row["change"]], gid=gid, **look)
                tips[gid] = Tip(
                    f"{row['method']}, {row['freed']:g} heads: {signed(row['change'], decimals(unit))} {unit}"
                )
        panel.axes.set(ylim=limits(earlier, ["change", "change_low", "change_high"], 0.0))
        _name_heads(panel, earlier)
        panel.key = [Sample(line, look) for line, look in looks.items()]
        columns = ("method", "updates", "seeds", "freed", "share", "score_before", "score_after")
        data = earlier.select(*columns, *_numbers(earlier, "change"))
        return draw(panel, name, f"What free heads cost, {title}", data, tips)


def _x_name(rows: pl.DataFrame) -> str:
    return f"free heads, of {rows['heads'][0]}"


def _with_names(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the column `line`: the name of each method, with its updates where it was trained for several."""
    kinds = rows.unique(["method", "updates"], maintain_order=True)
    names = pl.Series("line", told(kinds))
    if names.is_duplicated().any():
        names = pl.Series(
            "line", [f"{name}, {number:,} updates" for name, number in zip(names, kinds["updates"], strict=True)]
        )
    return rows.join(kinds.select("method", "updates", names), on=["method", "updates"], maintain_order="left")


def _by_line(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for (line,), own in rows.group_by("line", maintain_order=True):
        yield str(line), own.sort("freed")


def _looks(rows: pl.DataFrame) -> dict[str, dict]:
    """The colour and dashes of each line; of several with one short name the first has that name's colour."""
    found: dict[str, dict] = {}
    colours, others = dict(COLOURS), cycle(colour for colour, _ in SERIES)
    for line, short in rows.select("line", "short").unique(maintain_order=True).rows():
        found[line] = {"color": colours.pop(short, "") or next(others), "linestyle": DASHES.get(short, "-")}
    return found


def _numbers(rows: pl.DataFrame, name: str) -> list[str]:
    """A number and the ends of its intervals."""
    return [column for column in (f"{name}{end}" for end in ENDS) if column in rows.columns]


def _draw_level(panel: Panel, own: pl.DataFrame, value: str, look: Mapping) -> None:
    """A method that does not depend on which heads are free: a line over the whole width, its interval over seeds."""
    row = own.row(0, named=True)
    panel.axes.axhline(row[value], zorder=0, linewidth=1.0, alpha=0.8, **look)
    if row[f"{value}_seeds_low"] is not None:
        low, high = row[f"{value}_seeds_low"], row[f"{value}_seeds_high"]
        panel.axes.axhspan(low, high, color=look["color"], alpha=0.5 * BAND, linewidth=0, zorder=0)


def _draw_line(panel: Panel, line: pl.DataFrame, value: str, look: Mapping) -> None:
    """The means over seeds, with bars over seeds where there are enough of them, else over examples."""
    panel.axes.plot(line["freed"], line[value], **look)
    bars = _bars(line, value)
    panel.axes.vlines(bars["freed"], bars["bar_low"], bars["bar_high"], color=look["color"], linewidth=0.9)


def _bars(lines: pl.DataFrame, value: str) -> pl.DataFrame:
    """The rows that have an interval: `bar_low`, `bar_high`, and whether it is over `seeds`."""
    over_seeds = pl.col(f"{value}_seeds_low").is_not_null()
    ends = [
        pl.when(over_seeds).then(f"{value}_seeds_{end}").otherwise(f"{value}_{end}").alias(f"bar_{end}")
        for end in ("low", "high")
    ]
    return lines.with_columns(*ends, bar_over_seeds=over_seeds).drop_nulls("bar_low")


def _bars_name(lines: pl.DataFrame, value: str) -> str:
    """What the bars are over, and that one seed says nothing of others."""
    bars = _bars(lines, value)
    over = {True: "seeds", False: "examples"}
    known = [over[each] for each in (True, False) if each in set(bars["bar_over_seeds"])]
    told = [f"bars: {100 * (1 - bars['alpha'][0]):g} % over {' or '.join(known)}"] if known else []
    alone = ["one seed, no spread"] if lines.height and set(lines["seeds"]) == {1} else []
    return "; ".join([*told, *alone])


def _draw_seeds(panel: Panel, seeds: pl.DataFrame, value: str, look: Mapping, line: str, digits: int) -> dict[str, Tip]:
    """A pale point for each training, which says what it is when it is pointed at."""
    tips = {}
    pale = {"color": look["color"], "marker": look["marker"], "markersize": 2.5, "alpha": 0.45, "linestyle": "none"}
    for at, row in enumerate(seeds.rows(named=True)):
        gid = f"seed-{line}-{at}"
        panel.axes.plot([row["freed"]], [row[value]], gid=gid, **pale)
        what = f"{row['method']}, {row['freed']} of {row['heads']} heads, seed {row['seed']}"
        tips[gid] = Tip(f"{what}: {decimal(row[value], digits)}")
    return tips


def _name_heads(panel: Panel, rows: pl.DataFrame) -> None:
    """The axis of heads: each number with its share below, where there are few."""
    heads, freed = rows["heads"][0], sorted(set(rows["freed"]))
    air = 0.06 * max(heads * 0.1, freed[-1] - freed[0]) + 0.2
    panel.axes.set_xlim(min(freed) - air, max(freed) + air)
    if len(freed) <= MOST_TICKS:
        panel.axes.set_xticks(freed, [f"{number:.3g}\n{100 * number / heads:.0f} %" for number in freed])
    else:
        panel.axes.xaxis.set_major_locator(MaxNLocator(nbins=MOST_TICKS, integer=True))
