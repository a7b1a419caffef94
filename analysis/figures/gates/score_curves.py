"""Heads kept against score: a curve for each method, the un-pruned model as the line that they are held against.

After figure 7 of Voita et al. (2019), with what it lacks: the other methods, every seed, and intervals.
"""

from collections.abc import Iterator

import polars as pl

from analysis.figures.canvas import Drawing, Panel, Sample, Tip, draw, limits, styled
from analysis.figures.canvas.style import BAND, DASHED, INK, LINES
from analysis.figures.pruning_curves import ORDER_COLOURS, OTHER_COLOUR
from analysis.formatting import decimal, score_axis
from study.record.metrics import METRICS

LEARNED_COLOURS = {"hard_concrete": "#c2477f", "subset": "#7a5cc0"}
"""The colours of methods that follow no order, by name of the gates."""

DODGE = 0.012
"""Distance between methods that keep as many heads, as a share of all heads: their points stand side by side."""

LINE = ["method", "updates", "amount"]
"""Columns that say which point of a curve a training is behind."""

MARKERS = ("o", "s", "^", "D", "v", "P")


def score_curves(curves: pl.DataFrame, kept: pl.DataFrame, title: str, name: str) -> Drawing:
    """The score of every method over the heads that it keeps.

    Args:
        curves: rows of one comparison, as `analysis.gates.scores.curve_table` has them.
        kept: the trainings behind them, rows of `kept_table`; drawn where a method has several seeds.
        title: what stands above.
        name: name of the drawing.
    """
    metric, heads = curves["metric"][0], curves["heads"][0]
    several = curves["updates"].n_unique() > 1
    with styled():
        panel = Panel(title, 2.5, x=f"heads kept, of {heads}", y=score_axis(metric))
        references = curves.filter("reference").rows(named=True)
        key = [_draw_reference(panel, row, at, several) for at, row in enumerate(references)]
        tips: dict[str, Tip] = {}
        curves = side_by_side(curves)
        kept = kept.join(curves.select(*LINE, "aside").unique(), on=LINE, how="left").fill_null(0)
        for at, (label, colour, style, line) in enumerate(_lines(curves.filter(~pl.col("reference")), several)):
            look = {"color": colour, "linestyle": style, "marker": MARKERS[at % len(MARKERS)], "markersize": 3.5}
            _draw_line(panel, line, look)
            seeds = kept.join(line.select(*LINE).unique(), on=LINE)
            tips |= _draw_seeds(panel, seeds, line, look, at)
            key.append(Sample(label, look))
        columns = ("score", "score_low", "score_high", "score_seeds_low", "score_seeds_high")
        panel.axes.set(xlim=(-0.02 * heads, 1.02 * heads), ylim=limits(curves, columns, *kept["score"]))
        panel.key = key
        data = curves.drop("comparison", "reference", "order", "gates", "aside")
        return draw(panel, name, f"Score over the heads kept, {title}", data, tips)


def side_by_side(curves: pl.DataFrame) -> pl.DataFrame:
    """The curves with a column `aside`: how far from its number of heads a point is drawn, in heads.

    It is 0 where no other method keeps as many.
    """
    rank = pl.col("method").rank("dense").over("kept", "reference").cast(pl.Float64)
    middle = (pl.col("method").n_unique().over("kept", "reference") + 1) / 2
    shift = (rank - middle) * DODGE * pl.col("heads")
    return curves.with_columns(aside=pl.when("reference").then(0.0).otherwise(shift))


def _draw_reference(panel: Panel, row: dict, at: int, several: bool) -> Sample:
    """The un-pruned model: a line over the whole width, and its interval over examples."""
    look = {"color": INK, "linewidth": 0.9, "linestyle": (DASHED, *LINES[2:])[at % 3], "alpha": 0.7}
    panel.axes.axhline(row["score"], zorder=0, **look)
    if row["score_low"] is not None:
        panel.axes.axhspan(row["score_low"], row["score_high"], color=INK, alpha=0.5 * BAND, linewidth=0, zorder=0)
    return Sample(_label(row, several), look)


def _label(row: dict, several: bool) -> str:
    """The method of a row, with its updates where there are several numbers of them."""
    return f"{row['method']}, {row['updates']:,} updates" if several and row["updates"] is not None else row["method"]


def _lines(curves: pl.DataFrame, several: bool) -> Iterator[tuple[str, str, object, pl.DataFrame]]:
    """Each line with its name, colour and dashes; lines of one colour differ in their dashes."""
    drawn: dict[str, int] = {}
    for _, line in curves.group_by("method", "updates", maintain_order=True):
        first = line.row(0, named=True)
        colour = LEARNED_COLOURS.get(first["gates"]) or ORDER_COLOURS.get(first["order"], OTHER_COLOUR)
        style = LINES[drawn.setdefault(colour, 0) % len(LINES)]
        drawn[colour] += 1
        yield _label(first, several), colour, style, line.sort("kept")


def _draw_line(panel: Panel, line: pl.DataFrame, look: dict) -> None:
    """The means over seeds with bars over examples; a band over seeds where there are enough of them."""
    x, y = line["kept"] + line["aside"], line["score"]
    over_seeds = line.drop_nulls("score_seeds_low")
    if over_seeds.height == line.height > 1:
        low, high = over_seeds["score_seeds_low"], over_seeds["score_seeds_high"]
        panel.axes.fill_between(x, low, high, color=look["color"], alpha=BAND, linewidth=0)
    panel.axes.plot(x, y, **look)
    bars = line.drop_nulls("score_low")
    panel.axes.vlines(
        bars["kept"] + bars["aside"], bars["score_low"], bars["score_high"], color=look["color"], linewidth=0.8
    )


def _draw_seeds(panel: Panel, seeds: pl.DataFrame, line: pl.DataFrame, look: dict, at: int) -> dict[str, Tip]:
    """A pale point for each seed, which says what it is when it is pointed at."""
    if line["seeds"].max() == 1:
        return {}
    tips, digits = {}, METRICS[line["metric"][0]].digits
    pale = {"color": look["color"], "marker": look["marker"], "markersize": 2.5, "alpha": 0.45, "linestyle": "none"}
    for number, row in enumerate(seeds.rows(named=True)):
        gid = f"seed-{at}-{number}"
        panel.axes.plot([row["kept"] + row["aside"]], [row["score"]], gid=gid, **pale)
        what = f"{row['method']}, {row['amount']}, seed {row['seed']}"
        tips[gid] = Tip(f"{what}: {row['kept']} of {row['heads']} heads kept, {decimal(row['score'], digits)}")
    return tips
