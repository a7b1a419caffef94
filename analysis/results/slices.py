"""Slices: the parts of a domain that a column of its examples names (genres), each a domain of its own; only a view."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.results.domain import Domain
from study.record.errors import InputError

MOST = 50
"""Slices of a domain; a column of texts has thousands, and every two would be compared."""


def slices(domain: Domain, column: str) -> list[Domain]:
    """A domain by the values of a column, sorted; the domain as it is where the column has one value, or is not there.

    Each is named `data/value`, and its setting `id/value`; gradients and curves are of the whole and are left out.
    """
    if column not in domain.examples.columns:
        return [domain]
    values = domain.examples[column].unique().drop_nulls().sort()
    if values.len() < 2:
        return [domain]
    return [_slice(domain, column, value) for value in values]


def sliced(domains: Sequence[Domain], column: str) -> list[Domain]:
    """Every domain by the values of a column; only of subjects that have a domain with several values.

    Raises:
        InputError: when no domain has that column, or one has more than `MOST` values of it.
    """
    for domain in domains:
        values = domain.examples[column].n_unique() if column in domain.examples.columns else 0
        if values > MOST:
            raise InputError(f"{domain.data} has {values:,} values of '{column}': no more than {MOST} can be compared")
    if not any(column in domain.examples.columns for domain in domains):
        known = sorted({name for domain in domains for name in domain.examples.columns})
        raise InputError(f"no examples have a column '{column}': there are {', '.join(known)}")
    parts = [(domain, slices(domain, column)) for domain in domains]
    subjects = {domain.subject_id for domain, own in parts if len(own) > 1}
    return [part for domain, own in parts if domain.subject_id in subjects for part in own]


def _slice(domain: Domain, column: str, value: object) -> Domain:
    examples = domain.examples.filter(pl.col(column) == value)
    return replace(
        domain,
        data=f"{domain.data}/{value}",
        setting_id=f"{domain.setting_id}/{value}",
        examples=examples,
        rows=domain.rows.filter(pl.col("example").is_in(examples["example"].implode())),
        gradients={},
        curves=(),
        kept=(),
    )
