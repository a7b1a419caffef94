"""Everything that is computed from a results folder, before any of it is shown."""

from dataclasses import dataclass

import polars as pl

from analysis.changes import changes
from analysis.correlation import correlation
from analysis.curves import WITHIN, curve_points, curve_summary
from analysis.effects import DEFAULT, effects
from analysis.inference import Inference
from analysis.read import Results
from analysis.tables import base_table
from analysis.taylor import taylor


@dataclass(frozen=True)
class Analysis:
    """What was computed from a results folder.

    Attributes:
        results: what was read.
        effects: the tidy tables of all domains, one below the other.
        changes: by setting id, the examples that came out otherwise without a head.
        correlation: for every two domains of a subject.
        base: one row a domain.
        points: of the pruning curves of all domains.
        curves: one row a curve.
        taylor: importance against measured effects.
    """

    results: Results
    effects: pl.DataFrame
    changes: dict[str, pl.DataFrame]
    correlation: pl.DataFrame
    base: pl.DataFrame
    points: pl.DataFrame
    curves: pl.DataFrame
    taylor: pl.DataFrame


def analyse(results: Results, inference: Inference = DEFAULT, *, within: float = WITHIN) -> Analysis:
    """Effects, correlations, base scores and pruning curves of all domains.

    Args:
        results: what was read.
        inference: how intervals and p values of the effects are made.
        within: loss of score that the largest share of heads that can go is given for.

    Raises:
        InputError: when the options of the inference do not fit a domain.
    """
    table = pl.concat([effects(domain, inference) for domain in results.domains])
    points, taylor_ = (pl.concat([of(domain) for domain in results.domains]) for of in (curve_points, taylor))
    return Analysis(
        results=results,
        effects=table,
        changes={domain.setting_id: changes(domain) for domain in results.domains},
        correlation=correlation(table),
        base=base_table(results.domains),
        points=points,
        curves=curve_summary(points, within),
        taylor=taylor_,
    )
