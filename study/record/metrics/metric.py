"""What a metric is: what it counts of each example, and the score of the sums.

A score is a function of sums over examples, so any score, interval or test can be computed later, without a model, from
stored rows. A metric that no sums can give (a rank correlation) says so by `is_additive`, and scores rows instead.
Every metric is torch-free and vectorised: sums of any shape `(..., statistics)` give scores of shape `(...)`, which is
what resampling needs.

Higher is better, always: a metric of errors scores their negative.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int, Num

POINTS = "points"
"""The unit of a difference of two scores of at most 100."""


NATS = "nats"
"""The unit of a difference of two log-likelihoods."""


class Task(StrEnum):
    """What a model does with texts; a model, its data and their metric must have the same.

    Attributes:
        CLASSIFICATION: choose a label.
        REGRESSION: give a number.
        TRANSLATION: write another text.
        CHOICE: say how likely each of several continuations is, one of which is right.
        TEXT: say how likely a text is.
        READING: only read it: there is no answer, and nothing is scored.
    """

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    TRANSLATION = "translation"
    CHOICE = "choice"
    TEXT = "text"
    READING = "reading"


@dataclass(kw_only=True)
class Scoring:
    """How outcomes are scored, where there is a choice.

    Attributes:
        tokenize: sacreBLEU's name of what BLEU counts as a word; when not given, what its command line chooses for the
            target language.
    """

    tokenize: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a metric must know of the answers that it scores.

    Attributes:
        task: what the models do; None where the metric has one task alone.
        labels: labels of a classifier, in the order of its outputs.
        merged: what the data calls a label that it does not tell from another: HANS has `non-entailment` alone for
            `neutral` and `contradiction`.
        positive: the label that a metric of one label is about.
        language: code of the language of translations; chooses the tokens of BLEU.
        tokenize: sacreBLEU's name of a tokeniser of BLEU, chosen by hand.
    """

    task: Task | None = None
    labels: Sequence[str] = ()
    merged: Mapping[str, str] = field(default_factory=dict)
    positive: str = ""
    language: str = ""
    tokenize: str | None = None


ANY = Answers()


class Metric(ABC):
    """A corpus score.

    Attributes:
        name: how it is called in files, tables and options.
        label: how people call it.
        tasks: what the models do that it scores.
        unit: unit of an effect, the difference of two scores.
        score_unit: unit of a score.
        digits: decimals with which scores and effects are shown.
        axis: what stands beside an axis of scores.
        margin: effects within it do not matter, in `unit`; why, in its file.
        within: loss of score, in `unit`, that a share of the heads may cost and still be said to be dispensable.
        method: what a paper says of it, with its reference in brackets; empty where every reader knows.
        reads: columns of an outcome row that it scores: the answer.
        example_columns: columns of the examples that it scores them by: the target, lengths.
        needs: how outcomes come to have columns that not all have, in words; empty where all have them.
        is_repeated: whether many masks have the same answer, so that each distinct one is counted once; real numbers
            hardly ever are.
        statistics: names of the integers that it counts of an example, in order; no outcome row has such a column of
            another meaning.
        needs_values: whether it takes more of an answer than what was chosen; a choice that `precision=screened` leaves
            to the draft is float32's, its values are not.
        is_stored: whether outcome rows hold the statistics; they follow from the answers otherwise.
        is_additive: whether the score is a function of the sums of the statistics.
        is_mean: whether a score is a multiple of the first statistic by the last, which is the same under every mask
            (it counts examples, tokens or bytes); then a score is a mean, and an effect a sum of what examples add.
        is_of_one_label: whether it is about one label, which the data names.
        is_share: whether it is the share of the examples that are right, each of which counts 0 or 1.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]]
    unit: ClassVar[str] = POINTS
    score_unit: ClassVar[str]
    digits: ClassVar[int] = 2
    axis: ClassVar[str]
    margin: ClassVar[float]
    within: ClassVar[float] = 1.0
    method: ClassVar[str] = ""
    reads: ClassVar[tuple[str, ...]]
    example_columns: ClassVar[tuple[str, ...]] = ("target",)
    needs: ClassVar[str] = ""
    needs_values: ClassVar[bool] = False
    is_repeated: ClassVar[bool] = True
    statistics: tuple[str, ...]
    is_stored: ClassVar[bool] = False
    is_additive: ClassVar[bool] = True
    is_mean: ClassVar[bool] = False
    is_of_one_label: ClassVar[bool] = False
    is_share: ClassVar[bool] = False

    def __init__(self, answers: Answers = ANY) -> None:
        """Take what it must know of the answers; without it a metric has its names and units alone."""
        self.answers = answers

    @property
    def task(self) -> Task:
        """What the models do whose answers it scores."""
        return self.answers.task or self.tasks[0]

    def shown(self, score: float) -> str:
        """A score with its unit: `83.68 %`, `-0.3512 nats`."""
        return f"{score:.{self.digits}f} {self.score_unit}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns without which an outcome row cannot be scored."""
        return self.statistics if self.is_stored else self.reads

    @property
    @abstractmethod
    def signature(self) -> str:
        """Everything that determines the score; that of the metric whose statistics are stored is in a setting's id."""

    @property
    def identity(self) -> dict[str, Any]:
        """What the signature does not tell of a choice by hand, as JSON values for the identity of a subject."""
        return {}

    @abstractmethod
    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows statistics"]:
        """The statistics of rows, each an answer (columns `reads`) beside what it is scored by (`example_columns`).

        Raises:
            InputError: when they cannot be scored by it.
        """

    @abstractmethod
    def score(self, sums: Num[np.ndarray, "... statistics"]) -> Float[np.ndarray, "..."]:
        """Corpus score of summed statistics; sums may be weighted, so of any numbers. What is 0/0 scores 0."""

    @property
    def may_be_undefined(self) -> bool:
        """Whether a score of some examples may be 0/0."""
        kind = type(self)
        return kind.undefined is not Metric.undefined or kind.undefined_rows is not Metric.undefined_rows

    def undefined(self, sums: Num[np.ndarray, "... statistics"]) -> Bool[np.ndarray, "..."]:
        """Where the score is 0/0, as of answers that are all the same."""
        return np.zeros(np.shape(sums)[:-1], dtype=bool)

    def score_rows(
        self, rows: Int[np.ndarray, "masks examples statistics"], weights: Int[np.ndarray, "resamples examples"]
    ) -> Float[np.ndarray, "resamples masks"]:
        """The score where each example counts as often as its weight says, from the statistics of every example."""
        return self.score(np.einsum("re,mes->rms", weights, rows))

    def undefined_rows(
        self, rows: Int[np.ndarray, "masks examples statistics"], weights: Int[np.ndarray, "resamples examples"]
    ) -> Bool[np.ndarray, "resamples masks"]:
        """Where `score_rows` is 0/0."""
        return self.undefined(np.einsum("re,mes->rms", weights, rows))

    def score_alone(self, statistics: Int[np.ndarray, "rows statistics"]) -> Float[np.ndarray, " rows"]:
        """What a single example scores, by which one is called better or worse than another."""
        return self.score(statistics)
