"""Sufficient sets: a smallest set of units, as far as measured, that loses no more than a margin.

A set that was chosen by some examples looks better there than it is. So it is chosen by a part of them, and all others
judge it, beside sets of its size that were chosen in simpler ways.
"""

import logging
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from study.engine.pairs import TableRequest
from study.measures.measure import MaskRequest, Stage
from study.measures.sets.parts import choosing_part
from study.measures.sets.search import FULL, Off, Search, Step, asked_sets
from study.measures.sets.set_measure import SetMeasure, chance_found, require_all
from study.record.designs import Design, DesignKind, read_designs
from study.record.designs.coalitions import ALL, ENDS, KERNEL
from study.record.designs.design import rows_without
from study.record.designs.estimates import shapley_matrix
from study.record.designs.names import CHOSEN, LOSE
from study.record.designs.sample_size import groups_needed
from study.record.errors import InputError
from study.record.files import short_hash
from study.record.importance import importance
from study.record.orders import least_first
from study.record.scores import StoredRows
from study.record.tables import GRADIENTS, OUTCOMES
from study.record.training.gates import kept_mask
from study.record.units import HeadLayout, Unit, UnitLevel, parse_mask, stack
from study.terminal.once import say_once

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator

log = logging.getLogger(__name__)

CHANGED = 0.1
"""Share of the answers that a set is taken to change, where it is said beforehand how well a loss can be known."""

MOST_JUDGED = 6
"""Sets that are judged at most: the chosen one, and those by importance, effect, gates, Shapley values, an oracle."""

SURE = 1.96
"""Standard errors on either side of what is known with 95 %."""


@dataclass(kw_only=True)
class Sufficient(SetMeasure):
    """Backward by importance, then by effect, then swaps; each step by the examples that choose.

    Attributes:
        lose: how much of the score the set may lose, in the unit of effects (points).
        choosing: share of the examples that choose the set, whole groups; all others judge it.
        swaps: most swaps of a unit that is on for one that is off.
        seed: seed of the share that chooses.
    """

    name: str = "sufficient"
    lose: float = 1.0
    choosing: float = 0.5
    swaps: int = 2
    seed: int = 0

    @property
    def stage(self) -> Stage:
        """After curves: an order that is stored by then is compared with."""
        return Stage.AFTER_CURVES

    def check(self, layout: HeadLayout) -> None:
        """Refuse a margin and a share that are none, too."""
        super().check(layout)
        if not self.lose > 0:
            raise InputError(f"measure.lose={self.lose:g}: a set may lose a number of points above 0")
        if not 0 < self.choosing < 1:
            raise InputError(
                f"measure.choosing={self.choosing:g}: a share of the examples between 0 and 1 chooses the set, and the "
                f"others judge it"
            )
        if self.swaps < 0 or self.seed < 0:
            raise InputError("measure.swaps and measure.seed must be at least 0")
        if len(units := self.units(layout)) == 1:
            raise InputError(f"measure=sufficient looks for a set of units, and here there is one: {units[0]}")

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """The masks of the next step; at the end the sets that are judged, on all examples, and what led to them."""
        walk, none = _Walk(self, evaluator), stack([], evaluator.layout)
        try:
            steps = walk.steps()
            judged = walk.judged(steps)
        except _UnknownError as unknown:
            return MaskRequest(none, others=(unknown.request, *walk.rest()), complete=False)
        designs = (walk.design(DesignKind.STEP, steps), walk.design(DesignKind.SET, judged))
        masks = designs[1].masks(evaluator.layout)
        return MaskRequest(masks, others=(walk.searched(masks),), designs=designs)

    def run(self, evaluator: "Evaluator") -> None:
        """Say how well a loss will be known, search, and say what was found."""
        if (found := chance_found(evaluator)) is not None:
            raise InputError(f"{found}: any set of {self.unit.plural}, the empty one too, does as much")
        walk = _Walk(self, evaluator)
        walk.say_beforehand()
        super().run(evaluator)
        _Walk(self, evaluator).say_found()

    def answer(self, evaluator: "Evaluator") -> str:
        """How large the set is."""
        return _Walk(self, evaluator).found()


class _UnknownError(Exception):
    """Raised where rows are needed that are not stored yet.

    Attributes:
        request: the rows.
    """

    def __init__(self, request: TableRequest) -> None:
        super().__init__()
        self.request = request


class _Walk:
    """The search along what is stored of the examples that choose."""

    def __init__(self, measure: Sufficient, evaluator: "Evaluator") -> None:
        require_all(evaluator, measure.name)
        self._measure, self._evaluator = measure, evaluator
        self.units = measure.units(evaluator.layout)
        self._choosing = choosing_part(evaluator.whole, measure.choosing, measure.seed)
        self._asked: dict[str, None] = {}

    @cached_property
    def _stored(self) -> StoredRows:
        return replace(self._evaluator.stored(), examples=self._choosing)

    def steps(self) -> list[Step]:
        """Every set that the search comes to.

        Raises:
            _UnknownError: where rows are not stored yet.
        """
        return Search(self._ranking, self._scores, self._measure.lose, self._measure.swaps).steps()

    def judged(self, steps: Sequence[Step]) -> list[Step]:
        """The set that the search ended with, and those that it is compared with."""
        number = len(steps[-1].off)
        found = {CHOSEN: steps[-1].off, **self._rivals(number)}
        return [Step(name, tuple(off)) for name, off in found.items()]

    def design(self, kind: DesignKind, steps: Sequence[Step]) -> Design:
        """Sets by name, and the examples that chose them."""
        measure, place = self._measure, {unit: number for number, unit in enumerate(self.units)}
        return Design(
            kind,
            measure.unit,
            tuple(map(str, self.units)),
            rows_without([[place[unit] for unit in step.off] for step in steps], len(self.units)),
            {
                **{LOSE: measure.lose, "choosing": measure.choosing, "swaps": measure.swaps},
                "chose": short_hash(list(self._choosing)),  # another search where data.limit leaves other examples
            },
            measure.seed,
            names=tuple(step.name for step in steps),
            examples=self._choosing,
        )

    @cached_property
    def _ranking(self) -> list[Unit]:
        """Units by importance, estimated by the examples that choose, the least important first."""
        evaluator, level = self._evaluator, self._measure.unit
        layout = evaluator.layout
        full = layout.full()
        if self._stored.lacks(full[None], GRADIENTS):
            raise _UnknownError(TableRequest(GRADIENTS, full[None], examples=self._choosing))
        every = importance(self._stored.gradient_rows(full), layout, level=level)
        some = [layout.units(level).index(unit) for unit in self.units]
        return least_first(every[some], self.units)

    def _scores(self, sets: Sequence[Off]) -> Float[np.ndarray, " sets"]:
        return self._scores_of_masks(self._masks(sets))

    def _masks(self, sets: Sequence[Off]) -> Bool[np.ndarray, "sets width"]:
        layout = self._evaluator.layout
        return stack((layout.without(off) for off in sets), layout)

    def rest(self) -> tuple[TableRequest, TableRequest]:
        """How many more masks the search will ask for, at least and at most, none known yet; then those that judge."""
        least, most = (max(0, number - len(self._asked)) for number in asked_sets(len(self.units), self._measure.swaps))
        none = stack([], self._evaluator.layout)
        searched = TableRequest(OUTCOMES, none, examples=self._choosing, later=most, surely=least)
        return searched, TableRequest(OUTCOMES, none, later=MOST_JUDGED, surely=0)

    def searched(self, besides: Bool[np.ndarray, "sets width"]) -> TableRequest:
        """What the search has asked for so far, on the examples that choose, besides some masks and the full one."""
        layout = self._evaluator.layout
        others = {layout.key(layout.full()), *map(layout.key, besides)}
        masks = stack((parse_mask(key, layout) for key in self._asked if key not in others), layout)
        return TableRequest(OUTCOMES, masks, examples=self._choosing)

    def _scores_of_masks(self, masks: Bool[np.ndarray, "sets width"]) -> Float[np.ndarray, " sets"]:
        self._asked |= dict.fromkeys(map(self._evaluator.layout.key, masks))
        if self._stored.lacks(masks):
            raise _UnknownError(TableRequest(OUTCOMES, masks, examples=self._choosing))
        return self._stored.scores(masks)

    def _rivals(self, number: int) -> Mapping[str, Off]:
        """Sets with as many units off, each chosen in a simpler way, by the same examples; gates keep what they keep.

        Sets by effect are ranked by the score without each unit. Orders and samples that happen to be stored join in.
        """
        alone = self._scores([(unit,) for unit in self.units])
        rivals: dict[str, Off] = {
            "importance": self._ranking[:number],
            "effect": least_first(-alone, self.units)[:number],
        }
        rivals.update(self._by_gates())
        if (values := self._shapley_values()) is not None:
            rivals["shapley"] = least_first(values, self.units)[:number]
        if (order := self._oracle()) is not None:
            rivals["oracle"] = order[:number]
        return rivals

    def _by_gates(self) -> Iterator[tuple[str, Off]]:
        if self._measure.unit is not UnitLevel.head:
            return
        try:
            record = self._evaluator.gates()
        except InputError:
            return
        if record.kept:
            layout = self._evaluator.layout
            kept = kept_mask(record, layout)
            yield "gates", [unit for unit in self.units if not kept[layout.span(unit)].all()]

    def _shapley_values(self) -> Float[np.ndarray, " units"] | None:
        """By the longest sample of these units of which the choosing examples have all rows, as far as they have."""
        evaluator, units = self._evaluator, tuple(map(str, self.units))
        stored, _ = read_designs(evaluator.store.folder, evaluator.layout)
        samples = [one for one in stored if one.options.get("sampling") in (KERNEL, ALL) and one.units == units]
        whole = [design for design in map(self._whole_pairs, samples) if len(design) > ENDS]
        for design in sorted(whole, key=len, reverse=True):
            try:
                estimate = shapley_matrix(design.on, str(design.options["sampling"]))
            except InputError as error:
                say_once(log.warning, "no set is compared with by Shapley values of these coalitions: %s", error)
                continue
            return estimate.matrix @ self._stored.scores(design.masks(evaluator.layout))
        return None

    def _whole_pairs(self, design: Design) -> Design:
        """Its first coalitions, in pairs, before the first that the choosing examples lack."""
        masks = design.masks(self._evaluator.layout)
        whole = bisect_left(range(1, len(design) + 1), 1, key=lambda number: self._stored.lacks(masks[:number]))
        return design.first(whole - whole % 2)

    def _oracle(self) -> list[Unit] | None:
        """The order of a stored oracle curve of these units; it has seen all examples, those that judge among them."""
        by_address = {str(unit): unit for unit in self.units}
        for curve in self._evaluator.curves(self._evaluator.setting.data):
            if curve.order == "oracle" and set(curve.sequence) == set(by_address):
                return [by_address[address] for address in curve.sequence]
        return None

    def say_beforehand(self) -> None:
        """Say on how many examples the verdict will be, and how well a loss can be known from them."""
        metric, lose = self._evaluator.metric, self._measure.lose
        number = len(self._evaluator.whole) - len(self._choosing)
        chosen, judged = f"{len(self._choosing):,}", f"{number:,}"
        if not metric.is_share:
            say_once(log.info, "the set is chosen by %s examples, and judged by the other %s", chosen, judged)
            return
        error = 100 * sqrt(CHANGED / number)
        words = (
            "the set is chosen by %s examples, and judged by the other %s: where it changes %.0f %% of the answers, "
            "what it loses is known within %.2g points (95 %%)"
        )
        say_once(log.info, words, chosen, judged, 100 * CHANGED, SURE * error)
        groups = self._judging_groups()
        if (needed := groups_needed(error, groups, lose)) > groups:
            margin = f"{lose:g} point{'s' * (lose != 1)}"
            noun = "examples" if groups == number else "groups of examples"
            doubt = (
                "%s %s are few to show that a set loses no more than %s: it takes about %s, or a wider measure.lose "
                "(a chance of 80 %% where nothing is lost)"
            )
            say_once(log.warning, doubt, f"{groups:,}", noun, margin, f"{needed:,}")

    def _judging_groups(self) -> int:
        """How many groups the examples are that judge."""
        whole, chose = self._evaluator.whole, set(self._choosing)
        return len({group for name, group in zip(whole.ids, whole.groups, strict=True) if name not in chose})

    def say_found(self) -> None:
        """Say where the margin was met by nothing, or by everything."""
        last, total, noun = self.steps()[-1], len(self.units), self._measure.unit.plural
        kept = total - len(last.off)
        if last.name == FULL:
            singles = self._scores([()])[0] - self._scores([(unit,) for unit in self.units])
            words = "no %s can go within measure.lose=%g: the least costly is %s, %.3g"
            least = int(singles.argmin())
            log.warning(words, self._measure.unit.noun, self._measure.lose, self.units[least], singles[least])
        elif not kept:
            log.warning("measure.lose=%g is met with all %d %s off: the set is empty", self._measure.lose, total, noun)

    def found(self) -> str:
        """How many units are in the set, in words."""
        total, noun = len(self.units), self._measure.unit.plural
        return f"{total - len(self.steps()[-1].off)} of {total} {noun} suffice, as far as measured"
