"""Metrics of the right alternative: how likely it is, alone or beside the best of the others."""

from abc import ABC, abstractmethod

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Num

from study.record.errors import InputError
from study.record.metrics.choices.alternatives import (
    GREEDY,
    LOGLIK,
    TOKENS,
    rectangle,
    right_alternatives,
    right_values,
)
from study.record.metrics.choices.choice_accuracy import IMPOSSIBLE, Choice
from study.record.metrics.loss import LARGEST_LOSS
from study.record.metrics.metric import NATS, Metric, Task
from study.record.metrics.numbers import PER_UNIT, on_grid


class TargetAccuracy(Choice):
    """The share of examples of whose right alternative every token is the likeliest one: `acc` of LAMBADA."""

    name = "target_accuracy"
    label = "target accuracy"
    axis = "target accuracy (%)"
    method = "A target counts as right where each of its tokens is the likeliest one"
    reads = (LOGLIK, TOKENS, GREEDY)
    needs_values = True
    statistics = ("greedy_targets", "targets")

    def right(self, rows: pl.DataFrame) -> Bool[np.ndarray, " rows"]:
        """See `Choice.right`."""
        right = right_alternatives(rows)
        greedy, tokens = (right_values(rectangle(rows[name], 0.0), right) for name in (GREEDY, TOKENS))
        return greedy == tokens


class TargetMetric(Metric, ABC):
    """A function of the mean over examples of a number of nats, on a grid of 2^-20."""

    tasks = (Task.CHOICE,)
    reads = (LOGLIK,)
    needs_values = True
    is_repeated = False
    digits = 4

    @property
    def signature(self) -> str:
        """The name, the unit and the grid."""
        return f"{self.name}|{self.unit}|grid:2^-20"

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 2"]:
        """The number of nats in units of the grid, and 1."""
        nats = on_grid(self.nats(rows), LARGEST_LOSS)
        return np.stack([nats, np.ones_like(nats)], axis=-1)

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """Their mean, nats; NaN of no example."""
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1] / PER_UNIT)

    @abstractmethod
    def nats(self, rows: pl.DataFrame) -> Float[np.ndarray, " rows"]:
        """The number of each row."""


class TargetLoglik(TargetMetric):
    """Mean log-likelihood of the right alternative, all its tokens together, nats.

    Margin: .01 nats multiply its probability by .99.
    """

    name = "target_loglik"
    label = "log-likelihood of the target"
    unit = NATS
    score_unit = NATS
    axis = "log-likelihood of the target (nats)"
    margin = 0.01
    within = 0.02
    is_mean = True
    method = "The log-likelihood of the target is the sum over its tokens, a mean over examples in nats"
    statistics = ("target_nats", "targets_summed")

    def nats(self, rows: pl.DataFrame) -> Float[np.ndarray, " rows"]:
        """Its sum of log-likelihoods."""
        return right_values(rectangle(rows[LOGLIK], IMPOSSIBLE), right_alternatives(rows))


class TargetPerplexity(TargetLoglik):
    """Perplexity of the right alternative, exp(-mean log-likelihood), negated: `perplexity` of LAMBADA.

    Margin: a hundredth of a perplexity of 10; log-likelihoods do not depend on where they start.
    """

    name = "target_perplexity"
    label = "perplexity of the target, negated"
    unit = "perplexity"
    score_unit = "perplexity"
    axis = "−perplexity of the target"
    margin = 0.1
    within = 0.2
    digits = 2
    is_mean = False
    method = "The perplexity of the target is exp of minus its mean log-likelihood; its negative is the score"
    statistics = ("target_nats_of_perplexity", "targets_of_perplexity")

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """See the class; minus infinity where it is too large for a number."""
        with np.errstate(over="ignore"):
            return np.asarray(-np.exp(-super().score(sums)))


class LogitDifference(TargetMetric):
    """Mean of the log-likelihood of the right alternative less that of the best other one, nats.

    Of alternatives of one token it is the difference of their logits (Wang et al. 2023). Margin: .02 nats are half a
    point where both are equally likely.
    """

    name = "logit_difference"
    label = "logit difference"
    unit = NATS
    score_unit = NATS
    axis = "logit difference (nats)"
    margin = 0.02
    within = 0.04
    is_mean = True
    method = (
        "The logit difference [wang2023interpretability] is the log-likelihood of the right alternative less that of "
        "the best other one, a mean over examples in nats"
    )
    statistics = ("nats_apart", "choices_apart")

    def nats(self, rows: pl.DataFrame) -> Float[np.ndarray, " rows"]:
        """The difference.

        Raises:
            InputError: when an example has one alternative alone.
        """
        right, sums = right_alternatives(rows), rectangle(rows[LOGLIK], IMPOSSIBLE)
        single = int((rows[LOGLIK].list.len() < 2).sum())
        if single:
            raise InputError(f"examples with one alternative alone, which no other can differ from: {single}")
        others = sums.copy()
        np.put_along_axis(others, right[:, None], IMPOSSIBLE, axis=1)
        return right_values(sums, right) - others.max(axis=1)
