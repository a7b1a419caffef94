"""Samples made by hand, without a store; their true effects are known."""

import numpy as np
from made_results import WORDS
from scipy import stats

from analysis.inference.sample import Sample
from study.record.metrics.statistics import Accuracy, Bleu


def sample_of(sums: np.ndarray, metric=None, sizes: np.ndarray | None = None) -> Sample:
    """A sample of these group sums [mask, group, statistic]."""
    masks, groups, _ = sums.shape
    keys = ("1" * masks, *(f"{i:0{masks}b}" for i in range(masks - 1)))
    sizes = np.ones(groups, dtype=np.int64) if sizes is None else sizes
    return Sample(keys, metric or Accuracy(), sums, sizes, tuple(map(str, range(groups))))


def right_or_wrong(right: np.ndarray) -> Sample:
    """A sample of accuracy, of single examples: [mask, example], the base mask first."""
    right = right.astype(np.int64)
    return sample_of(np.stack([right, np.ones_like(right)], axis=-1))


def flipping(
    rng: np.random.Generator,
    *,
    groups: int,
    size: int = 1,
    flip: np.ndarray,
    to_wrong: np.ndarray,
    between_heads: float = 0.0,
    within_groups: float = 0.0,
) -> Sample:
    """Examples that masks flip by chance, dependent between heads and within groups (a Gaussian copula).

    Args:
        rng: of all that is random.
        groups: number of groups.
        size: examples of each.
        flip: chance of each head to flip an example.
        to_wrong: chance of each head that a flip is to wrong; .5 is no effect.
        between_heads: correlation of the copula between any two heads.
        within_groups: between any two examples of a group.

    The true effect of a head is `true_effects(flip, to_wrong)`.
    """

    def latent() -> np.ndarray:
        shares = (between_heads * within_groups, between_heads * (1 - within_groups))
        shares += ((1 - between_heads) * within_groups, (1 - between_heads) * (1 - within_groups))
        shapes = ((1, groups, 1), (1, groups, size), (len(flip), groups, 1), (len(flip), groups, size))
        return sum(np.sqrt(share) * rng.standard_normal(shape) for share, shape in zip(shares, shapes, strict=True))

    flips = latent() < stats.norm.ppf(flip)[:, None, None]
    direction = np.where(latent() < stats.norm.ppf(to_wrong)[:, None, None], -1, 1)
    change = (flips * direction).sum(axis=-1)
    base = np.full((1, groups), 2 * size)  # what the base has moves no effect, as long as nothing is negative
    right = np.concatenate([base, base + change])
    # counted per example: the score of the base is 200 %, which no effect knows of
    return sample_of(np.stack([right, np.full_like(right, size)], axis=-1), sizes=np.full(groups, size))


def true_effects(flip: np.ndarray, to_wrong: np.ndarray) -> np.ndarray:
    """In % points."""
    return 100 * flip * (1 - 2 * to_wrong)


def sentences(count: int, noises: tuple[float, ...], seed: int) -> np.ndarray:
    """BLEU's statistics [mask, sentence, statistic] of made translations, with a share of words exchanged by each mask.

    The same words are exchanged first by every mask, so that masks are as alike as those of one model.
    """
    rng = np.random.default_rng(seed)
    references = [list(rng.choice(WORDS, rng.integers(5, 25))) for _ in range(count)]
    chance = [rng.random(len(reference)) for reference in references]
    other = [rng.choice(WORDS, len(reference)) for reference in references]
    translated = [
        [
            " ".join(np.where(c + 0.05 * rng.random(len(c)) < noise, o, r))
            for r, c, o in zip(references, chance, other, strict=True)
        ]
        for noise in noises
    ]
    return np.stack([Bleu().of_sentences(texts, [" ".join(r) for r in references]) for texts in translated])
