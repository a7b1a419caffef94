"""What every order offers: heads in the sequence in which they go, as far as what is stored lets it know."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool
from omegaconf import MISSING

from study.measures.measure import MaskRequest
from study.record.curves import Curve, CurveOptions
from study.record.heads import AttentionKind, Head, HeadLayout, mask_key, parse_mask, select_heads, stack
from study.record.loss import PLAIN, Loss
from study.record.orders import Steps, curve_masks, keep_one_a_layer

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator

Mask = Bool[np.ndarray, " heads"]


@dataclass(frozen=True)
class Removal:
    """What an order is asked for: which heads of a model may go, and how many are gone at each point of the curve.

    Attributes:
        layout: all heads of the model.
        kinds: attention kinds whose heads go; all when empty.
        steps: rule for the number of heads at each point.
        allow_empty_layers: False keeps a head in each attention layer.
        loss: loss of the gradients, or of the effects, that an order is made of.
    """

    layout: HeadLayout
    kinds: Sequence[AttentionKind] = ()
    steps: Steps = Steps.paper
    allow_empty_layers: bool = True
    loss: Loss = PLAIN

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """Heads of the kinds asked for."""
        return tuple(select_heads(self.layout, self.kinds))

    @cached_property
    def counts(self) -> list[int]:
        """How many heads are gone at each point, from 0 on."""
        return self.steps.counts(len(self.heads), len(self.removable(self.heads)))

    def removable(self, order: Sequence[Head]) -> list[Head]:
        """An order without the heads that stay."""
        return list(order) if self.allow_empty_layers else keep_one_a_layer(order, self.layout)

    def curve(self, order: str, heads: Sequence[Head], options: CurveOptions, examples: int = 0) -> Curve:
        """The curve along an order.

        Args:
            order: name of the order.
            heads: all heads that it ranks, the first to go first.
            options: what determines it.
            examples: number of examples that it was made of.
        """
        sequence = self.removable(heads)
        masks = curve_masks(sequence, self.counts, self.layout)
        return Curve(
            order=order,
            options=options,
            kinds=tuple(map(str, self.kinds)),
            heads=len(self.heads),
            removed=tuple(self.counts),
            masks=tuple(map(mask_key, masks)),
            examples=examples,
            sequence=tuple(map(str, sequence)),
        )

    def complete(self, *curves: Curve, masks: Iterable[Mask] = (), gradients: Sequence[Mask] = ()) -> MaskRequest:
        """The request for the points of curves whose order is known.

        Args:
            curves: one, or one for each random order.
            masks: masks whose outcomes the order was made of.
            gradients: masks whose gradients it was made of, where these are the job's own.
        """
        points = (parse_mask(key, self.layout) for curve in curves for key in curve.masks)
        own = stack(gradients, self.layout) if gradients else None
        return MaskRequest(stack([*masks, *points], self.layout), own, self.loss, curves=curves)


@dataclass(kw_only=True)
class Order:
    """Which heads go first; small, as a measure is.

    An order that depends on nothing stored gives `curves`; one that depends on stored rows, its own or another job's,
    gives `request`.

    Attributes:
        name: name in `ORDERS`.
    """

    takes_loss: ClassVar[bool] = False
    """Whether `measure.loss` decides anything."""

    name: str = MISSING

    def check(self, removal: Removal) -> None:
        """Refuse options that cannot be, and what cannot be asked of these heads.

        Raises:
            InputError: in words.
        """

    def source(self, data: str) -> tuple[str, str] | None:
        """The measure and the data whose stored rows it is made of; None where another job's rows are not needed.

        Args:
            data: name of the data that the curve is of.
        """
        return None

    def curves(self, removal: Removal) -> Sequence[Curve]:
        """The curves along the order."""
        raise NotImplementedError

    def request(self, removal: Removal, evaluator: "Evaluator") -> MaskRequest:
        """The masks of the curves where the order is known, otherwise what must be known next; computes nothing."""
        return removal.complete(*self.curves(removal))

    def determinants(self) -> CurveOptions:
        """Options that determine the order, as they stand in its curve."""
        return {}

    def options(self, removal: Removal) -> CurveOptions:
        """What determines a curve along the order, but for the data."""
        loss = {"loss": str(removal.loss)} if self.takes_loss and removal.loss != PLAIN else {}
        points = {"steps": str(removal.steps), "allow_empty_layers": removal.allow_empty_layers}
        return {**points, **self.determinants(), **loss}
