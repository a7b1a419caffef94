"""Choice accuracy: the share of examples whose right alternative is the likeliest, by several notions of likely.

Each is a metric of lm-evaluation-harness, and follows from the same stored sums.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Num

from study.record.metrics.choices.alternatives import LOGLIK, LOGLIK_ALONE, TOKENS, rectangle, right_alternatives
from study.record.metrics.metric import Metric, Task

IMPOSSIBLE = -np.inf
"""The log-likelihood of an alternative that is not there."""


class Choice(Metric, ABC):
    """The share of examples that are right, in percent; each counts 0 or 1.

    Margin: that of accuracy, half a point, by agreement.
    """

    tasks = (Task.CHOICE,)
    score_unit = "%"
    margin = 0.5
    is_repeated = False
    is_mean = True
    is_share = True

    @property
    def signature(self) -> str:
        """The name and the unit."""
        return f"{self.name}|percent"

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 2"]:
        """1 where the answer is right, and 1."""
        right = self.right(rows).astype(np.int64)
        return np.stack([right, np.ones_like(right)], axis=-1)

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """100 x right / examples; NaN of no example."""
        with np.errstate(invalid="ignore"):
            return np.asarray(100.0 * sums[..., 0] / sums[..., 1])

    @abstractmethod
    def right(self, rows: pl.DataFrame) -> Bool[np.ndarray, " rows"]:
        """Whether each answer is right."""


class LikeliestChoice(Choice, ABC):
    """Right is an example whose right alternative has the largest value; of equal ones the first has it."""

    def right(self, rows: pl.DataFrame) -> Bool[np.ndarray, " rows"]:
        """See `Choice.right`."""
        return self.values(rows).argmax(axis=1) == right_alternatives(rows)

    @abstractmethod
    def values(self, rows: pl.DataFrame) -> Float[np.ndarray, "rows most"]:
        """What alternatives are compared by; minus infinity of those that are not there."""


class ChoiceAccuracy(LikeliestChoice):
    """The alternative with the largest sum of log-likelihoods is chosen: `acc`."""

    name = "choice_accuracy"
    label = "choice accuracy"
    axis = "choice accuracy (%)"
    method = "An alternative is chosen by the sum of the log-likelihoods of its tokens"
    reads = (LOGLIK,)
    statistics = ("right_by_sum", "choices_by_sum")

    def values(self, rows: pl.DataFrame) -> Float[np.ndarray, "rows most"]:
        """The sums."""
        return rectangle(rows[LOGLIK], IMPOSSIBLE)


class LikeliestByLength(LikeliestChoice, ABC):
    """The sum of log-likelihoods is divided by the length of the alternative.

    Attributes:
        length: the column of lengths.
    """

    length: ClassVar[str]

    def values(self, rows: pl.DataFrame) -> Float[np.ndarray, "rows most"]:
        """The sums, each by its length."""
        return rectangle(rows[LOGLIK], IMPOSSIBLE) / rectangle(rows[self.length], 1.0)


class ChoiceAccuracyCharacters(LikeliestByLength):
    """Sums are divided by the characters of the alternative: `acc_norm`."""

    name = "choice_accuracy_characters"
    label = "choice accuracy by characters"
    axis = "choice accuracy by characters (%)"
    method = "An alternative is chosen by its log-likelihood divided by its characters"
    length = "characters"
    reads = (LOGLIK,)
    example_columns = ("target", "characters")
    statistics = ("right_by_characters", "choices_by_characters")


class ChoiceAccuracyBytes(LikeliestByLength):
    """Sums are divided by the bytes of the alternative in UTF-8: `acc_bytes`."""

    name = "choice_accuracy_bytes"
    label = "choice accuracy by bytes"
    axis = "choice accuracy by bytes (%)"
    method = "An alternative is chosen by its log-likelihood divided by its bytes"
    length = "bytes"
    reads = (LOGLIK,)
    example_columns = ("target", "bytes")
    statistics = ("right_by_bytes", "choices_by_bytes")


class ChoiceAccuracyTokens(LikeliestByLength):
    """Sums are divided by the tokens of the alternative, which another tokeniser counts otherwise."""

    name = "choice_accuracy_tokens"
    label = "choice accuracy by tokens"
    axis = "choice accuracy by tokens (%)"
    method = "An alternative is chosen by its log-likelihood divided by its tokens"
    length = TOKENS
    reads = (LOGLIK, TOKENS)
    statistics = ("right_by_tokens", "choices_by_tokens")


class ChoiceAccuracyPmi(LikeliestChoice):
    """The sum without the context is taken from the sum with it: `acc_mutual_info`.

    Pointwise mutual information (Holtzman et al. 2021) of context and alternative; it needs a model that was asked for
    the alternatives alone too.
    """

    name = "choice_accuracy_pmi"
    label = "choice accuracy by mutual information"
    axis = "choice accuracy by mutual information (%)"
    method = "An alternative is chosen by the log-likelihood that the context adds to it [holtzman2021surface]"
    reads = (LOGLIK, LOGLIK_ALONE)
    needs = "a study with model.unconditional=true stores them"
    statistics = ("right_by_pmi", "choices_by_pmi")

    def values(self, rows: pl.DataFrame) -> Float[np.ndarray, "rows most"]:
        """The sums less those without the context."""
        return rectangle(rows[LOGLIK], IMPOSSIBLE) - rectangle(rows[LOGLIK_ALONE], 0.0)
