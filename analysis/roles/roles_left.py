"""Which roles are left as heads are pruned: how many heads of each role an order keeps, and for how long.

Voita et al. (2019) find that specialised heads go last, and that all roles are there with 17 of 48 heads kept. Roles
are those of the whole model; where attention was measured under a mask of the curve, they are assigned anew besides, to
the heads that are left.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Int
from scipy import stats

from analysis.curves.order_names import curve_kinds, order_name
from analysis.results.domain import IDENTITY, Domain
from analysis.results.readings import Reading
from analysis.roles.role_effects import Assign, Members
from study.record.curves import Curve
from study.record.units import UnitLevel, parse_mask

RANDOM = "random"
"""The order that says nothing of roles."""

LEFT_ROWS = (
    dict.fromkeys((*IDENTITY, "reading", "reading_id", "special", "kinds", "curve", "role"), pl.String)
    | dict.fromkeys(["kept", "heads", "left", "members", "anew"], pl.Int64)
    | dict.fromkeys(["share_kept", "share_left", "later", "p"], pl.Float64)
)


def roles_left(reading: Reading, domain: Domain, assigned: Members, assign: Assign, groups: str) -> pl.DataFrame:
    """What every order of removal of a domain leaves of each role; random orders are left out.

    Returns:
        Columns of the domain and the reading; kinds, curve (the order in words), role; kept, heads, share_kept: heads
        that are on at a point of the curve, and how many the curve is of; left, members, share_left: how many heads of
        the role are on, and how many the curve is of; anew: heads that have the role when it is assigned under this
        mask, null where attention was not measured there; later: chance that a head of the role goes later than
        another (.5: the order does not tell them apart), p: of that, two-sided, by the rank-sum test (exact where
        there are few heads), not corrected.
    """
    rows: list[dict[str, Any]] = []
    for curve in domain.curves:
        if curve.order == RANDOM or curve.unit is not UnitLevel.head:
            continue
        names = {**domain.identity, "reading": reading.data, "reading_id": reading.setting.id}
        names |= {"special": str(reading.special), "kinds": curve_kinds(curve), "curve": order_name(curve, domain.data)}
        rows += [names | row for row in Removal(curve, reading, assigned, assign, groups).rows()]
    return pl.DataFrame(rows, schema=LEFT_ROWS)


@dataclass(frozen=True, eq=False)
class Removal:
    """One order of removal, and the heads of each role in it."""

    curve: Curve
    reading: Reading
    assigned: Members
    assign: Assign
    groups: str

    @cached_property
    def removed_at(self) -> Int[np.ndarray, " heads"]:
        """When each head of the model goes; -1 for heads that the curve is not of."""
        places = np.full(len(self.reading.layout), -1)
        for at, head in enumerate(self.curve.sequence):
            places[[str(one) for one in self.reading.layout.heads].index(head)] = at
        return places

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each point of the curve and role."""
        anew = {mask: self._anew(mask) for mask in self.curve.masks[1:] if mask in self.reading.masks}
        for role, has in self.assigned.items():
            has = has & (self.removed_at >= 0)
            if not has.any():
                continue
            later, p = self._later(has)
            for mask, removed in zip(self.curve.masks, self.curve.removed, strict=True):
                left = int((has & self._on(mask)).sum())
                found = anew.get(mask)
                kept = self.curve.heads - removed
                yield {
                    "role": role,
                    "kept": kept,
                    "heads": self.curve.heads,
                    "share_kept": kept / self.curve.heads,
                    "left": left,
                    "members": int(has.sum()),
                    "share_left": left / int(has.sum()),
                    "anew": None if found is None else found.get(role, 0),
                    "later": later,
                    "p": p,
                }

    def _on(self, mask: str) -> Bool[np.ndarray, " heads"]:
        return parse_mask(mask, self.reading.layout)[: len(self.reading.layout)]

    def _anew(self, mask: str) -> dict[str, int]:
        """How many of the heads that are on have each role under a mask."""
        on = self._on(mask)
        return {role: int((has & on).sum()) for role, has in self.assign(self.reading.sums(self.groups, mask)).items()}

    def _later(self, has: Bool[np.ndarray, " heads"]) -> tuple[float | None, float | None]:
        """The chance that a head of a role goes later than another, and its p; None where all have it."""
        of_role, others = self.removed_at[has], self.removed_at[~has & (self.removed_at >= 0)]
        if not len(others):
            return None, None
        found = stats.mannwhitneyu(of_role, others)
        return float(found.statistic / (len(of_role) * len(others))), float(found.pvalue)


def all_present(left: pl.DataFrame) -> pl.DataFrame:
    """The fewest heads with which an order keeps a head of every role.

    Args:
        left: rows of `roles_left`.

    Returns:
        A row for each order: its columns, kept, heads, roles (how many), first_gone (the role that goes first, null
        where none does).
    """
    order = [*IDENTITY, "reading", "reading_id", "special", "kinds", "curve", "heads"]
    last = left.filter(pl.col("left") > 0).group_by(*order, "role", maintain_order=True).agg(pl.col("kept").min())
    orders = last.sort("kept", descending=True, maintain_order=True).group_by(*order, maintain_order=True)
    return orders.agg(pl.col("kept").first(), roles=pl.len(), first_gone=pl.col("role").first())
