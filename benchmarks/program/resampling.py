"""Resampling: the paired bootstrap of all masks at once, against sacreBLEU's own, mask by mask."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import _paired_bs_test

from analysis.inference.resampling import bootstrap, swapped
from analysis.results.sample import Sample
from benchmarks.measure import Way, clocked, in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.record.metrics import Bleu

SHARE = 10
"""Theirs is timed on this share of the resamples and scaled: it holds all of a mask's in memory, 4 GB of 10,000."""


class StoredBleu(BLEU):
    """SacreBLEU's BLEU, with statistics that are stored already, as ours are: no tokenising is timed."""

    def _extract_corpus_statistics(self, hypotheses: Int[np.ndarray, "sentences 10"], references: None) -> np.ndarray:
        return hypotheses


def resampling(sizes: Sizes) -> Iterator[Row]:
    """All masks with BLEU, as many sentences as newstest2013."""
    sums = _statistics(sizes.stored_masks + 1, sizes.stored_sentences)
    sentences = sums.shape[1]
    sample = Sample(
        tuple(map(str, range(len(sums)))), Bleu(), sums, np.ones(sentences, dtype=np.int64), ("",) * sentences
    )
    theirs = [clocked(lambda mask=mask: _theirs(sums[0], sums[mask], sizes.resamples // SHARE)) for mask in (1, 2)]
    ways = {
        "bootstrap": repeated(lambda: bootstrap(sample, sizes.resamples, 0), sizes.repeats),
        "swaps": repeated(lambda: swapped(sample, sizes.resamples, 0), sizes.repeats),
        "theirs": Way(theirs * sizes.repeats, scale=SHARE * sizes.stored_masks),
    }
    timed = in_turns(ways, sizes.repeats)
    work = f"{sizes.stored_masks} masks × {sentences:,} sentences, BLEU, {sizes.resamples:,}"
    for name, what, target in (("bootstrap", "resamples", 100), ("swaps", "swaps (approximate randomisation)", None)):
        yield Row(
            part="resampling",
            work=f"{work} {what}",
            against="sacreBLEU's paired bootstrap, mask by mask, from statistics",
            ours=timed[name].seconds,
            theirs=timed["theirs"].seconds,
            target=target,
            memory=timed[name].memory,
            note=f"theirs timed on 2 masks and a {SHARE}th of the resamples, and scaled",
        )


def _theirs(base: Int[np.ndarray, "sentences 10"], mask: Int[np.ndarray, "sentences 10"], resamples: int) -> None:
    metric = StoredBleu()
    info = {"BLEU": (base, metric._aggregate_and_compute(base))}
    _paired_bs_test(info, "mask", mask, None, {"BLEU": metric}, n_samples=resamples, seed=1)


def _statistics(masks: int, sentences: int) -> Int[np.ndarray, "masks sentences 10"]:
    """Statistics of made translations: lengths like those of news, and n-grams that fewer and fewer match."""
    rng = np.random.default_rng(0)
    length = rng.integers(5, 45, (1, sentences)).repeat(masks, axis=0)
    totals = [np.maximum(length - n, 0) for n in range(4)]
    correct = [rng.binomial(total, share) for total, share in zip(totals, (0.7, 0.45, 0.3, 0.2), strict=True)]
    return np.stack([length, rng.integers(5, 45, (1, sentences)).repeat(masks, axis=0), *correct, *totals], axis=-1)
