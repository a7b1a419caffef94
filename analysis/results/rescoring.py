"""A domain as scored by another metric, whose statistics follow from the stored answers.

Only a view: nothing is stored. Most masks leave most answers as they are, and each distinct one is counted once.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from analysis.results.domain import Domain, scoring_signature
from study.record.errors import InputError
from study.record.metrics import Metric, metric
from study.terminal.progress import progress

AT_ONCE = 2000
"""Answers that are counted between two steps of the progress bar."""


def rescored(domain: Domain, name: str) -> Domain:
    """A domain as scored by a metric: itself by its own, by another with the statistics that this one needs.

    The other metric makes it another subject: its ids end in `-chrf`, so that both can stand on one page.

    Raises:
        InputError: when its outcomes say nothing of that metric.
    """
    own = domain.metric
    if name == own.name:
        return domain
    by, on = metric(name, own.answers), f"{domain.model} on {domain.data}"
    if by.task is not own.task:
        raise InputError(f"{on} is scored by {own.label}; {by.label} is of {by.task}, and this is {own.task}")
    if by.answer not in domain.rows.columns:
        raise InputError(f"{on} is scored by {own.label}, and its outcomes hold no answers that {by.label} could score")
    return replace(
        domain,
        setting_id=f"{domain.setting_id}-{name}",
        subject_id=f"{domain.subject_id}-{name}",
        metric=by,
        signature=scoring_signature(by.signature, domain.examples),
        rows=_with_statistics(domain, by),
    )


def _with_statistics(domain: Domain, by: Metric) -> pl.DataFrame:
    """The outcome rows with the statistics of their answers."""
    if set(by.statistics) <= set(domain.rows.columns):
        return domain.rows
    rows = domain.rows.join(domain.examples.select("example", "target"), on="example", maintain_order="left")
    pairs = rows.select("target", by.answer).unique(maintain_order=True).sort("target", maintain_order=True)
    counted = []
    with progress(f"{by.label} of {domain.model} on {domain.data}", pairs.height, "answers") as advance:
        for some in pairs.iter_slices(AT_ONCE):
            statistics = by.count(some[by.answer], some["target"])
            counted.append(some.hstack(pl.DataFrame(statistics.astype(np.int64), schema=list(by.statistics))))
            advance(some.height)
    return rows.join(pl.concat(counted), on=["target", by.answer], how="left", maintain_order="left").drop("target")
