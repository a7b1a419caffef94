"""Statistics: what is stored of each example, and the score of their sums.

A score is a function of sums over examples of integer statistics, so any score, interval or test can be computed
later, without a model, from stored rows. Every metric here is torch-free and vectorised: sums of any shape
`(..., statistics)` give scores of shape `(...)`, which is what resampling needs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num
from sacrebleu.metrics.bleu import BLEU as SacreBLEU
from sacrebleu.metrics.chrf import CHRF as SacreCHRF

from study.record.errors import InputError
from study.record.metrics.character_ngrams import matches, without_spaces
from study.record.metrics.languages import main_language

PLAIN_TOKENS = SacreBLEU.TOKENIZER_DEFAULT
TOKENIZERS = (PLAIN_TOKENS, "intl", "char", "none", "zh", "ja-mecab", "ko-mecab")
"""sacreBLEU's tokenisers but those of sentencepiece, which it would download."""


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


class Accuracy(Metric):
    """Share of examples whose predicted label is the gold label, in percent."""

    name = MetricName.ACCURACY
    unit = "% points"
    score_unit = "%"
    statistics = ("correct", "count")
    is_mean = True

    @property
    def signature(self) -> str:
        """Nothing but the name and the unit determines it."""
        return "accuracy|percent"

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """100 x correct / count; NaN of no example."""
        with np.errstate(invalid="ignore"):
            return np.asarray(100.0 * sums[..., 0] / sums[..., 1])


def tokenizer_of(language: str) -> str:
    """The tokeniser that sacreBLEU's command line chooses for a target language: 13a but for a few."""
    return SacreBLEU._TOKENIZER_MAP.get(main_language(language), PLAIN_TOKENS)


class Bleu(Metric):
    """Corpus BLEU of sacreBLEU with its defaults: case kept, exponential smoothing, one reference.

    Attributes:
        language: code of the language of the texts; empty where it is not known.
        tokenizer: sacreBLEU's name of what counts as a word: that of the language, or another by hand.
    """

    name = MetricName.BLEU
    unit = "BLEU"
    score_unit = "BLEU"
    max_order = 4
    statistics = (
        "hypothesis_length",
        "reference_length",
        *(f"correct_{n}" for n in range(1, max_order + 1)),
        *(f"total_{n}" for n in range(1, max_order + 1)),
    )

    def __init__(self, language: str = "", tokenize: str | None = None) -> None:
        self.language = language
        self.tokenizer = tokenize or tokenizer_of(language)

    @property
    def identity(self) -> dict[str, Any]:
        """13a where it was chosen by hand for a language with another tokeniser: 13a was once taken for all of them."""
        chosen = self.tokenizer == PLAIN_TOKENS != tokenizer_of(self.language)
        return {"tokenize": self.tokenizer} if chosen else {}

    @property
    def signature(self) -> str:
        """SacreBLEU's own."""
        return str(self._scorer.get_signature())

    @cached_property
    def _scorer(self) -> SacreBLEU:
        """Made when a sentence is scored: the dictionaries of some languages are packages of their own."""
        try:
            scorer = SacreBLEU(tokenize=self.tokenizer)
        except (RuntimeError, ImportError, AssertionError) as error:
            raise InputError(
                f"BLEU in tokens of {self.tokenizer} needs packages that are not installed: "
                f"pip install 'sacrebleu[{self.tokenizer[:2]}]'. Or choose metric.tokenize=char"
            ) from error
        scorer.corpus_score(["a"], [["a"]])  # a signature exists only once something was scored
        return scorer

    def sentence_statistics(
        self, hypotheses: Sequence[str], references: Sequence[str]
    ) -> Int[np.ndarray, "sentences 10"]:
        """Statistics of each sentence: lengths in tokens and clipped n-gram counts, as sacreBLEU counts them."""
        # sacreBLEU has no public way to the statistics of many sentences at once; its own paired tests use this one.
        rows = self._scorer._extract_corpus_statistics(list(hypotheses), [list(references)])
        return np.asarray(rows, dtype=np.int64).reshape(-1, len(self.statistics))

    def score(self, sums: Num[np.ndarray, "... 10"]) -> Float[np.ndarray, "..."]:
        """BLEU (0-100) of summed statistics, equal to sacreBLEU's `compute_bleu` with `smooth_method="exp"`.

        A zero n-gram precision is smoothed to 100 / (2^k total) for the k-th zero; a corpus without a hypothesis
        token, or shorter than an order, scores 0, as there.
        """
        sums = np.asarray(sums, dtype=np.float64)
        hypothesis, reference = sums[..., 0], sums[..., 1]
        correct, total = sums[..., 2 : 2 + self.max_order], sums[..., 2 + self.max_order :]
        zeros = np.cumsum(correct == 0, axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(correct == 0, 100.0 / (2.0**zeros * total), 100.0 * correct / total)
            brevity = np.where(hypothesis < reference, np.exp(1.0 - reference / hypothesis), 1.0)
            bleu = brevity * np.exp(np.log(precision).mean(axis=-1))
        nothing = (total == 0).any(axis=-1) | (correct == 0).all(axis=-1)
        return np.where(nothing, 0.0, bleu)


class Chrf(Metric):
    """Corpus chrF of sacreBLEU with its defaults (chrF2, Popović 2015): 1 to 6 characters, white space left out."""

    name = MetricName.CHRF
    unit = "chrF"
    score_unit = "chrF"
    max_order = SacreCHRF.CHAR_ORDER
    recall_weight = SacreCHRF.BETA**2
    statistics = tuple(
        f"chrf_{what}_{n}" for n in range(1, max_order + 1) for what in ("hypothesis", "reference", "match")
    )

    @property
    def signature(self) -> str:
        """SacreBLEU's own."""
        scorer = SacreCHRF()
        scorer.corpus_score(["a"], [["a"]])
        return str(scorer.get_signature())

    def hypothesis_statistics(self, hypotheses: Sequence[str], reference: str) -> Int[np.ndarray, "hypotheses 18"]:
        """Statistics of many translations of one sentence: n-grams of each, of the reference, and of both, by order.

        As sacreBLEU counts them: where the reference is too short for an n-gram, those of the hypothesis do not count.
        """
        hypotheses, reference = [without_spaces(text) for text in hypotheses], without_spaces(reference)
        shorter = np.arange(self.max_order)
        in_reference = np.maximum(len(reference) - shorter, 0)
        lengths = np.array([len(text) for text in hypotheses], dtype=np.int64)
        in_hypotheses = np.where(in_reference > 0, np.maximum(lengths[:, None] - shorter, 0), 0)
        both = matches(hypotheses, reference, self.max_order)
        counts = [in_hypotheses, np.broadcast_to(in_reference, both.shape), both]
        return np.stack(counts, axis=-1).reshape(len(hypotheses), -1)

    def score(self, sums: Num[np.ndarray, "... 18"]) -> Float[np.ndarray, "..."]:
        """ChrF (0-100) of summed statistics, equal to sacreBLEU's: F2 of mean precision and mean recall.

        The means are over the orders of which both sides have n-grams; with none, or with no match, the score is 0.
        """
        counts = np.asarray(sums, dtype=np.float64).reshape(*np.shape(sums)[:-1], self.max_order, 3)
        hypothesis, reference, match = np.moveaxis(counts, -1, 0)
        there = (hypothesis > 0) & (reference > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision, recall = (np.where(there, match / total, 0.0).sum(axis=-1) for total in (hypothesis, reference))
            both = (1 + self.recall_weight) * precision * recall / (self.recall_weight * precision + recall)
            return np.where(precision + recall > 0, 100.0 * both / there.sum(axis=-1), 0.0)


def metric(name: MetricName, language: str = "", tokenize: str | None = None) -> Metric:
    """The metric of this name.

    Args:
        name: name of the metric.
        language: code of the language of the texts; chooses the tokens of BLEU.
        tokenize: sacreBLEU's name of a tokeniser of BLEU, chosen by hand.
    """
    if name is MetricName.BLEU:
        return Bleu(language, tokenize)
    return {MetricName.ACCURACY: Accuracy, MetricName.CHRF: Chrf}[name]()
