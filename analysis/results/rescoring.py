"""Which metric scores a domain: that of its outcomes, or chrF, whose statistics follow from the stored translations.

Only a view: nothing is stored. Most masks leave most translations as they are, and each distinct one is counted once.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import polars as pl

from analysis.results.domain import HYPOTHESIS, Domain, scoring_signature
from analysis.results.read import Results
from study.record.errors import InputError
from study.record.metrics import Chrf, MetricName
from study.terminal.progress import progress


def scored_by(results: Results, metrics: Collection[MetricName]) -> Results:
    """The domains that each of these metrics can score, scored by it; where none is named, all as they are.

    Raises:
        InputError: when there is no such domain; says by what the domains are scored.
    """
    if not metrics:
        return results
    domains, refused = [], []
    for name in dict.fromkeys(metrics):
        for domain in results.domains:
            try:
                domains.append(rescored(domain, name))
            except InputError as error:
                refused.append(str(error))
    if not domains:
        raise InputError("\n  ".join([f"{results.folder} holds nothing with metric {', '.join(metrics)}:", *refused]))
    return replace(results, domains=tuple(sorted(domains, key=lambda domain: (domain.model, domain.subject_id))))


def rescored(domain: Domain, name: MetricName) -> Domain:
    """A domain as scored by a metric: itself by its own, by chrF with the columns that chrF needs.

    The other metric makes it another subject: its ids end in `-chrf`, so that both can stand on one page.

    Raises:
        InputError: when its outcomes say nothing of that metric.
    """
    if name is domain.metric.name:
        return domain
    if name is not MetricName.CHRF or HYPOTHESIS not in domain.rows.columns:
        why = ", and no translations are stored with it" if name is MetricName.CHRF else ""
        raise InputError(f"{domain.model} on {domain.data} is scored by {domain.metric.name}{why}")
    chrf = Chrf()
    return replace(
        domain,
        setting_id=f"{domain.setting_id}-{name}",
        subject_id=f"{domain.subject_id}-{name}",
        metric=chrf,
        signature=scoring_signature(chrf.signature, domain.examples),
        rows=_with_statistics(domain, chrf),
    )


def _with_statistics(domain: Domain, chrf: Chrf) -> pl.DataFrame:
    """The outcome rows with the statistics of their hypotheses."""
    rows = domain.rows.join(domain.examples.select("example", "target"), on="example", maintain_order="left")
    pairs = rows.select("target", HYPOTHESIS).unique(maintain_order=True)
    counted = []
    with progress(f"chrF of {domain.model} on {domain.data}", pairs.height, "translations") as advance:
        for (target,), own in pairs.group_by("target", maintain_order=True):
            statistics = chrf.hypothesis_statistics(own[HYPOTHESIS].to_list(), str(target))
            counted.append(own.hstack(pl.DataFrame(statistics.astype(np.int32), schema=list(chrf.statistics))))
            advance(own.height)
    return rows.join(pl.concat(counted), on=["target", HYPOTHESIS], maintain_order="left").drop("target")
