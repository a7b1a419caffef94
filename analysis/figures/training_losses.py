"""The course of a training: its losses and its score on the dev data by epoch, a line for each seed."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from analysis.figures.canvas import Curve, Drawing, Panel, Sample, draw, name_curves, styled
from analysis.figures.canvas.style import BLUE, INK, LINES


def losses(rows: pl.DataFrame, title: str, name: str) -> Drawing:
    """Loss on the training and on the dev data by epoch, from rows of `read_trainings` that are about one model."""
    return _by_epoch(rows, {"training": ("loss", LINES[1]), "dev": ("dev_loss", LINES[0])}, "loss (nats)", title, name)


def dev_scores(rows: pl.DataFrame, title: str, name: str) -> Drawing:
    """Score on the dev data (accuracy, Pearson's r of a regression) by epoch, of rows as `losses` takes them."""
    return _by_epoch(rows, {"dev": ("dev_score", LINES[0])}, "score on the dev data", title, name)


def _by_epoch(rows: pl.DataFrame, lines: Mapping[str, tuple[str, Any]], y: str, title: str, name: str) -> Drawing:
    with styled():
        panel = Panel(title, 2.1, x="epoch", y=y)
        named, others, key = [], [], []
        for label, (column, style) in lines.items():
            dev = column.startswith("dev")
            colour = BLUE if dev else INK
            look = {"color": colour, "linestyle": style, "linewidth": 1.1, "marker": "o" if dev else None}
            for i, run in enumerate(rows.drop_nulls(column).partition_by("training_id", maintain_order=True)):
                curve = Curve(label, colour, run["epoch"].to_list(), run[column].to_list())
                panel.axes.plot(curve.x, curve.y, markersize=2.5, **look)
                (others if i else named).append(curve)
            key.append(Sample(label, {**look, "markersize": 2.5}))
        panel.axes.set_xlim(left=0)
        panel.axes.set_ylim(bottom=0)
        if len(lines) > 1 and not name_curves(panel, named, others):
            panel.key = key
        data = rows.select("training", "training_id", "seed", "epoch", *(column for column, _ in lines.values()))
        return draw(panel, name, f"{y} by epoch, {title}", data)
