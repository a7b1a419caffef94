"""Importance: gradients of the loss with respect to every head's xi (the paper's section 4.1)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.heads import select_heads, stack
from study.measures.measure import Measure, Wanted

if TYPE_CHECKING:
    from study.evaluator import Evaluator


@dataclass(kw_only=True)
class Importance(Measure):
    """The gradient rows of the full mask, from which every estimator of importance follows without a model.

    Attributes:
        each_head_off: also under each single-head mask, whose rows hold the loss without that head: what an order by
            the effect on a translation's loss needs.
    """

    name: str = "importance"
    each_head_off: bool = False

    def wanted(self, evaluator: "Evaluator") -> Wanted:
        """Gradients of the full mask, and of each head off where asked for."""
        layout = evaluator.layout
        off = select_heads(layout, self.kinds) if self.each_head_off else ()
        masks = [layout.full(), *(layout.without([head]) for head in off)]
        return Wanted(outcomes=stack([], layout), gradients=stack(masks, layout))
