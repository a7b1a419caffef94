"""Which heads are to be removed: as a mask, as addresses, or as the first so many of an order in a file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from study.record.errors import InputError
from study.record.orders import read_addresses
from study.record.units import Head, HeadLayout, parse_mask


class Unit(StrEnum):
    """What an address names: a head, or with grouped queries a key/value group with all of its heads."""

    head = "head"
    group = "group"


@dataclass(kw_only=True)
class Selection:
    """Heads to remove: exactly one of `mask`, `heads` and `order` is given.

    Attributes:
        mask: a text of 0 (remove) and 1 (keep) in the order of heads.
        heads: addresses, `encoder_self.3.11`, counted from 0.
        order: a file with one address a line, or a pruning curve of the results (`curves/*.json`).
        number: how many of the order are removed, from the first on.
        share: share of the model's units that is removed, rounded down; in place of `number`.
        unit: kind of unit that an address names.
    """

    mask: str = ""
    heads: list[str] = field(default_factory=list)
    order: str = ""
    number: int | None = None
    share: float | None = None
    unit: Unit = Unit.head

    def check(self) -> None:
        """Refuse what says too much or too little; needs no model.

        Raises:
            InputError: when there is not exactly one selection, or what belongs to another is given.
        """
        given = [name for name in ("mask", "heads", "order") if getattr(self, name)]
        if len(given) != 1:
            raise InputError(
                "say which heads to remove, in one way: mask=0110..., heads=[encoder_self.0.1,...], or order=FILE with "
                f"number=N or share=0.4; given: {', '.join(given) or 'none'}"
            )
        if (self.number is None) + (self.share is None) != (1 if self.order else 2):
            raise InputError("number=N or share=0.4 belong to order=FILE: give one of them with it, none without")
        if self.share is not None and not 0 <= self.share <= 1:
            raise InputError(f"share={self.share:g}: expected a number from 0 to 1")
        if self.mask and self.unit is not Unit.head:
            raise InputError("a mask has a number for each head: unit=group goes with heads or order")

    def keeps(self, layout: HeadLayout, heads_per_group: int = 1) -> Bool[np.ndarray, " heads"]:
        """The mask that leaves on what is not to be removed.

        Args:
            layout: the model's heads.
            heads_per_group: query heads that share a key and a value.

        Raises:
            InputError: for units that the model does not have or that are named twice, an order that is too short, a
                mask of another length, and when nothing is left to remove.
        """
        self.check()
        if self.mask:
            mask = parse_mask(self.mask, layout)
        else:
            units = layout if self.unit is Unit.head else _groups(layout, heads_per_group)
            size = 1 if self.unit is Unit.head else heads_per_group
            mask = layout.without(
                Head(unit.kind, unit.layer, unit.index * size + i) for unit in self._chosen(units) for i in range(size)
            )
        if mask.all():
            raise InputError("nothing to remove: every head stays")
        return mask

    def _chosen(self, units: HeadLayout) -> Sequence[Head]:
        if self.order:
            named = [head for _, head in read_addresses(Path(self.order).expanduser())]
        else:
            named = [Head.parse(text) for text in self.heads]
        if twice := sorted({str(unit) for unit in named if named.count(unit) > 1}):
            raise InputError(f"named twice: {', '.join(twice)}")
        for unit in named:
            units.index(unit)
        if not self.order:
            return named
        number = int(len(units) * self.share + 1e-9) if self.share is not None else self.number or 0
        if not 0 <= number <= len(named):
            raise InputError(f"{self.order} names {len(named)} {self.unit}s: {number} of them cannot be removed")
        return named[:number]


def _groups(layout: HeadLayout, heads_per_group: int) -> HeadLayout:
    if heads_per_group == 1:
        raise InputError("unit=group: this model's heads have keys and values of their own")
    if any(count % heads_per_group for counts in layout.counts.values() for count in counts):
        raise InputError("unit=group: heads were removed before, and the groups are no longer of one size")
    return HeadLayout({kind: [count // heads_per_group for count in counts] for kind, counts in layout.counts.items()})
