"""BLEU as sacreBLEU computes it, and the tokens that it counts in each language."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Num
from sacrebleu.metrics.bleu import BLEU as SacreBLEU

from study.record.errors import InputError
from study.record.metrics.languages import main_language
from study.record.metrics.metric import ANY, Answers, Metric, Task

PLAIN_TOKENS = SacreBLEU.TOKENIZER_DEFAULT
HYPOTHESIS = "hypothesis"
"""Column of an outcome row: the translation."""

TOKENIZERS = (PLAIN_TOKENS, "intl", "char", "none", "zh", "ja-mecab", "ko-mecab")
"""sacreBLEU's tokenisers but those of sentencepiece, which it would download."""


def tokenizer_of(language: str) -> str:
    """The tokeniser that sacreBLEU's command line chooses for a target language: 13a but for a few."""
    return SacreBLEU._TOKENIZER_MAP.get(main_language(language), PLAIN_TOKENS)


class Bleu(Metric):
    """Corpus BLEU of sacreBLEU with its defaults: case kept, exponential smoothing, one reference.

    Margin: half a point is what another seed or checkpoint changes.

    Attributes:
        tokenizer: sacreBLEU's name of what counts as a word: that of the language, or another by hand.
    """

    name = "bleu"
    label = "BLEU"
    tasks = (Task.TRANSLATION,)
    unit = "BLEU"
    score_unit = "BLEU"
    axis = "BLEU"
    margin = 0.5
    method = "BLEU [papineni2002bleu] is sacreBLEU’s [post2018call]"
    reads = (HYPOTHESIS,)
    is_stored = True
    max_order = 4
    statistics = (
        "hypothesis_length",
        "reference_length",
        *(f"correct_{n}" for n in range(1, max_order + 1)),
        *(f"total_{n}" for n in range(1, max_order + 1)),
    )

    def __init__(self, answers: Answers = ANY) -> None:
        super().__init__(answers)
        self.tokenizer = answers.tokenize or tokenizer_of(answers.language)

    @property
    def identity(self) -> dict[str, Any]:
        """13a where it was chosen by hand for a language with another tokeniser: 13a was once taken for all of them."""
        chosen = self.tokenizer == PLAIN_TOKENS != tokenizer_of(self.answers.language)
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

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 10"]:
        """See `sentence_statistics`."""
        return self.sentence_statistics(rows[HYPOTHESIS].to_list(), rows["target"].to_list())

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
        none = correct == 0
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = 100.0 * correct / total
            if none.any():  # most corpora have some of every order
                precision = np.where(none, 100.0 / (2.0 ** np.cumsum(none, axis=-1) * total), precision)
            brevity = np.where(hypothesis < reference, np.exp(1.0 - reference / hypothesis), 1.0)
            bleu = brevity * np.exp(np.log(precision).mean(axis=-1))
        nothing = (total == 0).any(axis=-1) | none.all(axis=-1)
        return np.where(nothing, 0.0, bleu)
