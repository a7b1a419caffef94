"""What every measure offers: masks to try, as far as what is stored lets it know. The contract of `conf/measure`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Bool
from omegaconf import MISSING

from study.engine.pairs import TableRequest
from study.engine.probes import ProbeRequest
from study.record.curves import Curve
from study.record.designs import Design
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import PLAIN, Loss
from study.record.tables import OUTCOMES
from study.record.training.gates import GatesRecord
from study.record.units import AttentionKind, HeadLayout, Unit, UnitLevel, select_layers, select_units, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


class Stage(IntEnum):
    """When a job of a sweep may start: a stage starts when the one before it is complete."""

    TRAIN = 0
    MEASURE = 1
    CURVES = 2
    AFTER_CURVES = 3


@dataclass(frozen=True)
class MaskRequest:
    """What a measure asks for, as far as what is stored lets it know.

    Attributes:
        outcomes: masks whose outcomes it needs, besides the full one.
        gradients: masks whose gradients it needs; None for no mask.
        loss: loss of the gradients.
        later: at most how many more masks it will ask outcomes for; which ones depends on what is not stored yet.
        later_gradients: at most how many more masks it will ask gradients for.
        complete: whether this is all; if not, more is known once this is stored.
        others: rows of other tables that it needs.
        curves: what of its result can be written already: pruning curves, once their masks are known.
        designs: what the masks mean together, where they mean more than each by itself.
        needs: what another job must have stored before, in words; empty when nothing.
        probe: the probe that rows are computed by, where it must be trained before.
    """

    outcomes: Bool[np.ndarray, "masks heads"]
    gradients: Bool[np.ndarray, "gradients heads"] | None = None
    loss: Loss = PLAIN
    later: int = 0
    later_gradients: int = 0
    complete: bool = True
    others: tuple[TableRequest, ...] = ()
    curves: tuple[Curve, ...] = ()
    designs: tuple[Design, ...] = ()
    needs: str = ""
    probe: ProbeRequest | None = None


@dataclass(kw_only=True)
class Measure:
    """Which masks to try on a subject. Small: it opens no file and knows no model.

    A measure whose masks are known from the layout gives `masks`; one whose masks depend on stored rows, its own or
    another job's, gives `request`.

    Attributes:
        name: name in `conf/measure`.
        kinds: the attention kinds whose units are masked; all that the model has when empty.
    """

    masks_units: ClassVar[bool] = True
    reads: ClassVar[bool] = False
    """Whether it needs no answers, so that texts which are only read will do."""

    name: str = MISSING
    kinds: list[AttentionKind] = field(default_factory=list)

    @property
    def stage(self) -> Stage:
        """When it may start, among other jobs of a sweep."""
        return Stage.MEASURE

    @property
    def chosen_among(self) -> Sequence[str]:
        """Options of trainings of which only the best trial is measured; none where every model is."""
        return ()

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
        """The masks to evaluate besides the full one: none, unless a measure says more."""
        return stack([], layout)

    def check(self, layout: HeadLayout) -> None:
        """Refuse what cannot be asked of these units.

        Raises:
            InputError: when the model has no attention of a kind asked for.
        """
        select_layers(layout, self.kinds)

    def check_examples(self, examples: Examples) -> None:
        """Refuse data that it cannot measure, before any work starts.

        Raises:
            InputError: in words.
        """

    def check_gates(self, gates: Callable[[], GatesRecord]) -> None:
        """Refuse gates that it cannot go by, where it goes by those of the model under study.

        Args:
            gates: gives them, or raises an InputError.
        """

    def findings(self, evaluator: "Evaluator") -> dict[str, Any]:
        """What came out, by name, where that is no score of the model; from stored rows alone."""
        return {}

    def answer(self, evaluator: "Evaluator") -> str:
        """What it has found, in a few words with units, from stored rows alone.

        Empty where that is told by the mask that costs most, or not known from the examples of this job alone.
        """
        return ""

    def reached(self, evaluator: "Evaluator") -> None:
        """Say what is known once that is stored which it has asked for; nothing, unless a measure says more."""

    def suits(self, layout: HeadLayout) -> bool:
        """Whether a stored layout says all that this measure must know of a model's units."""
        return True

    def idle(self) -> dict[str, str]:
        """Options that have no effect beside the others' values, and why."""
        return {} if self.masks_units else {"kinds": "it chooses heads to mask, and this measure masks none"}

    def source(self, data: str) -> tuple[str, str] | None:
        """The measure and the data whose rows decide its masks on data of a name; None where no other job does."""
        return None

    def options(self) -> dict[str, Any]:
        """Its options by the names by which runs have them."""
        return asdict(self)

    def usual(self) -> dict[str, Any]:
        """The options where nothing is said: what differs from them makes another run."""
        return type(self)().options()

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """What it asks for next; computes nothing."""
        return MaskRequest(self.masks(evaluator.layout))

    def run(self, evaluator: "Evaluator") -> None:
        """Ask the evaluator for all it takes, again and again while what is stored decides what comes next.

        Raises:
            InputError: when another job must run before; says which.
        """
        while True:
            request = self.request(evaluator)
            if request.needs:
                raise InputError(request.needs)
            for design in request.designs:
                evaluator.keep_design(design)
            if request.gradients is not None:
                evaluator.gradients(request.gradients, request.loss)
            evaluator.require([TableRequest(OUTCOMES, request.outcomes), *request.others])
            for curve in request.curves:
                evaluator.keep(curve)
            self.reached(evaluator)
            if request.complete:
                return


@dataclass(kw_only=True)
class UnitMeasure(Measure):
    """A measure that turns units of one level off.

    Attributes:
        unit: what is off as a whole: a head, a group of heads that share keys and values, an attention layer, an MLP.
    """

    unit: UnitLevel = UnitLevel.head

    def units(self, layout: HeadLayout) -> tuple[Unit, ...]:
        """The units that it turns off.

        Raises:
            InputError: when the model has none.
        """
        return select_units(layout, self.unit, self.kinds)

    def check(self, layout: HeadLayout) -> None:
        """Refuse units that the model has not, too."""
        super().check(layout)
        self.units(layout)

    def suits(self, layout: HeadLayout) -> bool:
        """Earlier versions have stored heads alone: the model itself says whether there are groups and MLPs."""
        return bool(layout.units(self.unit))
