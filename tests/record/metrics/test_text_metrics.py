"""Metrics of texts against the formulas of lm-evaluation-harness: weighted means over words and bytes, then exp."""

import math

import numpy as np
import polars as pl
import pytest

from study.record.errors import InputError
from study.record.metrics import METRICS, Task, metric
from study.record.scores import mask_scores, with_statistics, with_weights

RNG = np.random.default_rng(2)
TOKENS = RNG.integers(3, 900, 12)
BYTES, WORDS, GREEDY = TOKENS * 4 + RNG.integers(0, 3, 12), TOKENS - RNG.integers(0, 3, 12), TOKENS // 3
NLL = TOKENS * RNG.uniform(2, 4, 12)
NAMES = [name for name, kind in METRICS.items() if kind.tasks == (Task.TEXT,)]
EXPECTED = {
    "bits_per_byte": -NLL.sum() / BYTES.sum() / math.log(2),
    "byte_perplexity": -math.exp(NLL.sum() / BYTES.sum()),
    "word_perplexity": -math.exp(NLL.sum() / WORDS.sum()),
    "perplexity": -math.exp(NLL.sum() / TOKENS.sum()),
    "token_accuracy": 100 * GREEDY.sum() / TOKENS.sum(),
}


def frames() -> tuple[pl.DataFrame, pl.DataFrame]:
    names = [str(i) for i in range(12)]
    rows = pl.DataFrame({"mask": "1", "example": names, "nll": NLL, "tokens": TOKENS, "greedy": GREEDY})
    lengths = {"bytes": [[n] for n in BYTES.tolist()], "words": [[n] for n in WORDS.tolist()]}
    return rows, pl.DataFrame({"example": names, **lengths})


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_ratios_of_sums(name: str) -> None:
    rows, examples = frames()
    own = metric(name)
    found = mask_scores(with_statistics(rows, examples, own), own)["score"][0]
    assert found == pytest.approx(EXPECTED[name], rel=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_weighted_sums_score_as_if_texts_stood_more_than_once(name: str) -> None:
    rows, examples = frames()
    own = metric(name)
    weights = RNG.integers(1, 4, 12)
    often = np.repeat(np.arange(12), weights)
    statistics = own.count(rows.join(examples, on="example"))
    assert own.score(weights @ statistics) == own.score(statistics[often].sum(axis=0))


def test_a_million_texts_of_many_tokens_fit() -> None:
    """Half a million texts of a million tokens: the sums are exact, and larger ones are refused in words."""
    row = pl.DataFrame({"nll": [4.0e6], "bytes": [[4_000_000]]})
    assert int(metric("bits_per_byte").count(row)[0, 0]) * 2**19 > -(2**63)
    with pytest.raises(InputError, match="1 numbers are not between"):
        metric("bits_per_byte").count(pl.DataFrame({"nll": [2.0**32], "bytes": [[1]]}))


def test_texts_with_weights() -> None:
    rows, examples = frames()
    weights = RNG.uniform(0.1, 1, 12)
    examples = examples.with_columns(weight=pl.Series(weights))
    own = metric("bits_per_byte")
    found = mask_scores(with_statistics(with_weights(rows, examples), examples, own), own)["score"][0]
    assert found == pytest.approx(-(weights * NLL).sum() / (weights * BYTES).sum() / math.log(2), rel=1e-6)


def test_a_text_without_length_is_refused() -> None:
    with pytest.raises(InputError, match="1 texts have no bytes"):
        metric("bits_per_byte").count(pl.DataFrame({"nll": [1.0, 2.0], "bytes": [[0], [3]]}))
