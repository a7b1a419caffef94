"""Ratios of sums over texts: log-likelihood by byte, word or token, never a mean over texts of different lengths.

Perplexities are functions of such a ratio. Log-likelihoods lie on a grid of 2^-20 nats; a text of a million tokens has
some 2^24 nats, 2^44 on the grid, so that half a million such texts fit into 64 bits.
"""

from abc import ABC

import numpy as np
import polars as pl
from jaxtyping import Float, Int, Num

from study.record.errors import InputError
from study.record.metrics.loss import LARGEST_LOSS
from study.record.metrics.metric import Metric, Task
from study.record.metrics.numbers import PER_UNIT, on_grid

NLL, TOKENS, GREEDY = "nll", "tokens", "greedy"
"""Columns of an outcome row: minus the log-likelihood of the text (nats), its tokens, and how many of these are the
likeliest token where they stand."""


class TextMetric(Metric, ABC):
    """A function of a sum over all texts divided by the sum of their lengths; the first is log-likelihood as a rule.

    Attributes:
        length: the column that says how long a text is, of the examples or, `tokens`, of the outcomes.
    """

    length: str
    tasks = (Task.TEXT,)
    is_repeated = False
    digits = 4

    @property
    def signature(self) -> str:
        """The name, the unit and the grid."""
        return f"{self.name}|{self.unit}|grid:2^-20"

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 2"]:
        """The log-likelihood in units of the grid, and the length."""
        return np.stack([-on_grid(rows[NLL], LARGEST_LOSS), lengths(rows[self.length])], axis=-1)

    def by_length(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """Log-likelihood by length, nats; NaN of no text."""
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1] / PER_UNIT)


class BitsPerByte(TextMetric):
    """Bits per byte, -log-likelihood / (ln 2 x bytes of UTF-8), negated: comparable whatever the tokeniser.

    Margin: .003 bits of a byte are a hundredth of the perplexity of a token of four or five bytes.
    """

    name = "bits_per_byte"
    label = "bits per byte, negated"
    unit = "bits per byte"
    score_unit = "bits per byte"
    axis = "−bits per byte"
    margin = 0.003
    within = 0.006
    is_mean = True
    method = (
        "Bits per byte are minus the log-likelihood of all texts by ln 2 times their bytes; their negative is the score"
    )
    length = "bytes"
    reads = (NLL,)
    example_columns = ("bytes",)
    statistics = ("nats_of_bytes", "bytes_read")

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """See the class."""
        return np.asarray(self.by_length(sums) / np.log(2.0))


class Perplexity(TextMetric):
    """Perplexity of tokens, exp(-log-likelihood / tokens), negated; another tokeniser has another.

    Margin: a hundredth of a perplexity of 20.
    """

    name = "perplexity"
    label = "perplexity, negated"
    unit = "perplexity"
    score_unit = "perplexity"
    axis = "−perplexity"
    margin = 0.2
    within = 0.4
    digits = 2
    method = "Perplexity is exp of minus the log-likelihood of all texts by their tokens; its negative is the score"
    length = TOKENS
    reads = (NLL, TOKENS)
    example_columns = ()
    statistics = ("nats_of_tokens", "tokens_read")

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """See the class; minus infinity where it is too large for a number."""
        with np.errstate(over="ignore"):
            return np.asarray(-np.exp(-self.by_length(sums)))


class BytePerplexity(Perplexity):
    """Perplexity of bytes, exp(-log-likelihood / bytes), negated.

    Margin: .004, which are .003 bits per byte where there is one bit for each.
    """

    name = "byte_perplexity"
    label = "byte perplexity, negated"
    unit = "byte perplexity"
    score_unit = "byte perplexity"
    axis = "−byte perplexity"
    margin = 0.004
    within = 0.008
    digits = 4
    method = "Byte perplexity is exp of minus the log-likelihood of all texts by their bytes; its negative is the score"
    length = "bytes"
    reads = (NLL,)
    example_columns = ("bytes",)
    statistics = ("nats_of_byte_perplexity", "bytes_of_perplexity")


class WordPerplexity(Perplexity):
    """Perplexity of words between blanks, exp(-log-likelihood / words), negated.

    Margin: a hundredth of a perplexity of 30.
    """

    name = "word_perplexity"
    label = "word perplexity, negated"
    unit = "word perplexity"
    score_unit = "word perplexity"
    axis = "−word perplexity"
    margin = 0.3
    within = 0.6
    method = "Word perplexity is exp of minus the log-likelihood of all texts by their words; its negative is the score"
    length = "words"
    reads = (NLL,)
    example_columns = ("words",)
    statistics = ("nats_of_words", "words_read")


class TokenAccuracy(TextMetric):
    """The share of tokens that are the likeliest one where they stand, in percent.

    Margin: that of accuracy, half a point, by agreement.
    """

    name = "token_accuracy"
    label = "token accuracy"
    unit = "points"
    score_unit = "%"
    axis = "token accuracy (%)"
    margin = 0.5
    within = 1.0
    digits = 2
    is_mean = True
    method = "A token counts as right where it is the likeliest one"
    length = TOKENS
    reads = (TOKENS, GREEDY)
    example_columns = ()
    statistics = ("greedy_tokens", "tokens_judged")

    @property
    def signature(self) -> str:
        """The name and the unit."""
        return f"{self.name}|percent"

    def count(self, rows: pl.DataFrame) -> Int[np.ndarray, "rows 2"]:
        """The likeliest tokens among its own, and all of them."""
        return np.stack([rows[GREEDY].to_numpy(), lengths(rows[TOKENS])], axis=-1).astype(np.int64)

    def score(self, sums: Num[np.ndarray, "... 2"]) -> Float[np.ndarray, "..."]:
        """100 x likeliest / all; NaN of no token."""
        with np.errstate(invalid="ignore"):
            return np.asarray(100.0 * sums[..., 0] / sums[..., 1])


def lengths(values: pl.Series) -> Int[np.ndarray, " rows"]:
    """Lengths of texts; where they are lists, each has that of the one text.

    Raises:
        InputError: when a text has none.
    """
    flat = values.list.first() if isinstance(values.dtype, pl.List) else values
    if short := int((flat.fill_null(0) < 1).sum()):
        raise InputError(f"{short} texts have no {values.name}: nothing can be divided by it")
    return flat.cast(pl.Int64).to_numpy()
