"""What is counted of a head's attention: every statistic by name, with its unit, definition, source and divisor.

A row holds sums over the query tokens of an example, and how many queries there were; a mean is a sum of such sums
divided by a sum of counts. H = attention heads in the order of the layout. a_ij is the weight of query i on key j, h a
head, n the number of queries, c_h the head's output before the projection W_h, f(x_j) the value of key j times W_h.
"""

from dataclasses import dataclass

NEAR = 5
"""Offsets of the largest weight are counted from -5 to 5."""

OFFSETS = tuple(range(-NEAR, NEAR + 1))

CLARK = "Clark et al. 2019"
VOITA = "Voita et al. 2019"
KOBAYASHI = "Kobayashi et al. 2020"
OLSSON = "Olsson et al. 2022"


@dataclass(frozen=True)
class Statistic:
    """A sum over the query tokens of an example, for each head.

    Attributes:
        name: its column.
        label: what people call its mean.
        unit: unit of the mean: share (of a query's attention, or of queries), tokens, nats, norm.
        definition: what is summed.
        source: who introduced it, or what it is for.
        count: the column of what the sum is divided by.
        possible: the column that counts the queries of which it can be more than 0, where not all are: n - 1 for n.
        language: whether it is of language models alone.
        digits: decimals with which the mean is shown.
    """

    name: str
    label: str
    unit: str
    definition: str
    source: str
    count: str = "queries"
    possible: str = ""
    language: bool = False
    digits: int = 3


COUNTS = {
    "queries": "query tokens",
    "with_previous": "queries with a key one position before them",
    "with_next": "queries with a key one position after them that they may see",
    "duplicate_queries": "queries whose token stands earlier in the text",
    "induction_queries": "queries whose token stands earlier, with a token after it that they may see",
    "copy_queries": "queries whose next token stands among the keys that they may see",
    "retrieval_queries": "answer tokens that stand in the context",
}
"""The counts of a row, each an integer for each head: kinds, windows and views differ in what may be seen."""

STATISTICS = (
    Statistic("largest", "largest weight", "share", "max_j a_ij", f"confidence: {VOITA}"),
    Statistic("entropy", "entropy", "nats", "-sum_j a_ij ln a_ij", CLARK, digits=2),
    Statistic(
        "uniform_entropy",
        "largest entropy possible",
        "nats",
        "ln of the number of keys that query i may see",
        f"{CLARK}: the dashed line",
        digits=2,
    ),
    Statistic("self", "weight on itself", "share", "a_ii", CLARK),
    Statistic("previous", "weight on the token before", "share", "a_i,i-1", CLARK, possible="with_previous"),
    Statistic("next", "weight on the token after", "share", "a_i,i+1", CLARK, possible="with_next"),
    Statistic("first", "weight on the first token", "share", "a_i1, whatever the first token is", "attention sinks"),
    Statistic("beginning", "weight on [CLS] or BOS", "share", "weight on tokens that begin a text", CLARK),
    Statistic("separator", "weight on [SEP] or EOS", "share", "weight on tokens that end a text", CLARK),
    Statistic("punctuation", "weight on . and ,", "share", "weight on full stops and commas", CLARK),
    Statistic(
        "sink", "weight on a learned sink", "share", "1 - sum_j a_ij: what goes to no token", "gpt-oss: learned sinks"
    ),
    Statistic("distance", "distance", "tokens", "sum_j a_ij |i - j|", "mean distance of attention", digits=2),
    Statistic("output_norm", "norm of the output", "norm", "|c_i W_h|", "inactive heads: Sandoval-Segura et al. 2025"),
    Statistic("weighted_norm", "norm of weighted values", "norm", "sum_j a_ij |f(x_j)|", KOBAYASHI),
    Statistic(
        "weighted_norm_beginning",
        "norm of weighted values of [CLS] or BOS",
        "norm",
        "sum of a_ij |f(x_j)| over tokens that begin a text",
        KOBAYASHI,
    ),
    Statistic(
        "weighted_norm_separator",
        "norm of weighted values of [SEP] or EOS",
        "norm",
        "sum of a_ij |f(x_j)| over tokens that end a text",
        KOBAYASHI,
    ),
    Statistic(
        "duplicate",
        "weight on the same token",
        "share",
        "weight on earlier occurrences of the query's token",
        "Wang et al. 2023",
        count="duplicate_queries",
        language=True,
    ),
    Statistic(
        "induction",
        "weight on what followed",
        "share",
        "weight on the tokens after earlier occurrences of the query's token",
        OLSSON,
        count="induction_queries",
        language=True,
    ),
    Statistic(
        "copy",
        "weight on tokens like the next one",
        "share",
        "weight on keys whose token is the one that follows the query",
        OLSSON,
        count="copy_queries",
        language=True,
    ),
    Statistic(
        "retrieval",
        "answer tokens retrieved",
        "share",
        "answer tokens whose largest weight, as they are predicted, is on that very token in the context",
        "Wu et al. 2024",
        count="retrieval_queries",
        language=True,
    ),
)
"""Every statistic that is a sum for each head; `offsets` and `divergence` are of another shape."""

BY_NAME = {statistic.name: statistic for statistic in STATISTICS}

ALWAYS = tuple(statistic.name for statistic in STATISTICS if not statistic.language)
"""The columns that rows of every model have; those of language models are there besides."""

ALWAYS_COUNTED = tuple(name for name in COUNTS if not name.endswith("_queries"))
