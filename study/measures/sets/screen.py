"""Screening: where units are many, a few random masks say which of them are worth a mask of their own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from study.engine.pairs import TableRequest
from study.measures.measure import MaskRequest
from study.measures.sets.set_measure import SetMeasure, require_all
from study.record.designs import Design, DesignKind
from study.record.designs.coalitions import INDEPENDENT, independent_coalitions
from study.record.designs.design import rows_without
from study.record.designs.names import CONFIRM, IMPORTANT, KEPT, RANDOM, SCREENED
from study.record.designs.screening import rival_units, screened_units
from study.record.errors import InputError
from study.record.importance import importance
from study.record.scores import StoredRows
from study.record.tables import GRADIENTS, OUTCOMES
from study.record.units import HeadLayout, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


@dataclass(kw_only=True)
class Screen(SetMeasure):
    """Random masks, then a mask for each unit that they point at, and for rivals that cost as many masks.

    Attributes:
        random_masks: how many random masks there are (`measure.masks`); fewer than single ones would be.
        rate: probability with which each unit is off in them.
        confirmed: most units that get a mask of their own.
        rivals: whether units at random, and those of most importance, are measured too, as many as screening takes
            masks.
        seed: seed of the masks, and of the units at random.
    """

    name: str = "screen"
    random_masks: int = 300
    rate: float = 0.1
    confirmed: int = 10
    rivals: bool = True
    seed: int = 0

    def check(self, layout: HeadLayout) -> None:
        """Refuse as many masks as single ones would be, and other numbers that make no screening."""
        super().check(layout)
        number = len(self.units(layout))
        if self.random_masks < 2 or self.confirmed < 1 or self.seed < 0:
            raise InputError("measure.masks must be at least 2, measure.confirmed at least 1, measure.seed at least 0")
        if not 0 < self.rate < 1:
            raise InputError(f"measure.rate={self.rate:g}: each unit is off with a probability between 0 and 1")
        if self.random_masks >= number + 1:
            raise InputError(
                f"measure.masks={self.random_masks}: a mask for each of the {number} {self.unit.plural}, and one with "
                f"all on, takes {number + 1} and gives every effect: take measure=ablation measure.unit={self.unit}, "
                f"or fewer masks"
            )

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """The random masks; once these are stored, each unit that they point at, and the rivals, by itself."""
        require_all(evaluator, self.name)
        layout, units = evaluator.layout, self.units(evaluator.layout)
        sample = self._sample(layout)
        masks, stored = sample.masks(layout), evaluator.stored()
        needed = stack([layout.full(), *masks], layout)
        if stored.lacks(needed):
            later = self.confirmed + (2 * (self.random_masks + self.confirmed) if self.rivals else 0)
            return MaskRequest(needed, designs=(sample,), later=min(later, len(units)), complete=False)
        if self.rivals and stored.lacks(layout.full()[None], GRADIENTS):
            gradients = TableRequest(GRADIENTS, layout.full()[None])
            return MaskRequest(needed, designs=(sample,), others=(gradients,), later=len(units), complete=False)
        named = self._chosen(sample, stored, layout)
        chosen = Design(
            DesignKind.SET,
            self.unit,
            sample.units,
            rows_without([[place] for _, place in named], len(units)),
            {"masks": self.random_masks, KEPT: 1 - self.rate, CONFIRM: self.confirmed, "rivals": self.rivals},
            self.seed,
            names=tuple(name for name, _ in named),
            examples=tuple(evaluator.whole.ids),
        )
        return MaskRequest(np.concatenate([needed, chosen.masks(layout)]), designs=(sample, chosen))

    def answer(self, evaluator: "Evaluator") -> str:
        """The units that the random masks point at."""
        _, *chosen = self.request(evaluator).designs
        named = [one.off(number)[0] for one in chosen for number, name in enumerate(one.names) if name == SCREENED]
        if not chosen:
            return ""
        pointed = f"{self.random_masks:,} random masks point at"
        return f"{pointed} {', '.join(named)}" if named else f"{pointed} no {self.unit.noun}"

    def _sample(self, layout: HeadLayout) -> Design:
        units = tuple(map(str, self.units(layout)))
        kept = 1 - self.rate
        on = independent_coalitions(len(units), self.random_masks, kept, self.seed)
        options = {"sampling": INDEPENDENT, KEPT: kept}
        return Design(DesignKind.COALITION, self.unit, units, on, options, self.seed)

    def _chosen(self, sample: Design, stored: StoredRows, layout: HeadLayout) -> list[tuple[str, int]]:
        """What gets a mask of its own, by position, and why."""
        screened, _ = screened_units(sample.on, mask_costs(stored, sample.masks(layout)), self.confirmed)
        found = [(SCREENED, place) for place in screened]
        if not self.rivals:
            return found
        units = self.units(layout)
        every = importance(stored.gradient_rows(layout.full()), layout, level=self.unit)
        values = every[[layout.units(self.unit).index(unit) for unit in units]]
        ranking = np.argsort(-values, kind="stable").tolist()
        drawn, important = rival_units(ranking, self.random_masks + len(screened), self.seed)
        return [*found, *((RANDOM, place) for place in drawn), *((IMPORTANT, place) for place in important)]


def mask_costs(stored: StoredRows, masks: Bool[np.ndarray, "masks width"]) -> Float[np.ndarray, " masks"]:
    """The mean loss under each mask where outcomes have it, nats, else the score with a minus."""
    return stored.losses(masks) if stored.table_with_losses == OUTCOMES else -stored.scores(masks)
