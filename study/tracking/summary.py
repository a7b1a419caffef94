"""What the summary of a run says of its masks: those that cost least and most."""

from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool

from study.record.heads import HeadLayout, mask_key, parse_mask
from study.record.metrics.statistics import Metric
from study.record.scores import mask_scores


def extremes(
    rows: pl.DataFrame, masks: Bool[np.ndarray, "masks heads"], layout: HeadLayout, metric: Metric
) -> dict[str, Any]:
    """The lowest and the highest effect among masks, with the mask in words; nothing where there are no masks.

    Args:
        rows: outcome rows of these masks and of the full one, on the same examples.
        masks: of the measure; the full one does not count.
        layout: the heads of the model.
        metric: what to score with; effects are in its unit.
    """
    full = layout.full_key
    scores = dict(mask_scores(rows, metric).select("mask", "score").iter_rows())
    effects = {key: scores[key] - scores[full] for key in map(mask_key, masks) if key != full and key in scores}
    if not effects:
        return {}
    lowest, highest = (choose(effects, key=effects.__getitem__) for choose in (min, max))
    return {
        "lowest_effect": effects[lowest],
        "lowest_effect_of": in_words(lowest, layout),
        "highest_effect": effects[highest],
        "highest_effect_of": in_words(highest, layout),
    }


def in_words(key: str, layout: HeadLayout) -> str:
    """A mask as people say it: `encoder_self.0.3 off`, `encoder_self.0.3 alone`, `no head in encoder_self.0`."""
    mask = parse_mask(key, layout)
    off = layout.changed(mask)
    if len(off) == 1:
        return f"{off[0]} off"
    kind, layer = off[0].kind, off[0].layer
    if all((head.kind, head.layer) == (kind, layer) for head in off):
        left = [head for head in layout.heads if (head.kind, head.layer) == (kind, layer) and head not in off]
        if not left:
            return f"no head in {kind}.{layer}"
        if len(left) == 1:
            return f"{left[0]} alone"
    return f"{len(off)} heads off"
