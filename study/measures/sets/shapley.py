"""Shapley values: the masks of random coalitions, from which each unit's mean contribution over contexts follows."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

import numpy as np

from study.engine.pairs import TableRequest
from study.measures.measure import MaskRequest
from study.measures.sets.set_measure import SetMeasure, require_all
from study.measures.sets.width import Width, Widths, headline
from study.record.designs import Design, DesignKind
from study.record.designs.coalitions import (
    ALL,
    ENDS,
    INDEPENDENT,
    KERNEL,
    all_coalitions,
    are_all,
    independent_coalitions,
    kernel_coalitions,
)
from study.record.designs.estimates import kernel_matrix, semivalue_matrix
from study.record.designs.looks import Looks, planned_looks
from study.record.designs.names import KEPT
from study.record.errors import InputError
from study.record.tables import OUTCOMES
from study.record.units import HeadLayout, stack
from study.terminal.once import say_once

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator
    from study.record.store import Rows

log = logging.getLogger(__name__)

_Found = list[tuple[Design, "Width | None"]]
"""The sample at each look up to the one that ends it, with its widest interval."""

_FOUND: "WeakKeyDictionary[Evaluator, tuple[ref[Rows], tuple[object, ...], _Found]]" = WeakKeyDictionary()
"""What a measure has found at its looks last, for the rows that were stored then: it is asked for again and again."""


@dataclass(kw_only=True)
class Shapley(SetMeasure):
    """Coalitions of units that stay on, in pairs of complements, with the full and the empty set.

    All sets are taken where there are no more than were asked for. A larger sample with the same seed begins with a
    smaller one.

    Attributes:
        coalitions: how many are drawn, at most where there is a width; sizes as KernelSHAP weighs them.
        width: half of the widest interval of the values that are told first (of the loss, where outcomes have it) with
            which fewer are enough, in their unit; it is looked at an eighth, a quarter, half and all of the coalitions.
            Null: all are drawn.
        semivalue: probability with which each unit stays on in further coalitions, from which each unit's mean
            contribution near the full set follows; null for none of them.
        semivalue_coalitions: how many of these are drawn.
        seed: seed of the draws.
    """

    name: str = "shapley"
    coalitions: int = 1000
    width: float | None = None
    semivalue: float | None = 0.9
    semivalue_coalitions: int = 500
    seed: int = 0

    def check(self, layout: HeadLayout) -> None:
        """Refuse numbers that make no sample, too."""
        super().check(layout)
        if self.coalitions < 2 or self.coalitions % 2:
            raise InputError(
                f"measure.coalitions={self.coalitions}: coalitions are drawn in pairs, a set and its complement: "
                f"take an even number, 2 or more"
            )
        if self.width is not None and not self.width > 0:
            raise InputError(f"measure.width={self.width:g}: half of an interval is above 0; null stops at no width")
        if self.semivalue is not None and not 0 < self.semivalue < 1:
            raise InputError(
                f"measure.semivalue={self.semivalue:g}: each unit stays on with a probability between 0 and 1; "
                f"measure.semivalue=null draws no such coalitions"
            )
        if self.semivalue_coalitions < 1 or self.seed < 0:
            raise InputError("measure.semivalue_coalitions must be at least 1, and measure.seed at least 0")
        if len(units := self.units(layout)) == 1:
            raise InputError(f"measure=shapley shares a score out among units, and here there is one: {units[0]}")
        self._doubt_few(len(units))
        if self._takes_all(len(units)) and self.coalitions > 2 ** len(units):
            words = "measure.coalitions=%s: %d units have %s sets, all of which are taken: the values are exact"
            say_once(log.info, words, f"{self.coalitions:,}", len(units), f"{2 ** len(units):,}")

    def _doubt_few(self, units: int) -> None:
        """Warn of samples that are too small for any value."""
        if self._takes_all(units):
            return
        samples = [("coalitions", kernel_matrix, kernel_coalitions(units, self.coalitions, self.seed), 8)]
        if self.semivalue is not None:
            near = independent_coalitions(units, self.semivalue_coalitions, self.semivalue, self.seed)
            samples.append(("semivalue_coalitions", semivalue_matrix, near, 2))
        for option, estimate, drawn, enough in samples:
            try:
                estimate(drawn)
            except InputError:
                words = "measure.%s=%s is too few for values of %s units: take %s or more"
                say_once(log.warning, words, option, f"{getattr(self, option):,}", units, f"{enough * units:,}")

    def idle(self) -> dict[str, str]:
        """Without a semivalue no coalition is drawn for it."""
        none = {"semivalue_coalitions": "measure.semivalue=null draws none"} if self.semivalue is None else {}
        return {**super().idle(), **none}

    def designs(self, layout: HeadLayout) -> Sequence[Design]:
        """The coalitions of the Shapley values, then those near the full set, which all sets have among them."""
        return tuple(self._designs(layout))

    def _designs(self, layout: HeadLayout) -> Iterator[Design]:
        units = tuple(map(str, self.units(layout)))
        number = len(units)
        if self._takes_all(number):
            yield Design(DesignKind.COALITION, self.unit, units, all_coalitions(number), {"sampling": ALL})
            return
        drawn = kernel_coalitions(number, self.coalitions, self.seed)
        yield Design(DesignKind.COALITION, self.unit, units, drawn, {"sampling": KERNEL}, self.seed)
        if self.semivalue is not None:
            near = independent_coalitions(number, self.semivalue_coalitions, self.semivalue, self.seed)
            options = {"sampling": INDEPENDENT, KEPT: self.semivalue}
            yield Design(DesignKind.COALITION, self.unit, units, near, options, self.seed)

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """The coalitions up to the next look, where there is a width; else all of them."""
        layout = evaluator.layout
        drawn, *near = self.designs(layout)
        if self.width is None or drawn.options["sampling"] == ALL:
            return super().request(evaluator)
        require_all(evaluator, f"{self.name} with measure.width")
        found = self._looked(evaluator, drawn)
        part = found[-1][0]
        masks = np.concatenate([design.masks(layout) for design in (part, *near)])
        if found[-1][1] is None:  # not stored yet
            later = len(drawn) - len(part)
            rest = TableRequest(OUTCOMES, stack([], layout), later=later, surely=0)
            return MaskRequest(masks, designs=(part, *near), others=(rest,) if later else (), complete=not later)
        return MaskRequest(masks, designs=(part, *near))

    def _looked(self, evaluator: "Evaluator", drawn: Design) -> _Found:
        """The sample at each look up to the one that ends it, with its widest interval, None where rows are missing."""
        assert self.width is not None
        own = planned_looks(len(drawn.units), self.coalitions)
        looks = Looks(own, self.width)
        if (kept := evaluator.kept_design(drawn)) and kept.looks:  # intervals pay for the looks of other jobs, too
            looks = replace(looks, at=looks.joined(kept.looks).at)
        rows, asked = evaluator.store.read(OUTCOMES), (drawn.id, own, looks)
        known = _FOUND.get(evaluator)
        if known is None or known[0]() is not rows or known[1] != asked:
            found = self._widths(evaluator, [replace(drawn.first(number + ENDS), looks=looks) for number in own])
            known = _FOUND[evaluator] = ref(rows), asked, found
        return known[2]

    def _widths(self, evaluator: "Evaluator", parts: Sequence[Design]) -> _Found:
        assert self.width is not None
        stored, layout = evaluator.stored(), evaluator.layout
        found: _Found = []
        widths: Widths | None = None
        for part in parts:
            if stored.lacks(part.masks(layout)):
                return [*found, (part, None)]
            widths = widths or Widths(stored, evaluator.whole, evaluator.setting.precision)
            width = widths.of(part)
            found.append((part, width))
            if width.half <= self.width:
                break
        return found

    def run(self, evaluator: "Evaluator") -> None:
        """Refuse a score that has no width before anything is computed; at the end say why it stopped."""
        drawn = self.designs(evaluator.layout)[0]
        if self.width is None or drawn.options["sampling"] == ALL:
            super().run(evaluator)
            return
        full = evaluator.outcomes(evaluator.layout.full()[None])
        headline(evaluator.metric, tuple(full.columns), evaluator.setting.precision)
        super().run(evaluator)
        self._say_stopped(*self._looked(evaluator, drawn)[-1])

    def _say_stopped(self, part: Design, width: Width | None) -> None:
        assert width is not None
        assert self.width is not None
        shown, coalitions = width.shown(width.half), f"{len(part) - ENDS:,}"
        if width.half <= self.width:
            words = "stopped at %s of at most %s coalitions: the widest interval is %s, within measure.width=%g"
            log.info(words, coalitions, f"{self.coalitions:,}", shown, self.width)
            return
        words = (
            "all %s coalitions are taken: the widest interval is %s, and measure.width=%g; the examples alone have %s"
        )
        log.warning(words, coalitions, shown, self.width, width.shown(width.by_examples))

    def _takes_all(self, units: int) -> bool:
        return are_all(units, self.coalitions)
