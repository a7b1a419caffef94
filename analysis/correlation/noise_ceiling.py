"""The noise ceiling: how high r between two domains could be, given how well each agrees with itself.

The groups of a domain are dealt into parts, and the effects of two parts are correlated: first split, then measure, as
a bootstrap sample split in two would have copies of an example in both. A part is noisier than the whole; by Spearman
and Brown (1910) the reliability of m parts is m r / (1 + (m - 1) r), which is right as parts are of one size and the
noise of an effect falls with the number of groups. The ceiling of a pair is the root of the product of both.

*Without the largest heads* there are three parts: the first says which heads are the largest, the other two are
correlated. Heads picked by the examples that they are then judged on would have noise left that is negatively
correlated between parts, and no ceiling at all (`design/correlation.md`).

Cells that share examples have each group in the same part, and are compared *crossed*: one cell on one part with the
other cell on another part, as on the same part their noise agrees.

Shapes: `splits` = random splits, `parts` = 2 or 3, `heads` = heads of the domain, `rest` = heads that are left.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from analysis.correlation.coefficients import centred, pearson
from analysis.inference.resampling import percentile
from analysis.results.sample import Sample

FEWEST_GROUPS = 6
"""To split: two in each of three parts."""

Parts = Float[np.ndarray, "splits parts heads"]
Rest = Int[np.ndarray, "splits rest"]
Dealt = Int[np.ndarray, "splits groups"]


@dataclass(frozen=True)
class Reliability:
    """How well the effects on one domain agree with those on another sample of it.

    Attributes:
        between: mean over splits of r between two parts; None where they have none.
        low: lowest of the middle 95 % of splits: how much a split matters, not an interval of `between`.
        high: highest of them.
        whole: reliability of the whole test set; None where the parts do not agree.
        reason: why not.
    """

    between: float | None = None
    low: float | None = None
    high: float | None = None
    whole: float | None = None
    reason: str | None = None


def deal(groups: int, rng: np.random.Generator, splits: int, parts: int) -> Dealt | None:
    """The part that each group is in, from 0, in each split; None where there are too few groups."""
    if groups < FEWEST_GROUPS:
        return None
    return rng.permuted(np.tile(np.arange(groups) % parts, (splits, 1)), axis=1)


def part_effects(sample: Sample, dealt: Dealt | None, parts: int) -> Parts | None:
    """The effect of every mask but the base on each part of each split."""
    if dealt is None:
        return None
    scores = [sample.weighted((dealt == part).astype(np.int8)) for part in range(parts)]
    return np.stack([score[:, 1:] - score[:, :1] for score in scores], axis=1)


def reliability(parts: Parts | None, rest: Rest | None = None) -> Reliability:
    """From the effects on the last two parts of every split.

    Args:
        parts: as `part_effects` gives them, of any choice of heads.
        rest: places of the heads that are left, which the first of three parts may have decided; None for all.
    """
    if parts is None:
        return Reliability(reason=f"fewer than {FEWEST_GROUPS} groups of examples cannot be split")
    one, other = _last_two(parts, rest)
    r = pearson(one, other)
    r = r[~np.isnan(r)]
    if not r.size:
        return Reliability(reason="in every split all effects of a part are equal")
    between, (low, high) = float(r.mean()), map(float, percentile(r, 0.05))
    if between <= 0:
        return Reliability(between, low, high, reason="parts of this test set do not agree with each other")
    count = parts.shape[1]
    return Reliability(between, low, high, count * between / (1 + (count - 1) * between))


def ceiling(a: Reliability, b: Reliability) -> float | None:
    """The largest r to expect between two domains whose true effects are the same."""
    return float(np.sqrt(a.whole * b.whole)) if a.whole is not None and b.whole is not None else None


@dataclass(frozen=True)
class CrossedHalves:
    """How well two cells that share examples agree on halves of which neither has an example of the other's.

    Attributes:
        crossed: mean over splits of r between the effects on one half of one cell, on the other half of the other.
        ceiling: the largest to expect of it: root of the product of r between the halves of each.
    """

    crossed: float | None = None
    ceiling: float | None = None


def crossed_halves(a: Parts | None, b: Parts | None) -> CrossedHalves:
    """From the effects on the halves of every split, where a group is in the same half of both cells."""
    if a is None or b is None:
        return CrossedHalves()
    r = np.concatenate([pearson(a[:, 0], b[:, 1]), pearson(a[:, 1], b[:, 0])])
    own = [reliability(parts).between for parts in (a, b)]
    known = [between for between in own if between is not None and between > 0]
    return CrossedHalves(
        float(np.nanmean(r)) if not np.isnan(r).all() else None,
        float(np.sqrt(np.prod(known))) if len(known) == 2 else None,
    )


def true_r_of_rest(parts_a: Parts, parts_b: Parts, rest: Rest, *, shared: bool = False) -> float | None:
    """R of the true effects of the heads that are left: covariance across domains over that across parts of each.

    None where the parts of a domain do not agree. Sums over splits and pairs of parts, as single splits are noisy.
    Where domains share examples, a group is in the same part of both, and only different parts are compared.
    """
    a, b = (tuple(map(centred, _last_two(parts, rest))) for parts in (parts_a, parts_b))
    pairs = [(a[0], b[1]), (a[1], b[0])] if shared else [(one, other) for one in a for other in b]
    across = sum(float((one * other).sum()) for one, other in pairs) / len(pairs)
    own = [float((one * other).sum()) for one, other in (a, b)]
    return across / float(np.sqrt(own[0] * own[1])) if min(own) > 0 else None


def _last_two(
    parts: Parts, rest: Rest | None
) -> tuple[Float[np.ndarray, "splits rest"], Float[np.ndarray, "splits rest"]]:
    one, other = parts[:, -2], parts[:, -1]
    if rest is None:
        return one, other
    return np.take_along_axis(one, rest, axis=1), np.take_along_axis(other, rest, axis=1)
