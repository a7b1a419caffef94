"""What every order offers: units in the sequence in which they go, as far as what is stored lets it know."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Bool
from omegaconf import MISSING

from study.measures.measure import MaskRequest, Measure
from study.record.curves import Curve, CurveOptions
from study.record.loss import PLAIN, Loss
from study.record.orders import Steps, keep_one_a_layer
from study.record.training.gates import GatesRecord
from study.record.units import AttentionKind, HeadLayout, Unit, UnitLevel, parse_mask, select_units, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator

Mask = Bool[np.ndarray, " width"]


@dataclass(frozen=True)
class Removal:
    """What an order is asked for: which units of a model may go, and how many are gone at each point of the curve.

    Attributes:
        layout: all units of the model.
        unit: what goes as a whole.
        kinds: attention kinds whose units go; all when empty.
        steps: rule for the number of units at each point.
        allow_empty_layers: False keeps a head or group in each attention layer.
        loss: loss of the gradients, or of the effects, that an order is made of.
        among: the units that may go; all of the level and the kinds when empty.
    """

    layout: HeadLayout
    unit: UnitLevel
    kinds: Sequence[AttentionKind]
    steps: Steps
    allow_empty_layers: bool
    loss: Loss
    among: frozenset[Unit] = frozenset()

    @cached_property
    def every_unit(self) -> tuple[Unit, ...]:
        """Units of the level and the kinds asked for, in the order of a mask."""
        return select_units(self.layout, self.unit, self.kinds)

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Those of them that may go."""
        return tuple(unit for unit in self.every_unit if not self.among or unit in self.among)

    @cached_property
    def counts(self) -> list[int]:
        """How many units are gone at each point, from 0 on."""
        return self.steps.counts(len(self.units), len(self.removable(self.units)))

    def removable(self, order: Sequence[Unit]) -> list[Unit]:
        """An order without the units that stay."""
        return list(order) if self.allow_empty_layers else keep_one_a_layer(order, self.layout)

    def points(self, *curves: Curve, masks: Iterable[Mask] = (), gradients: Sequence[Mask] = ()) -> MaskRequest:
        """The request for all points of curves, with the masks whose outcomes and gradients their order was made of."""
        of_curves = (parse_mask(key, self.layout) for curve in curves for key in curve.masks)
        own = stack(gradients, self.layout) if gradients else None
        return MaskRequest(stack([*masks, *of_curves], self.layout), own, self.loss, curves=curves)


@dataclass(kw_only=True)
class Order:
    """Which units go first; small, as a measure is.

    An order that depends on nothing stored gives `curves`; one that depends on stored rows, its own or another job's,
    gives `request`.

    Attributes:
        name: name in `ORDERS`.
    """

    takes_loss: ClassVar[bool] = False
    """Whether `measure.loss` decides anything."""

    takes_steps: ClassVar[bool] = False
    """Whether `measure.steps` decides which units go first, and not only where the curve has points."""

    takes_examples: ClassVar[bool] = True
    """Whether it depends on the data that it is made on."""

    takes_seed: ClassVar[bool] = False
    """Whether it is drawn by a seed."""

    name: str = MISSING

    def check(self, removal: Removal) -> None:
        """Refuse options that cannot be, and what cannot be asked of these units, by an InputError."""

    def identity(self) -> dict[str, Any]:
        """What decides the order besides the model and the data that it is made on, as JSON values."""
        return {name: str(value) if isinstance(value, StrEnum) else value for name, value in vars(self).items()}

    def unusual(self) -> dict[str, Any]:
        """Its options that are not as usual, by name; of a file the first digits of its digest."""
        known, found = self.identity(), {}
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name != "name" and value != option.default:
                found[option.name] = value if known[option.name] == value else str(known[option.name])[:8]
        return found

    def prerequisites(self) -> Sequence[Measure]:
        """Measures of the same model and data whose rows it is made of: the first ones, as many as it needs."""
        return ()

    def learned(self) -> GatesRecord | None:
        """The gates that it goes by, where a file has them: they say themselves how many heads stay."""
        return None

    def check_gates(self, gates: Callable[[], GatesRecord]) -> None:
        """As `Measure.check_gates`."""

    def source(self, data: str) -> tuple[str, str] | None:
        """As `Measure.source`."""
        return None

    def curves(self, removal: Removal) -> Sequence[Curve]:
        """The curves along the order."""
        raise NotImplementedError

    def request(self, removal: Removal, evaluator: "Evaluator") -> MaskRequest:
        """The points of the curves where the order is known, otherwise what must be known next; computes nothing."""
        return removal.points(*self.curves(removal))

    def options(self, removal: Removal, **own: str) -> CurveOptions:
        """What determines a curve along the order, its own options among it."""
        loss = {"loss": str(removal.loss)} if self.takes_loss and removal.loss != PLAIN else {}
        among = {"among": " ".join(map(str, removal.units))} if removal.among else {}
        return {"steps": str(removal.steps), "allow_empty_layers": removal.allow_empty_layers, **own, **loss, **among}

    def curve(self, removal: Removal, units: Sequence[Unit], options: CurveOptions, examples: int = 0) -> Curve:
        """The curve along units, the first to go first, whose order was made of so many examples."""
        sequence = removal.removable(units)
        return Curve(
            order=self.name,
            options=options,
            kinds=tuple(map(str, removal.kinds)),
            heads=len(removal.units),
            removed=tuple(removal.counts),
            masks=tuple(removal.layout.key(removal.layout.without(sequence[:count])) for count in removal.counts),
            examples=examples,
            sequence=tuple(map(str, sequence)),
            unit=removal.unit,
        )
