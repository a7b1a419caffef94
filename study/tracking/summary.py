"""What the summary of a run says of its masks: those that cost least and most."""

from collections.abc import Mapping
from typing import Any

from study.record.units import HeadLayout, parse_mask


def extremes(scores: Mapping[str, float], layout: HeadLayout) -> dict[str, Any]:
    """The lowest and the highest effect among masks, with the mask in words; nothing where there are no masks.

    Args:
        scores: the score of each mask of a measure, and of the full one, by key, on the same examples.
        layout: the heads of the model.
    """
    full = layout.full_key
    effects = {key: score - scores[full] for key, score in scores.items() if key != full}
    if not effects:
        return {}
    summary = {}
    for name, choose in (("lowest", min), ("highest", max)):
        key = choose(effects, key=effects.__getitem__)
        summary |= {f"{name}_effect": effects[key], f"{name}_effect_of": layout.describe(parse_mask(key, layout))}
    return summary
