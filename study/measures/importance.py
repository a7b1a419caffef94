"""Importance: gradients of the loss with respect to every unit's xi (the paper's section 4.1)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.measures.measure import MaskRequest, UnitMeasure
from study.record.loss import LossName, chosen_loss, idle_epsilon
from study.record.units import HeadLayout, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


@dataclass(kw_only=True)
class Importance(UnitMeasure):
    """The gradient rows of the full mask, from which every estimator of importance follows without a model.

    Attributes:
        loss: what is differentiated.
        epsilon: share of the probability that a label-smoothed loss spreads.
        each_head_off: also under each mask with one head (or other unit) off, whose rows hold the loss without it: what
            an order by the effect on a translation's loss needs.
    """

    name: str = "importance"
    loss: LossName = LossName.plain
    epsilon: float = 0.1
    each_head_off: bool = False

    def check(self, layout: HeadLayout) -> None:
        """Refuse an epsilon that makes no loss, too."""
        super().check(layout)
        chosen_loss(self.loss, self.epsilon)

    def idle(self) -> dict[str, str]:
        """The gradients of the full mask are those of every unit, and only a smoothed loss has an epsilon."""
        idle = idle_epsilon(self.loss)
        if not self.each_head_off:
            off = "it chooses what to turn off, and only measure.each_head_off=true does so"
            idle |= dict.fromkeys(("kinds", "unit"), f"{off}: the gradients of the full mask are those of every unit")
        return idle

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """Gradients of the full mask, and of each unit off where asked for."""
        layout = evaluator.layout
        off = self.units(layout) if self.each_head_off else ()
        masks = [layout.full(), *layout.each_off(off)]
        loss = chosen_loss(self.loss, self.epsilon)
        return MaskRequest(outcomes=stack([], layout), gradients=stack(masks, layout), loss=loss)
