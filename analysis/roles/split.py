"""Two samples of examples that share none: one on which roles are assigned, one on which effects are measured.

Roles and effects of the same examples have the same accidents, which would look like a connection. Where a reading and
the outcomes have examples in common, half of the groups of the reading, drawn by a seed, assign roles, and effects are
taken on all groups of the outcomes that have no example in that half.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analysis.results.domain import Domain
from analysis.results.readings import HeadSums, Reading
from study.record.examples import text_columns

FEWEST = 2
"""Groups that either sample must have."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What roles are assigned on, and what effects are measured on.

    Attributes:
        sums: statistics of heads on the first sample.
        domain: outcomes on the second one.
        halved: whether the reading was halved, since both have examples in common.
    """

    sums: HeadSums
    domain: Domain
    halved: bool


def disjoint_samples(reading: Reading, domain: Domain, groups: str, seed: int) -> Samples | None:
    """The two samples; None where too few groups are left of either."""
    own, others = _contents(reading.examples), _contents(domain.examples)
    shared = others.is_in(own.implode())
    if not shared.any():
        return Samples(reading.sums(groups), domain, halved=False)
    names = reading.group_names(groups)
    half = np.random.default_rng([seed, names.len()]).permutation(names.len()) < names.len() // 2
    column = reading.group_column(groups)
    taken = own.filter(reading.examples[column].is_in(names.filter(pl.Series(half)).implode()))
    mixed = domain.examples[domain.group_column(groups)].filter(others.is_in(taken.implode())).unique()
    examples = domain.examples.filter(~pl.col(domain.group_column(groups)).is_in(mixed.implode()))
    if half.sum() < FEWEST or examples[domain.group_column(groups)].n_unique() < FEWEST:
        return None
    kept = examples["example"].implode()
    rest = replace(
        domain,
        examples=examples,
        rows=domain.rows.filter(pl.col("example").is_in(kept)),
        gradients={loss: rows.filter(pl.col("example").is_in(kept)) for loss, rows in domain.gradients.items()},
        curves=(),
    )
    return Samples(reading.sums(groups).select(half), rest, halved=True)


def _contents(examples: pl.DataFrame) -> pl.Series:
    """All texts of each example as one: what tells whether two data sets have it in common."""
    texts = text_columns(examples.columns)
    return examples.select(pl.concat_str(texts or ["example"], separator="\n", ignore_nulls=True)).to_series()
