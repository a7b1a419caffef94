"""Limits of what a random sample did not show: how many wrong decisions a finite population may hold.

The population is finite and the sample is drawn without replacement, so that the number of wrong ones in it is
hypergeometric. The upper limit is exact: the largest number of wrong ones under which so few would be found with more
than the probability `alpha`. That of Clopper and Pearson (1934), of draws with replacement, is never below it by more
than one of the population.
"""

import math


def wrong_limit(wrong: int, sample: int, population: int, alpha: float) -> int:
    """The upper limit of the number of wrong ones in a population, at confidence 1 - alpha.

    Args:
        wrong: how many were found wrong.
        sample: how many were drawn, each at most once.
        population: how many there are.
        alpha: the probability with which the true number may be larger.
    """
    _check(sample, population, alpha)
    if not 0 <= wrong <= sample:
        raise ValueError(f"{wrong} wrong of {sample} is no count")
    least, most = wrong, population - (sample - wrong)
    while least < most:  # the probability falls with the number
        middle = (least + most + 1) // 2
        if at_most(wrong, middle, sample, population) > alpha:
            least = middle
        else:
            most = middle - 1
    return least


def sample_size(population: int, bound: float, alpha: float) -> int:
    """The smallest sample of which none wrong shows, at confidence 1 - alpha, that at most this share is wrong.

    Args:
        population: how many there are; all of them where no smaller sample shows it.
        bound: the largest share of wrong ones.
        alpha: the probability with which more may be wrong all the same.
    """
    _check(0, population, alpha)
    too_many = math.floor(bound * population) + 1
    if too_many > population:
        return 0
    least, most = 0, population
    while least < most:
        middle = (least + most) // 2
        if at_most(0, too_many, middle, population) <= alpha:
            most = middle
        else:
            least = middle + 1
    return least


def round_alpha(confidence: float, number: int, shares: int = 1) -> float:
    """The probability of error that a round may spend: rounds k = 1, 2, ... of all shares spend 1 - confidence at most.

    Args:
        confidence: that of all rounds together.
        number: which round it is, from 1.
        shares: over how many jobs the examples are divided, each of which has rounds of its own.
    """
    return (1.0 - confidence) / (shares * 2.0**number)


def at_most(wrong: int, among: int, sample: int, population: int) -> float:
    """The probability that a sample holds so few wrong ones or fewer, where the population has `among`."""
    fewest = max(0, sample - (population - among))
    terms = (_log_probability(count, among, sample, population) for count in range(fewest, min(wrong, among) + 1))
    return min(1.0, math.fsum(map(math.exp, terms)))


def _log_probability(count: int, among: int, sample: int, population: int) -> float:
    chosen = _log_binomial(among, count) + _log_binomial(population - among, sample - count)
    return chosen - _log_binomial(population, sample)


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) if 0 <= k <= n else -math.inf


def _check(sample: int, population: int, alpha: float) -> None:
    if not 0 <= sample <= population or not 0 < alpha < 1:
        raise ValueError(f"no limit of {sample} of {population} at alpha {alpha}")
