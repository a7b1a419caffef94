"""Which heads are to be removed: as a mask, as addresses of units, or as the first so many of an order in a file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from study.record.curves import KEPT, Curve, read_curve
from study.record.errors import InputError
from study.record.orders import read_addresses
from study.record.units import HeadLayout, Mlp, Unit, level_of, parse_mask, parse_unit


@dataclass(kw_only=True)
class Selection:
    """Heads to remove: exactly one of `mask`, `heads` and `order` is given.

    Attributes:
        mask: a text of 0 (remove) and 1 (keep) in the order of heads.
        heads: addresses, counted from 0: of heads (`decoder_self.3.11`), of groups that share keys and values
            (`decoder_self.3.g1`), and of attention layers (`decoder_self.3`).
        order: a file with one address a line, or a pruning curve of the results (`curves/*.json`).
        number: how many of the order are removed, from the first on.
        share: share of the model's units of that level that is removed, rounded down; in place of `number`.
    """

    mask: str = ""
    heads: list[str] = field(default_factory=list)
    order: str = ""
    number: int | None = None
    share: float | None = None

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

    def keeps(self, layout: HeadLayout) -> Bool[np.ndarray, " width"]:
        """The mask that leaves on what is not to be removed.

        Args:
            layout: the model's units.

        Raises:
            InputError: for units that the model does not have or that are named twice, MLPs, an order that is too short
                or of several levels, a mask of another length, and when nothing is left to remove.
        """
        self.check()
        mask = parse_mask(self.mask, layout) if self.mask else layout.without(self._chosen(layout))
        if mlps := layout.silent_mlps(mask):
            raise InputError(f"heads can be removed, MLPs cannot: {', '.join(map(str, mlps))} can only be masked")
        if mask.all():
            raise InputError("nothing to remove: every head stays")
        return mask

    def _chosen(self, layout: HeadLayout) -> Sequence[Unit]:
        path = Path(self.order).expanduser()
        curve = read_curve(path) if path.suffix == ".json" else None
        if curve:
            named = [parse_unit(address) for address in curve.sequence]
        elif self.order:
            named = [unit for _, unit in read_addresses(path)]
        else:
            named = [parse_unit(text) for text in self.heads]
        counts = Counter(head for unit in named for head in ([unit] if isinstance(unit, Mlp) else layout.members(unit)))
        if twice := sorted({str(unit) for unit, count in counts.items() if count > 1}):
            raise InputError(f"named twice: {', '.join(twice)}")
        if not self.order:
            return named
        number = self._share_of(named, layout) if self.share is not None else self.number or 0
        if curve:
            _require_order(path, curve, number)
        if not 0 <= number <= len(named):
            what = level_of(named[0]).plural if named else "heads"
            raise InputError(f"{self.order} names {len(named)} {what}: {number} of them cannot be removed")
        return named[:number]

    def _share_of(self, order: Sequence[Unit], layout: HeadLayout) -> int:
        """How many units a share of the model is."""
        levels = list(dict.fromkeys(map(level_of, order)))
        if len(levels) > 1:
            words = " and ".join(level.plural for level in levels)
            raise InputError(f"{self.order} names {words}: a share is of units of one kind, number=N is of any")
        every = layout.units(levels[0]) if levels else ()
        return int(len(every) * (self.share or 0) + 1e-9)


def _require_order(path: Path, curve: Curve, number: int) -> None:
    """Refuse a part of the heads that given gates do without: they are a set, and none of them goes first."""
    if (curve.order, curve.options.get("method")) != (KEPT, "kept") or number >= curve.removed[-1]:
        return
    raise InputError(
        f"{path} has the {curve.removed[-1]} heads that the gates given to training {curve.options['training']} do "
        f"without, in no order: number={curve.removed[-1]} removes them all"
    )
