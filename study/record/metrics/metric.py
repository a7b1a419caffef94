"""What a metric is: the integer statistics that are stored of each example, and the score of their sums.

A score is a function of sums over examples, so any score, interval or test can be computed later, without a model, from
stored rows. Every metric is torch-free and vectorised: sums of any shape `(..., statistics)` give scores of shape
`(...)`, which is what resampling needs.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from jaxtyping import Float, Num


class MetricName(StrEnum):
    """The metrics: those whose statistics outcomes store, and chrF, whose follow from the stored translations."""

    ACCURACY = "accuracy"
    BLEU = "bleu"
    CHRF = "chrf"


@dataclass(kw_only=True)
class Scoring:
    """How outcomes are scored, where there is a choice.

    Attributes:
        tokenize: sacreBLEU's name of what BLEU counts as a word; when not given, what its command line chooses for the
            target language.
    """

    tokenize: str | None = None


class Metric(ABC):
    """A corpus score made of additive statistics.

    Attributes:
        name: how it is called in files and tables.
        unit: unit of an effect, the difference of two scores.
        score_unit: unit of a score.
        statistics: names of the integer columns of an outcome row that the score needs, in order.
        is_mean: whether a score is a multiple of the first statistic by the last, which counts examples and is the
            same under every mask; then a score is a mean over examples, and what is known of means is known of it.
    """

    name: MetricName
    unit: str
    score_unit: str
    statistics: tuple[str, ...]
    is_mean = False

    @property
    @abstractmethod
    def signature(self) -> str:
        """Everything that determines the statistics; part of a setting's identity."""

    @property
    def identity(self) -> dict[str, Any]:
        """What the signature does not tell of a choice by hand, as JSON values for the identity of a subject."""
        return {}

    @abstractmethod
    def score(self, sums: Num[np.ndarray, "... statistics"]) -> Float[np.ndarray, "..."]:
        """Corpus score of summed statistics; sums may be weighted, so of any numbers."""
