"""The course of a training: its losses and its score on the dev data by epoch, a line for each seed."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from analysis.figures.drawing import BLUE, INK, LEGEND_BELOW, LINES, Drawing, draw, panel, styled


def losses(rows: pl.DataFrame, title: str, name: str) -> Drawing:
    """Loss on the training and on the dev data by epoch, from rows of `read_trainings` that are about one model."""
    return _by_epoch(rows, {"training": ("loss", LINES[1]), "dev": ("dev_loss", LINES[0])}, "loss (nats)", title, name)


def dev_scores(rows: pl.DataFrame, title: str, name: str) -> Drawing:
    """Accuracy on the dev data by epoch, of rows as `losses` takes them."""
    return _by_epoch(rows, {"dev": ("dev_score", LINES[0])}, "accuracy (%)", title, name)


def _by_epoch(rows: pl.DataFrame, lines: Mapping[str, tuple[str, Any]], y: str, title: str, name: str) -> Drawing:
    with styled():
        figure, axes = panel(4.1, 3.0)
        for label, (column, style) in lines.items():
            for i, run in enumerate(rows.drop_nulls(column).partition_by("training_id", maintain_order=True)):
                axes.plot(
                    run["epoch"].to_numpy(),
                    run[column].to_numpy(),
                    color=BLUE if column.startswith("dev") else INK,
                    linestyle=style,
                    linewidth=1.1,
                    marker="o" if column.startswith("dev") else None,
                    markersize=2.5,
                    label=label if i == 0 else None,
                )
        axes.set(title=title, xlabel="epoch", ylabel=y)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        if len(lines) > 1:
            figure.legend(**LEGEND_BELOW, ncols=len(lines))
        return draw(figure, name, f"{y} by epoch, {title}")
