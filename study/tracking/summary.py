"""What the summary of a run says of its masks: those that cost least and most."""

from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool

from study.record.metrics import Metric
from study.record.scores import mask_scores
from study.record.units import HeadLayout, parse_mask


def extremes(
    rows: pl.DataFrame, masks: Bool[np.ndarray, "masks heads"], layout: HeadLayout, metric: Metric
) -> dict[str, Any]:
    """The lowest and the highest effect among masks, with the mask in words; nothing where there are no masks.

    Args:
        rows: outcome rows of these masks and of the full one, on the same examples.
        masks: masks of the measure; the full one does not count.
        layout: the heads of the model.
        metric: what to score with; effects are in its unit.
    """
    full = layout.full_key
    scores = dict(mask_scores(rows, metric).select("mask", "score").iter_rows())
    effects = {key: scores[key] - scores[full] for key in map(layout.key, masks) if key != full and key in scores}
    if not effects:
        return {}
    summary = {}
    for name, choose in (("lowest", min), ("highest", max)):
        key = choose(effects, key=effects.__getitem__)
        summary |= {f"{name}_effect": effects[key], f"{name}_effect_of": layout.describe(parse_mask(key, layout))}
    return summary
