"""Which roles are left as heads are pruned: how many heads of each role an order keeps, and for how long.

Voita et al. (2019) find that specialised heads go last, and that all roles are there with 17 of 48 heads kept. Roles
are those of the whole model; where attention was measured under a mask of the curve, they are assigned anew besides, to
the heads that are left.
"""

from collections.abc import Callable, Iterator, Sequence
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
from analysis.roles.role_effects import Members
from study.record.curves import Curve
from study.record.units import HeadLayout, UnitLevel, parse_mask

AssignAnew = Callable[[str], Members]
"""What assigns roles under a mask, by its key."""

RANDOM = "random"
"""The order that says nothing of roles."""

LEFT_ROWS = (
    dict.fromkeys((*IDENTITY, "reading", "reading_id", "special", "kinds", "curve", "role"), pl.String)
    | dict.fromkeys(["kept", "heads", "left", "members", "anew"], pl.Int64)
    | dict.fromkeys(["share_kept", "share_left", "later", "p"], pl.Float64)
)


def roles_left(reading: Reading, domain: Domain, assigned: Members, anew: AssignAnew) -> pl.DataFrame:
    """What every order of removal of a domain leaves of each role; random orders are left out.

    Args:
        reading: where heads were looked at.
        domain: what has the orders.
        assigned: the heads of each role.
        anew: what assigns roles under a mask that attention was looked at under, zero in the place of what is off.

    Returns:
        Columns of the domain and the reading; kinds, curve (the order in words), role; kept, heads, share_kept: heads
        that are on at a point of the curve, and how many the curve is of; left, members, share_left: how many heads of
        the role are on, and how many the curve is of (share_left is null, and members 0, of a role that heads have
        under this mask alone); anew: heads that have the role when it is assigned under this mask, null where attention
        was not measured there; later: chance that a head of the role goes later than
        another (.5: the order does not tell them apart), p: of that, two-sided, by the rank-sum test (exact where
        there are few heads), not corrected.
    """
    rows: list[dict[str, Any]] = []
    looked_at = reading.masks if domain.setting.stands_in == reading.setting.stands_in else ()
    for curve in domain.curves:
        if curve.order == RANDOM or curve.unit is not UnitLevel.head:
            continue
        names = {**domain.identity, "reading": reading.data, "reading_id": reading.setting.id}
        names |= {"special": str(reading.special), "kinds": curve_kinds(curve), "curve": order_name(curve, domain.data)}
        rows += [names | row for row in Removal(curve, reading.layout, looked_at, assigned, anew).rows()]
    return pl.DataFrame(rows, schema=LEFT_ROWS)


@dataclass(frozen=True, eq=False)
class Removal:
    """One order of removal, and the heads of each role in it.

    Attributes:
        curve: the order.
        layout: the heads of the model.
        looked_at: keys of the masks under which attention was looked at.
        assigned: the heads of each role.
        anew: what assigns roles under one of these masks.
    """

    curve: Curve
    layout: HeadLayout
    looked_at: Sequence[str]
    assigned: Members
    anew: AssignAnew

    @cached_property
    def removed_at(self) -> Int[np.ndarray, " heads"]:
        """When each head of the model goes; -1 for heads that the curve is not of."""
        place = {str(head): at for at, head in enumerate(self.layout.heads)}
        places = np.full(len(self.layout), -1)
        places[[place[head] for head in self.curve.sequence]] = np.arange(len(self.curve.sequence))
        return places

    @cached_property
    def found_anew(self) -> dict[str, dict[str, int]]:
        """How many of the heads that are on have each role, under each mask of the curve that was looked at."""
        masks = (mask for mask in self.curve.masks[1:] if mask in self.looked_at)
        return {
            mask: {role: int((has & self._on(mask)).sum()) for role, has in self.anew(mask).items()} for mask in masks
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each point of the curve and role."""
        whole = {role: has & (self.removed_at >= 0) for role, has in self.assigned.items()}
        whole = {role: has for role, has in whole.items() if has.any()}
        for role, has in whole.items():
            later, p = self._later(has)
            for mask, removed in zip(self.curve.masks, self.curve.removed, strict=True):
                left, members, found = int((has & self._on(mask)).sum()), int(has.sum()), self.found_anew.get(mask)
                yield self._point(removed) | {
                    "role": role,
                    "left": left,
                    "members": members,
                    "share_left": left / members,
                    "anew": None if found is None else found.get(role, 0),
                    "later": later,
                    "p": p,
                }
        removed = dict(zip(self.curve.masks, self.curve.removed, strict=True))
        for mask, found in self.found_anew.items():
            for role in sorted(role for role, count in found.items() if count and role not in whole):
                yield self._point(removed[mask]) | {"role": role, "left": 0, "members": 0, "anew": found[role]}

    def _point(self, removed: int) -> dict[str, Any]:
        kept = self.curve.heads - removed
        return {"kept": kept, "heads": self.curve.heads, "share_kept": kept / self.curve.heads}

    def _on(self, mask: str) -> Bool[np.ndarray, " heads"]:
        return parse_mask(mask, self.layout)[: len(self.layout)]

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
