"""The chrF of sacreBLEU, from translations that are stored."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Num
from sacrebleu.metrics.chrf import CHRF as SacreCHRF

from study.record.metrics.bleu import HYPOTHESIS
from study.record.metrics.character_ngrams import matches, without_spaces
from study.record.metrics.metric import Metric, Task


class Chrf(Metric):
    """Corpus chrF of sacreBLEU with its defaults (chrF2, Popović 2015): 1 to 6 characters, white space left out.

    Margin: half of BLEU's; effects of 96 heads on two sets of Multi30k spread .46 and .58 times as wide.
    """

    name = "chrf"
    label = "chrF"
    tasks = (Task.TRANSLATION,)
    unit = "chrF"
    score_unit = "chrF"
    axis = "chrF"
    margin = 0.25
    method = "ChrF [popovic2015chrf], of the stored translations, is sacreBLEU’s [post2018call]"
    reads = (HYPOTHESIS,)
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

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 18"]:
        """The statistics of each translation; those of one reference are counted together."""
        found = np.zeros((rows.height, len(self.statistics)), dtype=np.int64)
        for (target,), own in rows.with_row_index("row").group_by("target", maintain_order=True):
            found[own["row"].to_numpy()] = self.hypothesis_statistics(own[HYPOTHESIS].to_list(), str(target))
        return found

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
