"""Tables as the paper cuts them: one head off (table 1), one head left in a layer (tables 2 and 3).

Layers and heads count from 0, as everywhere here; the paper counts from 1. The paper's numbers stand beside ours where
subject and data are the paper's. The "best head" of a layer is picked on the data that it is shown on, as
in the paper, so its effect is flattered; no head at all in that layer is the control.
"""

from pathlib import Path

import polars as pl

from analysis import paper
from analysis.effects.head_effects import Measure
from analysis.results.domain import IDENTITY
from study.record.files import whole_file
from study.record.metrics import METRICS, Task
from study.record.units import AttentionKind

SURE = ["low", "high", "p_corrected", "significant"]
"""How sure one can be of an effect; `analysis.effects.head_effects.effects` says more."""

LAYER = [*IDENTITY, "metric", "kind", "layer"]

PAPER = ["subject", "domain", "metric", "kind", "layer"]
"""What a row of the paper's tables is found by."""


def table_1(effects: pl.DataFrame) -> pl.DataFrame:
    """Effect of each encoder self-attention head."""
    encoder = effects.filter(measure=Measure.ABLATION, kind=AttentionKind.ENCODER_SELF)
    joined = encoder.join(paper.one_head_off(), on=[*PAPER, "head"], how="left", maintain_order="left")
    return joined.select(*IDENTITY, "layer", "head", "unit", "base_score", "effect", *SURE, "paper_effect", "paper_p01")


def one_head_left(effects: pl.DataFrame) -> pl.DataFrame:
    """For each layer: its best head left alone, and the control of no head at all.

    Returns:
        Columns of the domain, then metric, kind, layer, heads_tried (of the layer), best_head (the first of equals),
        unit, effect, `SURE`, and the same of the control under no_head_effect ..., paper_effect, paper_p01.
    """
    best = (
        effects.filter(measure=Measure.ALL_BUT_ONE)
        .with_columns(heads_tried=pl.len().cast(pl.Int64).over(LAYER))
        .sort("effect", descending=True, maintain_order=True)
        .unique(subset=LAYER, keep="first", maintain_order=True)
        .select(*LAYER, "unit", "heads_tried", pl.col("head").alias("best_head"), "effect", *SURE)
    )
    control = effects.filter(measure=Measure.NO_HEAD).select(
        *LAYER, "unit", *(pl.col(name).name.prefix("no_head_") for name in ("effect", *SURE))
    )
    return (
        best.join(control, on=[*LAYER, "unit"], how="full", coalesce=True)
        .join(paper.one_head_left(), on=PAPER, how="left")
        .sort(*IDENTITY, pl.col("kind").cast(pl.Enum(list(map(str, AttentionKind)))), "layer")
    )


def paper_tables(effects: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The paper's tables 1 to 3 in our numbers, by file name: 2 is of translation, 3 of classification and the like."""
    translated = pl.col("metric").is_in([name for name, kind in METRICS.items() if Task.TRANSLATION in kind.tasks])
    return {
        "table1": table_1(effects),
        "table2": one_head_left(effects.filter(translated)),
        "table3": one_head_left(effects.filter(~translated)),
    }


def write(table: pl.DataFrame, folder: Path, name: str) -> None:
    """As `name.csv` and `name.parquet`, with every digit."""
    with whole_file(folder / f"{name}.csv") as draft:
        table.write_csv(draft)
    with whole_file(folder / f"{name}.parquet") as draft:
        table.write_parquet(draft)
