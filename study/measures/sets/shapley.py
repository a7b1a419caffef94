"""Shapley values: the masks of random coalitions, from which each unit's mean contribution over contexts follows."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from study.measures.sets.set_measure import SetMeasure
from study.record.designs import Design, DesignKind
from study.record.designs.coalitions import (
    ALL,
    INDEPENDENT,
    KERNEL,
    all_coalitions,
    are_all,
    independent_coalitions,
    kernel_coalitions,
)
from study.record.designs.estimates import kernel_matrix, semivalue_matrix
from study.record.designs.names import KEPT
from study.record.errors import InputError
from study.record.units import HeadLayout
from study.terminal.once import say_once

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Shapley(SetMeasure):
    """Coalitions of units that stay on, in pairs of complements, with the full and the empty set.

    All sets are taken where there are no more than were asked for. A larger sample with the same seed begins with a
    smaller one.

    Attributes:
        coalitions: how many are drawn; sizes as KernelSHAP weighs them.
        semivalue: probability with which each unit stays on in further coalitions, from which each unit's mean
            contribution near the full set follows; null for none of them.
        semivalue_coalitions: how many of these are drawn.
        seed: seed of the draws.
    """

    name: str = "shapley"
    coalitions: int = 1000
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

    def _takes_all(self, units: int) -> bool:
        return are_all(units, self.coalitions)
