"""Significance: could a mask that changes nothing but by chance have had this effect?

The null hypothesis is that with and without the mask are alike. Tests that make draws under it, the same draws for all
masks, can be corrected over heads by their joint distribution; the others give p values alone.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from analysis.inference import resampling
from analysis.inference.discordant_pairs import flips, mcnemar
from analysis.results.domain import Domain
from analysis.results.sample import Sample
from study.record.designs.jackknife import standard_error
from study.record.errors import InputError

TIE = 1e-9
"""Effects that differ by less are equal: a score is a ratio of counts, and no set has a billion examples."""

SMALLEST = float(np.finfo(float).tiny)
"""No chance is 0, though a number may be too small to hold."""


class PairedTest(StrEnum):
    """The tests of one mask against the base, all two-sided.

    The paper's bootstrap is `sacrebleu` or a kin of it; its "t-test" is one of the last two.
    """

    randomisation = "randomisation"
    bootstrap = "bootstrap"
    sacrebleu = "sacrebleu"
    jackknife = "jackknife"
    mcnemar = "mcnemar"
    mcnemar_mid_p = "mcnemar_mid_p"
    ttest_ind = "ttest_ind"
    ttest_rel = "ttest_rel"

    @property
    def is_joint(self) -> bool:
        """Whether it makes draws of all masks together under the null hypothesis."""
        return self in (PairedTest.randomisation, PairedTest.bootstrap)

    @property
    def has_resamples(self) -> bool:
        """Whether p comes from a number of resamples, and is never below one by that number."""
        return self.is_joint or self is PairedTest.sacrebleu

    @property
    def needs_bootstrap(self) -> bool:
        """Whether it is made of effects on bootstrap resamples."""
        return self in (PairedTest.bootstrap, PairedTest.sacrebleu)

    @property
    def is_of_examples(self) -> bool:
        """Whether it takes single examples, and those of a classifier, for independent."""
        return self in (PairedTest.mcnemar, PairedTest.mcnemar_mid_p, PairedTest.ttest_ind, PairedTest.ttest_rel)


def check_test(test: PairedTest, domain: Domain) -> None:
    """Refuse a test that is not of this metric, or not of weighted examples.

    Raises:
        InputError: in words.
    """
    if test.is_of_examples and not domain.has_flips:
        allowed = ", ".join(name for name in PairedTest if not name.is_of_examples)
        whole = f"is scored by {domain.metric.label}, which is of the whole set"
        raise InputError(
            f"{test} needs a result of each single example, all counting alike; {domain.data} "
            f"{'has weights' if domain.weighted else whole}. Tests for it: {allowed}"
        )


def p_values(
    test: PairedTest,
    sample: Sample,
    by_example: Sample | None,
    draws: Float[np.ndarray, "draws others"] | None,
    *,
    resamples: int,
    seed: int,
) -> tuple[Float[np.ndarray, " others"], Float[np.ndarray, "swaps others"] | None]:
    """Test every mask of a sample.

    Args:
        test: which one; `check_test` has let it pass.
        sample: the masks, in groups of examples.
        by_example: these masks with each example by itself, where `test.is_of_examples`.
        draws: effects on bootstrap resamples, where `test.needs_bootstrap`.
        resamples: how many swaps.
        seed: seed of the swaps.

    Returns:
        p of each mask, and draws of all effects together under the null hypothesis where `test.is_joint`.
    """
    if test is PairedTest.randomisation:
        null = resampling.swapped(sample, resamples, seed)
        return p_of_draws(null, sample.effects), null
    if test.needs_bootstrap:
        assert draws is not None
        if test is PairedTest.sacrebleu:
            return p_of_sacrebleu(draws, sample.effects), None
        null = draws - sample.effects
        return p_of_draws(null, sample.effects), null
    if test is PairedTest.jackknife:
        error = standard_error(sample.effects_without_each)
        return p_of_t(sample.effects, error, sample.groups - 1), None
    assert by_example is not None
    if test in (PairedTest.mcnemar, PairedTest.mcnemar_mid_p):
        return mcnemar(flips(by_example), mid_p=test is PairedTest.mcnemar_mid_p), None
    return _t_test(by_example, test), None


def p_of_draws(
    null: Float[np.ndarray, "draws others"], effects: Float[np.ndarray, " others"]
) -> Float[np.ndarray, " others"]:
    """Share of effects at least as large as the one observed, itself among them: (1 + count) / (draws + 1)."""
    return (1 + (np.abs(null) >= np.abs(effects) - TIE).sum(axis=0)) / (len(null) + 1)


def p_of_sacrebleu(
    draws: Float[np.ndarray, "draws others"], effects: Float[np.ndarray, " others"]
) -> Float[np.ndarray, " others"]:
    """The p value of sacreBLEU's paired bootstrap, which is that of a Moses script: to compare with others' numbers.

    It counts how often the *size* of a resampled difference exceeds its mean by more than the size observed. So it is
    nearly one-sided, rejects twice as often as it says, and gives two equal systems the smallest p there is.
    """
    size = np.abs(draws)
    return (1 + (size - size.mean(axis=0) > np.abs(effects)).sum(axis=0)) / (len(draws) + 1)


def p_of_t(
    effects: Float[np.ndarray, " others"], error: Float[np.ndarray, " others"], degrees: int
) -> Float[np.ndarray, " others"]:
    """Two-sided p of effect / standard error; 1 where neither is above 0, `p_of_one_way` where only the first is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(np.abs(effects) < TIE, 0.0, np.abs(effects) / error)
    p = np.where((t > 0) & (error < TIE), p_of_one_way(degrees + 1), 2 * stats.t.sf(t, degrees))
    return np.maximum(p, SMALLEST)


def p_of_one_way(count: int) -> float:
    """P where all differences are equal, so that no t exists: the sign test's, as the swap of every one counts too."""
    return 2.0 ** (1 - count)


def _t_test(by_example: Sample, test: PairedTest) -> Float[np.ndarray, " others"]:
    """The paper's t-test, unpaired (`ttest_ind`) or paired (`ttest_rel`), over single examples; scipy's."""
    right = by_example.sums[..., 0].astype(np.float64)
    p = np.ones(len(right) - 1)
    for at, mask in enumerate(right[1:]):
        change = mask - right[0]
        if test is PairedTest.ttest_ind and change.any():
            p[at] = _p_value(stats.ttest_ind, mask, right[0])
        elif change.any():
            p[at] = _p_value(stats.ttest_1samp, change, 0.0) if np.ptp(change) else p_of_one_way(change.size)
    return np.maximum(p, SMALLEST)


def _p_value(test: Callable[..., Any], *samples: object) -> float:
    return float(test(*samples).pvalue)
