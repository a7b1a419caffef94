"""Orders by the effect of each head alone: the head whose removal costs least goes first."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float

from study.measures.orders.order import Removal
from study.measures.orders.ranking import RankingOrder, smoothing
from study.record.loss import Loss
from study.record.parts import Table
from study.record.scores import Stored


@dataclass(kw_only=True)
class AblationOrder(RankingOrder):
    """Heads by the score without each of them, the highest first."""

    measure: ClassVar[str] = "ablation"

    name: str = "ablation"

    def masks(self, removal: Removal) -> Bool[np.ndarray, "masks heads"]:
        """The full one, and each head off."""
        layout = removal.layout
        return np.concatenate([layout.full()[None], layout.each_off(removal.heads)])

    def costs(self, stored: Stored, masks: Bool[np.ndarray, "masks heads"]) -> Float[np.ndarray, " masks"]:
        """What each mask costs, up to a constant."""
        return -stored.scores(masks)

    def values(self, stored: Stored, removal: Removal) -> Float[np.ndarray, " heads"]:
        """Costs; 0 for heads that do not go."""
        values = np.zeros(len(removal.layout))
        values[[removal.layout.index(head) for head in removal.heads]] = self.costs(stored, self.masks(removal)[1:])
        return values


@dataclass(kw_only=True)
class AblationLossOrder(AblationOrder):
    """Heads by the mean loss without each of them, the lowest first."""

    takes_loss: ClassVar[bool] = True
    measure: ClassVar[str] = "importance"

    name: str = "ablation_loss"

    def table(self, loss: Loss, stored: Stored | None = None) -> Table:
        """The table that has the losses."""
        return super().table(loss) if stored is None else stored.table_with_losses

    def job(self, loss: Loss, table: Table) -> str:
        """See the contract; where outcomes hold the loss, `ablation` stores it too."""
        if table.loss is None:
            return "measure=ablation"
        return f"measure=importance measure.each_head_off=true{smoothing(loss)}"

    def costs(self, stored: Stored, masks: Bool[np.ndarray, "masks heads"]) -> Float[np.ndarray, " masks"]:
        """Mean losses."""
        return stored.losses(masks)
