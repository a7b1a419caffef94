"""A domain as scored by another metric, whose statistics follow from the stored answers.

Only a view: nothing is stored. Most masks leave most answers as they are, and each distinct one is counted once.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
from jaxtyping import Int

from analysis.results.domain import Domain, scoring_signature
from study.record.errors import InputError
from study.record.loss import drafted_losses
from study.record.metrics import STORED, Metric, metric
from study.record.scores import with_statistics
from study.terminal.progress import progress

AT_ONCE = 2000
"""Answers that are counted between two steps of the progress bar."""


def rescored(domain: Domain, name: str) -> Domain:
    """A domain as scored by a metric: itself by its own, by another with the statistics that this one needs.

    The other metric makes it another subject: its ids end in `-chrf`, so that both can stand on one page, and
    are the same whatever scored the domain before.

    Raises:
        InputError: when its outcomes say nothing of that metric.
    """
    own = domain.metric
    if name == own.name:
        return domain
    by, on = metric(name, own.answers), f"{domain.subject} on {domain.data}"
    if own.task not in by.tasks:
        of = " and ".join(by.tasks)
        raise InputError(f"{on} is scored by {own.label}; {by.label} is of {of}, and this is {own.task}")
    if not set(by.reads) <= set(domain.rows.columns):
        cure = f": {by.needs}" if by.needs else ""
        raise InputError(
            f"{on} is scored by {own.label}, and its outcomes hold no answers that {by.label} could score{cure}"
        )
    precisions = sorted({place.precision for place in domain.factors if drafted_losses(place.precision)})
    if by.needs_values and precisions:
        raise InputError(
            f"{on} was computed by precision={precisions[0].partition('|')[0]}: what was chosen is float32's, but most "
            f"losses and log-likelihoods are computed {drafted_losses(precisions[0])}, and {by.label} is not taken of "
            f"these"
        )
    return replace(
        domain,
        setting_id=_id_as_scored(domain.setting_id, own, name),
        subject_id=_id_as_scored(domain.subject_id, own, name),
        metric=by,
        signature=scoring_signature(by.signature, domain.examples),
        rows=with_statistics(domain.rows, domain.examples, by, partial(_counted, domain, by)),
    )


def _id_as_scored(id_: str, before: Metric, name: str) -> str:
    """An id with the name of a metric, unless it is the one that rows are stored for."""
    stored = id_.removesuffix(f"-{before.name}")
    return stored if name == STORED[before.task] else f"{stored}-{name}"


def _counted(domain: Domain, by: Metric, answers: pl.DataFrame) -> Int[np.ndarray, "rows statistics"]:
    """The statistics of answers, with a progress bar."""
    counted = []
    with progress(f"{by.label} of {domain.subject} on {domain.data}", answers.height, "answers") as advance:
        for some in answers.iter_slices(AT_ONCE):
            counted.append(by.count(some))
            advance(some.height)
    return np.concatenate(counted)
