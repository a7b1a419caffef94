"""Outcomes that roles and statistics are held against: effects on the score, on the loss, and importance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.correlation.true_correlation import NoisyEffects
from analysis.results.domain import Domain
from analysis.results.groups import GROUP, Groups, group_sums
from analysis.results.rescoring import rescored
from study.record.errors import InputError
from study.record.importance import Estimator
from study.record.loss import PLAIN, Loss
from study.record.metrics.loss import LogLikelihood, SquaredError

SCORE, LOSS, IMPORTANCE = "score", "loss", "importance"


@dataclass(frozen=True, eq=False)
class Outcome:
    """A number of each head, with what it is without each group of examples.

    Attributes:
        name: `score`, `loss` or `importance`.
        label: what it is, with the name of the metric.
        unit: its unit.
        at: places of its heads in the layout.
        values: one for each of these heads; of score and loss lower is worse, of importance higher is more important.
        without: values on all examples but those of one group.
    """

    name: str
    label: str
    unit: str
    at: Int[np.ndarray, " heads"]
    values: Float[np.ndarray, " heads"]
    without: Float[np.ndarray, "groups heads"]

    def noisy(self) -> NoisyEffects:
        """As correlations take it."""
        return NoisyEffects(f"the {self.label}", self.values, self.without)


def outcomes(domain: Domain, groups: str) -> Iterator[Outcome]:
    """The outcomes that a domain has: its own score, the loss where answers tell it, importance where it was taken."""
    if domain.single_heads:
        yield _effects(domain, groups, SCORE)
        scored = by_loss(domain)
        if scored is not None:
            yield _effects(scored, groups, LOSS)
    if domain.gradients:
        yield _importance(domain, groups)


def by_loss(domain: Domain) -> Domain | None:
    """A domain scored by its loss; None where it is so already, or outcomes do not tell it."""
    names = (LogLikelihood.name, SquaredError.name)
    if domain.metric.name in names:
        return None
    for name in names:
        try:
            return rescored(domain, name)
        except InputError:  # of another task, or without the column
            continue
    return None


def _effects(domain: Domain, groups: str, name: str) -> Outcome:
    places = {head: at for at, head in enumerate(domain.layout.heads)}
    sample = domain.sample(groups).select(domain.single_heads.values())
    at = np.array([places[head] for head in domain.single_heads], dtype=np.int64)
    label, unit = f"effect on {domain.metric.label}", domain.metric.unit
    return Outcome(name, label, unit, at, sample.effects, sample.effects_without_each)


def _importance(domain: Domain, groups: str) -> Outcome:
    """The paper's importance, not normalised: layers are held in other ways."""
    loss = PLAIN if PLAIN in domain.gradients else min(domain.gradients, key=Loss.__str__)
    rows = domain.gradients[loss].filter(mask=domain.layout.full_key)
    taken = domain.examples.filter(pl.col("example").is_in(rows["example"].implode()))
    grouped, heads = Groups.of(taken, domain.group_column(groups)), len(domain.layout)
    placed = grouped.place(rows)
    values = Estimator.paper.each(placed["gradient"].to_numpy().astype(np.float64)[:, :heads])
    sums, sizes = group_sums(values, placed[GROUP].to_numpy(), len(grouped)), grouped.sizes[:, None].astype(np.float64)
    left = np.maximum(sizes.sum() - sizes, 1)
    without = (sums.sum(axis=0) - sums) / left
    return Outcome(IMPORTANCE, "importance", "nats", np.arange(heads), sums.sum(axis=0) / sizes.sum(), without)
