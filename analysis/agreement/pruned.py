"""Kept sets of pruning curves: the heads that are left at a share removed, or where the score first falls too far.

The second is the rule of Prasanna, Rogers and Rumshisky (2020): the last point of the curve before the score is below
90 % of that with every head.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool

from analysis.agreement.kept_sets import KeptSets
from analysis.curves.order_names import curve_kinds, order_name
from analysis.effects.head_effects import ALL_KINDS
from analysis.results.cells import (
    METRIC,
    TASK,
    Cell,
    Grid,
    beside_others,
    cells,
    check_axes,
    held_axes,
    one_lineage,
    several_metrics,
    usual,
    value_name,
)
from analysis.results.domain import Domain
from analysis.results.read import Results
from study.record.curves import Curve
from study.record.errors import InputError, listed
from study.record.units import Head, UnitLevel, parse_mask

RETAIN = 0.9


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Where a pruning curve is stopped.

    Attributes:
        share: the share of heads removed, 0 to 1, which a point of the curve must have; None: `retain` decides.
        retain: the share of the score with every head below which no point up to there may fall.
    """

    share: float | None = None
    retain: float = RETAIN

    def __post_init__(self) -> None:
        for name, value in (("share", self.share), ("retain", self.retain)):
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name} must be between 0 and 1, not {value:g}")

    def __str__(self) -> str:
        """In words, of the heads that are kept."""
        if self.share is not None:
            return f"kept with {100 * self.share:g} % of the heads removed"
        return f"kept at the last point before the score falls below {100 * self.retain:g} % of that with every head"

    def mask(self, domain: Domain, curve: Curve) -> Bool[np.ndarray, " heads"]:
        """The heads that are on where a curve is stopped.

        Raises:
            InputError: when no point of the curve has the share.
        """
        return parse_mask(curve.masks[self._point(domain, curve)], domain.layout)[: len(domain.layout)]

    def _point(self, domain: Domain, curve: Curve) -> int:
        if self.share is not None:
            shares = [removed / curve.heads for removed in curve.removed]
            found = [i for i, share in enumerate(shares) if abs(share - self.share) * curve.heads < 0.5]
            if not found:
                has = listed([f"{share:.2f}" for share in shares], most=12)
                raise InputError(
                    f"no point of {domain.model}'s pruning curve on {domain.data} has {self.share:g} of the heads "
                    f"removed: there are {has}"
                )
            return found[0]
        sample = domain.sample()
        scores = dict(zip(sample.masks, sample.scores, strict=True))
        least = sample.base_score - (1 - self.retain) * abs(sample.base_score)  # log-likelihoods are below 0
        enough = [scores[mask] >= least for mask in curve.masks]
        return int(np.cumprod(enough).sum()) - 1


def kept_sets(results: Results, along: str, stop: Stop) -> list[KeptSets]:
    """The kept sets of a results folder: those of every order of removal, and of every place on the other axes.

    Args:
        results: what was read.
        along: the axis on which the raters stand (`seed`, `data`).
        stop: where curves are stopped.

    Returns:
        The sets of which there are two or more; those of random orders are none.

    Raises:
        InputError: when there is no such axis, or raters have other heads than each other.
    """
    check_axes([along])
    held = held_axes([along])
    groups: dict[tuple[Any, ...], dict[str, tuple[Cell, Curve]]] = {}
    every = one_lineage(cells(results)) if along == TASK else cells(results)
    beside, free = beside_others(every), along == TASK and not several_metrics(every)
    for cell in every:
        if cell.at(along) is None:
            continue
        for name, curve in _curves(cell.domain):
            metric = "" if free else cell.domain.metric.name
            place = (*map(cell.at, held), metric, name)
            rater = value_name(along, cell.at(along)).removeprefix(f"{along} ")
            groups.setdefault(place, {})[rater] = cell, curve
    found = []
    for (*place, name), raters in groups.items():
        if len(raters) > 1:
            at = dict(zip((*held, METRIC), place, strict=True))
            grid = Grid((along,), at, {}, beside.get(place[-1], ""), usual(every))
            found.append(_sets(f"{grid.name}, {name}", along, raters, stop))
    return found


def _curves(domain: Domain) -> Iterable[tuple[str, Curve]]:
    """The curves of a domain by name, but for those of which it has several: random orders keep what chance keeps.

    Those of MLPs keep every head.
    """
    named: dict[str, list[Curve]] = {}
    for curve in (curve for curve in domain.curves if curve.unit is not UnitLevel.mlp):
        kinds = curve_kinds(curve)
        name = order_name(curve, domain.data) + ("" if kinds == ALL_KINDS else f", {kinds}")
        named.setdefault(name, []).append(curve)
    return ((name, curves[0]) for name, curves in named.items() if len(curves) == 1 and curves[0].order != "random")


def _sets(task: str, along: str, raters: dict[str, tuple[Cell, Curve]], stop: Stop) -> KeptSets:
    layouts = {name: cell.domain.layout for name, (cell, _) in raters.items()}
    first, layout = next(iter(layouts.items()))
    other = next((name for name, own in layouts.items() if own.counts != layout.counts), None)
    if other is not None:
        raise InputError(f"{task}: {along} {first} has {layout}, {other} has {layouts[other]}: not the same heads")
    kinds = next(iter(raters.values()))[1].kinds
    heads = [i for i, head in enumerate(layout.heads) if not kinds or str(head.kind) in kinds]
    kept = np.stack([stop.mask(cell.domain, curve)[heads] for cell, curve in raters.values()])
    return KeptSets(task, along, tuple(raters), _at(layout.heads, heads), kept)


def _at(heads: Sequence[Head], places: Sequence[int]) -> tuple[Head, ...]:
    return tuple(heads[i] for i in places)
