"""Kept sets made at random, each rater's by its own share and some heads liked by all."""

import numpy as np

from analysis.agreement import KeptSets
from study.record.units import AttentionKind, HeadLayout


def made(
    rng: np.random.Generator, raters: int = 5, layers: int = 4, per_layer: int = 6, liking: float = 1.0
) -> KeptSets:
    heads = HeadLayout({AttentionKind.ENCODER_SELF: (per_layer,) * layers}).heads
    liked = liking * rng.normal(size=len(heads))
    kept = liked + rng.normal(size=(raters, len(heads))) > rng.normal(scale=0.5, size=(raters, 1))
    return KeptSets("made", "seed", tuple(map(str, range(raters))), heads, kept)
