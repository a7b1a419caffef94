"""Tables of W&B (at most 10,000 rows), charts made from them, and figures as images."""

import io
import logging
from collections.abc import Sequence
from typing import Any

import polars as pl
import wandb
from PIL import Image

from analysis.curves.bands import mean_curves
from analysis.curves.order_names import units_removed
from analysis.effects.head_effects import ALL_KINDS, Measure
from analysis.figures import Drawing
from analysis.results.domain import Domain
from study.record.importance import Estimator, importance

log = logging.getLogger(__name__)

MOST_ROWS = 10_000
"""The most rows that a table in W&B has, by its own rules."""


def effects_table(effects: pl.DataFrame) -> pl.DataFrame:
    """Effects as W&B shows them: the address as one name in front, then every number."""
    index = pl.col("head").cast(pl.String).fill_null("all")
    address = pl.concat_str(pl.col("kind"), pl.col("layer").cast(pl.String), index, separator=".")
    names = effects.select("measure", head=address, kind="kind", layer="layer", index="head")
    unlike = {"measure", "head", "kind", "layer", "subject", "subject_id", "domain", "setting_id"}
    return names.hstack(effects.select(name for name in effects.columns if name not in unlike))


def importance_table(domain: Domain) -> pl.DataFrame:
    """Importance of every head by each estimator and loss; no rows where it was not measured.

    Returns:
        Columns head (its address), kind, layer, index; loss, estimator, importance (as published with the estimator).
    """
    heads, full = domain.layout.heads, domain.layout.full_key
    parts = [
        pl.DataFrame(
            {
                "head": list(map(str, heads)),
                "kind": [str(head.kind) for head in heads],
                "layer": [head.layer for head in heads],
                "index": [head.index for head in heads],
                "loss": str(loss),
                "estimator": str(estimator),
                "importance": importance(rows.filter(mask=full), domain.layout, estimator),
            }
        )
        for loss, rows in domain.gradients.items()
        if rows.height
        for estimator in Estimator
    ]
    columns = ["head", "kind", "layer", "index", "loss", "estimator", "importance"]
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))


def wandb_table(frame: pl.DataFrame, name: str) -> wandb.Table:
    """A table for W&B; what is too long is cut, and a line says so."""
    if frame.height > MOST_ROWS:
        log.warning(
            "table %s has %s rows: W&B is shown the first %s, the artifact beside it has all",
            name,
            f"{frame.height:,}",
            f"{MOST_ROWS:,}",
        )
    return wandb.Table(columns=[*frame.columns], data=[list(row) for row in frame.head(MOST_ROWS).rows()])


def tables_and_charts(tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    """The tables that have rows, by name, and the charts that can be drawn from them.

    Args:
        tables: `effects`, as `effects_table`; `curves`, as in an `Analysis`; `importance`, as `importance_table`.
    """
    media: dict[str, Any] = {name: wandb_table(frame, name) for name, frame in tables.items() if frame.height}
    one_off = tables["effects"].filter(measure=Measure.ABLATION)
    if one_off.height:
        bars, title = one_off.select("head", "effect"), f"Effect of one head ({one_off['unit'][0]})"
        media["charts/effects"] = wandb.plot.bar(
            wandb_table(bars, "effects of single heads"), "head", "effect", title=title
        )
    if tables["curves"].height:
        lines = wandb_table(_strokes(tables["curves"]), "pruning curves")
        title = f"{units_removed(tables['curves'])} removed"
        title = title[0].upper() + title[1:]
        media["charts/curves"] = wandb.plot.line(lines, "share", "score", stroke="curve", title=title)
    if tables["importance"].height:
        first = {"estimator": str(Estimator.paper), "loss": tables["importance"]["loss"][0]}
        bars = wandb_table(tables["importance"].filter(**first).select("head", "importance"), "importance")
        media["charts/importance"] = wandb.plot.bar(bars, "head", "importance", title="Importance")
    return media


def _strokes(points: pl.DataFrame) -> pl.DataFrame:
    """One stroke a curve, each share once: the seeds of a random order by their mean; kinds of heads apart."""
    kinds = pl.when(pl.col("kinds") == ALL_KINDS).then(pl.lit("")).otherwise(", " + pl.col("kinds"))
    means = mean_curves(points).with_columns(curve=pl.col("curve") + kinds)
    return means.sort("curve", "share", maintain_order=True).select("share", "score", "curve")


def images(drawings: Sequence[Drawing]) -> dict[str, wandb.Image]:
    """Figures as images, by name."""
    return {f"figures/{drawing.name}": wandb.Image(_pixels(drawing), caption=drawing.title) for drawing in drawings}


def _pixels(drawing: Drawing) -> Image.Image:
    return Image.open(io.BytesIO(drawing.png())).convert("RGB")  # opaque: W&B's ground may be dark
