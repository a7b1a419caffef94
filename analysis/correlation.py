"""Correlation of single-head effects between the domains of a subject: does the same head matter elsewhere?

The paper's figure 2. Pairs are only made within a subject. Where no correlation exists, the table says why.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from analysis.effects import Measure, of_measure
from study.heads import AttentionKind

ALL_KINDS = "all"
"""In the column `kind`: heads of every attention kind together."""

FEWEST = 3
"""Two points always lie on a line."""

CONSTANT = 1e-9
"""Effects that differ by less are equal: a score is a ratio of counts, and no set has a billion examples."""

ADDRESS = ["kind", "layer", "head"]

SCHEMA = {
    "subject": pl.String,
    "subject_id": pl.String,
    "metric": pl.String,
    "domain_a": pl.String,
    "domain_b": pl.String,
    "setting_a": pl.String,
    "setting_b": pl.String,
    "kind": pl.String,
    "heads": pl.Int64,
    "pearson": pl.Float64,
    "spearman": pl.Float64,
    "reason": pl.String,
}


def correlation(effects: pl.DataFrame) -> pl.DataFrame:
    """Pearson's and Spearman's correlation for every two domains of each subject, overall and by attention kind.

    A domain is a setting: two data sets of one name are two domains, told apart by `setting_a` and `setting_b`.

    Args:
        effects: the tidy tables of any number of domains, one below the other.

    Returns:
        Columns subject, subject_id, metric, domain_a, domain_b, setting_a, setting_b, kind ("all" or an attention
        kind), heads (measured in both), pearson, spearman (null where they do not exist), reason (why not).
    """
    rows = [row for a, b in pairs(effects) for row in _rows(a, b)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def pairs(effects: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The single-head effects of every two domains that share a subject."""
    ablation = of_measure(effects, Measure.ABLATION)
    for subject in ablation.partition_by("subject_id", maintain_order=True):
        domains = subject.partition_by("setting_id", maintain_order=True)
        yield from combinations(domains, 2)


def matched(a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """The heads measured in both domains: columns kind, layer, head, effect_a, effect_b."""
    return a.select(*ADDRESS, effect_a="effect").join(
        b.select(*ADDRESS, effect_b="effect"), on=ADDRESS, how="inner", maintain_order="left"
    )


def _rows(a: pl.DataFrame, b: pl.DataFrame) -> Iterator[tuple[object, ...]]:
    both = matched(a, b)
    names = [a[column][0] for column in ("subject", "subject_id", "metric")]
    names += [table[column][0] for column in ("domain", "setting_id") for table in (a, b)]
    present = [kind for kind in map(str, AttentionKind) if kind in a["kind"] or kind in b["kind"]]
    for kind in [ALL_KINDS, *(present if len(present) > 1 else [])]:
        heads = both if kind == ALL_KINDS else both.filter(pl.col("kind") == kind)
        reason = _no_correlation(heads, a["domain"][0], b["domain"][0])
        x, y = heads["effect_a"].to_numpy(), heads["effect_b"].to_numpy()
        pearson = None if reason else _statistic(stats.pearsonr, x, y)
        spearman = None if reason else _statistic(stats.spearmanr, x, y)
        yield (*names, kind, heads.height, pearson, spearman, reason)


def _statistic(test: Callable[..., Any], x: np.ndarray, y: np.ndarray) -> float:
    """The correlation alone: the p value that comes with it takes heads for independent, which they are not."""
    return float(test(x, y).statistic)


def _no_correlation(heads: pl.DataFrame, domain_a: str, domain_b: str) -> str | None:
    """Why these heads have no correlation; None when they have one."""
    if heads.height < FEWEST:
        return f"{heads.height} heads measured in both: a correlation needs {FEWEST}"
    constant = [
        domain
        for domain, column in ((domain_a, "effect_a"), (domain_b, "effect_b"))
        if np.ptp(heads[column].to_numpy()) < CONSTANT
    ]
    return f"all effects on {' and on '.join(constant)} are equal" if constant else None
