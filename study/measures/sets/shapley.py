"""Shapley values: the masks of random coalitions, from which each unit's mean contribution over contexts follows."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from study.engine.pairs import TableRequest
from study.measures.measure import MaskRequest
from study.measures.sets.first_scale import first_scale
from study.measures.sets.set_measure import SetMeasure, largest, require_all
from study.measures.sets.width import Width, sample_values, widest
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
from study.record.designs.estimates import kernel_matrix, semivalue_matrix, shapley_matrix
from study.record.designs.looks import Looks, level, planned_looks
from study.record.designs.names import KEPT
from study.record.designs.sample_size import ALPHA
from study.record.errors import InputError
from study.record.tables import OUTCOMES
from study.record.units import HeadLayout, stack
from study.terminal.once import say_once

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator

log = logging.getLogger(__name__)

_Found = list[tuple[Design, "Width | None"]]
"""The sample at each look up to the one that ends it, with its widest interval."""

_FOUND: "WeakKeyDictionary[Evaluator, tuple[tuple[object, ...], _Found]]" = WeakKeyDictionary()
"""What a measure has found at its looks last, of which parts: it is asked for again and again."""

_SAID: "WeakKeyDictionary[Evaluator, set[tuple[float, ...]]]" = WeakKeyDictionary()
"""What a job has said of its looks, each once: coalitions and half of an interval; or a width that is out of reach."""


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
        if not self._looks(layout):
            return super().request(evaluator)
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
        require_all(evaluator, f"{self.name} with measure.width")
        own = planned_looks(len(drawn.units), self.coalitions)
        looks = Looks(own, self._wanted)
        if (kept := evaluator.kept_design(drawn)) and kept.looks:  # intervals pay for the looks of other jobs, too
            looks = replace(looks, at=looks.joined(kept.looks).at)
        asked = (drawn.id, own, looks, self._wanted, tuple(OUTCOMES.parts(evaluator.store.folder)))
        known = _FOUND.get(evaluator)
        if known is None or known[0] != asked:
            found = self._widths(evaluator, [replace(drawn.first(number + ENDS), looks=looks) for number in own])
            known = _FOUND[evaluator] = asked, found
        return known[1]

    def _widths(self, evaluator: "Evaluator", parts: Sequence[Design]) -> _Found:
        stored, layout, most = evaluator.stored(), evaluator.layout, len(parts[-1]) - ENDS
        found: _Found = []
        for part in parts:
            if stored.lacks(part.masks(layout)):
                return [*found, (part, None)]
            width = widest(evaluator, part, most)
            found.append((part, width))
            if width.half <= self._wanted:
                break
        return found

    def run(self, evaluator: "Evaluator") -> None:
        """Refuse a score that has no width, and say what looks of an earlier job tell, before anything is computed."""
        if self._looks(evaluator.layout):
            evaluator.outcomes(evaluator.layout.full()[None])  # whose columns say whether there are losses
            first_scale(evaluator)
            self.reached(evaluator)
        super().run(evaluator)

    def _looks(self, layout: HeadLayout) -> bool:
        """Whether it looks at widths as it goes."""
        return self.width is not None and not self._takes_all(len(self.units(layout)))

    def reached(self, evaluator: "Evaluator") -> None:
        """How wide intervals are at the last look; once, as soon as a look tells, that the width is out of reach."""
        if not self._looks(evaluator.layout):
            return
        found = self._looked(evaluator, self.designs(evaluator.layout)[0])
        seen = [(part, width) for part, width in found if width is not None]
        if not seen:
            return
        part, width = seen[-1]
        said = _SAID.setdefault(evaluator, set())
        if (look := (len(part), width.half)) in said:
            return
        self._say_look(len(seen), len(part) - ENDS, width)
        is_told = isfinite(width.half) and len(found) > len(seen)
        if is_told and width.at_most > self._wanted and (self._wanted,) not in said:
            self._say_out_of_reach(evaluator, width)
            said.add((self._wanted,))
        said.add(look)

    @property
    def _wanted(self) -> float:
        """The width, where it looks."""
        assert self.width is not None
        return self.width

    def _say_look(self, number: int, taken: int, width: Width) -> None:
        most, shown = f"{self.coalitions:,}", width.shown(width.half)
        if width.half <= self._wanted:
            words = "stopped at %s of at most %s coalitions: the widest interval is %s, within measure.width=%g"
            log.info(words, f"{taken:,}", most, shown, self.width)
        elif taken == self.coalitions:
            words = (
                "all %s coalitions are taken: the widest interval is %s, and measure.width=%g; the examples alone have "
                "about %s"
            )
            log.warning(words, most, shown, self.width, width.shown(width.by_examples))
        elif isfinite(width.half):
            words = "look %d, %s of at most %s coalitions: the widest interval is %s; with all of them about %s"
            log.info(words, number, f"{taken:,}", most, shown, width.shown(width.at_most))
        else:
            log.info("look %d, %s of at most %s coalitions: too few for any value", number, f"{taken:,}", most)

    def _say_out_of_reach(self, evaluator: "Evaluator", width: Width) -> None:
        """Say what would reach the width: more coalitions where the examples allow it, else more examples."""
        groups = len(set(evaluator.whole.groups))
        noun = "examples" if groups == len(evaluator.whole) else "groups of examples"
        alone = f"the {groups:,} {noun} alone leave about {width.shown(width.by_examples)}"
        if width.by_examples < self._wanted:
            words = (
                "measure.width=%g is out of reach of %s coalitions, with which it will be about %s: %s, so take more"
            )
            shown = width.shown(width.at_most)
            log.warning(words, self._wanted, f"{self.coalitions:,}", shown, alone)
            return
        needed = groups * (width.by_examples / self._wanted) ** 2
        words = (
            "measure.width=%g is out of reach: %s, however many coalitions there are. It takes about %s %s or more, or "
            "measure.width=%.2g"
        )
        log.warning(words, self._wanted, alone, f"{needed:,.0f}", noun, 1.1 * width.at_most)

    def answer(self, evaluator: "Evaluator") -> str:
        """The units of the largest Shapley values, with intervals where the score is a mean over examples."""
        layout = evaluator.layout
        drawn = self.designs(layout)[0]
        if self._looks(layout):
            drawn = self._looked(evaluator, drawn)[-1][0]
        if evaluator.stored().lacks(drawn.masks(layout)):
            return ""
        try:
            estimate = shapley_matrix(drawn.on, str(drawn.options["sampling"]))
            values, metric = sample_values(evaluator, drawn, estimate), first_scale(evaluator)
        except InputError:
            return ""
        half = values.half_width(level(drawn.looks, len(drawn) - ENDS, ALPHA))
        told = ", ".join(largest(drawn.units, values.values, half, metric))
        return f"largest Shapley values ({metric.unit}): {told}"

    def _takes_all(self, units: int) -> bool:
        return are_all(units, self.coalitions)
