"""Matching of heads: which head of one model does what a head of another does, where their places say nothing?

Within each layer, heads are assigned one to one by what their removal does to the same groups of examples, so that the
total similarity is largest (Kuhn 1955); similarity is the cosine of what each group adds to their effects. A third of
the groups decides the assignment. R of the matched heads is of the other two thirds, crossed: one model on one of them,
the other model on the other. A match always looks better than none, since large effects meet large ones: beside it
stands r of heads matched on shuffled groups, which size alone decides, and r of heads at the same place.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import optimize

from analysis.correlation.coefficients import pearson
from analysis.correlation.pair_numbers import PairResamples
from analysis.correlation.pairs import FEWEST
from analysis.correlation.true_correlation import NoisyEffects
from analysis.inference.resampling import percentile
from study.record.units import Layer, Mlp, layer_of

Patterns = Float[np.ndarray, "groups heads"]


@dataclass(frozen=True)
class MatchedHeads:
    """How well the heads of two models agree once they are matched; means over splits, None with a reason.

    Attributes:
        matched: r of the effects of matched heads, crossed.
        low: lowest of the middle 95 % of splits: how much a split matters, no interval.
        high: highest of them.
        by_size: r of heads that were matched on shuffled groups: by their size alone.
        in_place: r of heads at the same place, crossed as well.
        ceiling: the largest r to expect, from how well each model agrees with itself.
        same_place: share of the heads that are matched with the one at their own place.
        same_place_by_chance: that share if any head of the layer were as likely.
        reason: why there is nothing to match.
    """

    matched: float | None = None
    low: float | None = None
    high: float | None = None
    by_size: float | None = None
    in_place: float | None = None
    ceiling: float | None = None
    same_place: float | None = None
    same_place_by_chance: float | None = None
    reason: str | None = None


def matched_heads(both: PairResamples) -> MatchedHeads:
    """Match the heads of two cells that share examples."""
    pair = both.pair
    every = both.every_head
    reason = pair.no_correlation(every) or both.no_noise()
    if reason:
        return MatchedHeads(reason=reason)
    shared = pair.shared_groups
    thirds = [side.thirds for side in (both.a, both.b)]
    if shared.count < FEWEST * FEWEST or any(own is None for own in thirds):
        return MatchedHeads(reason="heads are matched by what they do to the same examples, and there are too few")
    a, b = (own[:, :, at] for own, at in zip(thirds, (pair.at_a, pair.at_b), strict=True) if own is not None)
    places = [pattern[at] for pattern, at in zip(_patterns(both), (shared.at_a, shared.at_b), strict=True)]
    dealt = both.a.dealt[3]
    assert dealt is not None
    rng = both.options.generator("matching", *pair.names.values())
    layers = _layers(both)
    straight, shuffled = [], []
    for split in dealt:
        first = np.flatnonzero(split[shared.at_a] == 0)
        one, other = places[0][first], places[1][first]
        straight.append(_assignment(one, other, layers))
        shuffled.append(_assignment(one, rng.permuted(other, axis=0), layers))
    found = _crossed(a, b, np.stack(straight))
    found = found[~np.isnan(found)]
    if not found.size:
        return MatchedHeads(reason="in every split all effects of a third of the examples are equal")
    low, high = percentile(found, 0.05)
    own = [pearson(parts[:, 1], parts[:, 2]) for parts in (a, b)]
    agree = float(np.nanmean(own[0]) * np.nanmean(own[1]))
    return MatchedHeads(
        matched=float(found.mean()),
        low=float(low),
        high=float(high),
        by_size=float(np.nanmean(_crossed(a, b, np.stack(shuffled)))),
        in_place=float(np.nanmean(_crossed(a, b, np.broadcast_to(np.arange(a.shape[2]), (len(a), a.shape[2]))))),
        ceiling=float(np.sqrt(agree)) if agree > 0 else None,
        same_place=float((np.stack(straight) == np.arange(a.shape[2])).mean()),
        same_place_by_chance=len(layers) / a.shape[2],
    )


def _patterns(both: PairResamples) -> list[Patterns]:
    """What each group of each cell adds to the effects of the heads: pseudo-values of the jackknife."""

    def pattern(own: NoisyEffects) -> Patterns:
        count = len(own.without)
        return count * own.effects - (count - 1) * own.without

    return [pattern(own) for own in both.pair.noisy(both.every_head)]


def _layers(both: PairResamples) -> Mapping[Layer | Mlp, Int[np.ndarray, " _"]]:
    """Places of the heads of each layer of each kind."""
    of = [layer_of(head) for head in both.pair.heads]
    return {layer: np.array([i for i, own in enumerate(of) if own == layer]) for layer in dict.fromkeys(of)}


def _assignment(
    one: Patterns, other: Patterns, layers: Mapping[Layer | Mlp, Int[np.ndarray, " _"]]
) -> Int[np.ndarray, " heads"]:
    """The head of the second model that each head of the first one is matched with."""
    tiny = np.finfo(float).tiny
    unit = [own / np.maximum(np.sqrt(np.square(own).sum(axis=0)), tiny) for own in (one, other)]
    match = np.empty(one.shape[1], dtype=np.int64)
    for at in layers.values():
        rows, columns = optimize.linear_sum_assignment(unit[0][:, at].T @ unit[1][:, at], maximize=True)
        match[at[rows]] = at[columns]
    return match


def _crossed(
    a: Float[np.ndarray, "splits three heads"],
    b: Float[np.ndarray, "splits three heads"],
    match: Int[np.ndarray, "splits heads"],
) -> Float[np.ndarray, " splits"]:
    """R of the effects of matched heads: one model on the second third with the other on the last, and the reverse."""
    second, last = (np.take_along_axis(b[:, part], match, axis=1) for part in (1, 2))
    return (pearson(a[:, 1], last) + pearson(a[:, 2], second)) / 2
