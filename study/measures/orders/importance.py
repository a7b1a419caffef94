"""The paper's order: heads of least importance go first, estimated once."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from study.measures.orders.order import Order, Removal
from study.measures.orders.ranking import RankingOrder, smoothing
from study.record.curves import CurveOptions
from study.record.heads import HeadLayout
from study.record.importance import Average, Estimator, Normalisation, importance
from study.record.loss import Loss
from study.record.parts import Table
from study.record.scores import Stored


@dataclass(kw_only=True)
class EstimatingOrder(Order):
    """An order by importance, whenever that is estimated.

    Attributes:
        estimator: what is averaged over examples.
        normalisation: what makes layers comparable; null: what the estimator was published with.
        average: what the sum over examples is divided by.
    """

    takes_loss: ClassVar[bool] = True

    estimator: Estimator = Estimator.paper
    normalisation: Normalisation | None = None
    average: Average = Average.examples

    def importance(
        self, rows: pl.DataFrame, layout: HeadLayout, mask: Bool[np.ndarray, " heads"]
    ) -> Float[np.ndarray, " heads"]:
        """The importance of every head from gradient rows under a mask."""
        return importance(rows, layout, self.estimator, self.normalisation, self.average, mask)

    def determinants(self) -> CurveOptions:
        """See the contract."""
        normalisation = self.normalisation or self.estimator.normalisation
        return {"estimator": str(self.estimator), "normalisation": str(normalisation), "average": str(self.average)}


@dataclass(kw_only=True)
class ImportanceOrder(RankingOrder, EstimatingOrder):
    """Heads by importance under the full mask."""

    measure: ClassVar[str] = "importance"

    name: str = "importance"

    def table(self, loss: Loss, stored: Stored | None = None) -> Table:
        """Gradients."""
        return Table.gradients(loss)

    def job(self, loss: Loss, table: Table) -> str:
        """See the contract."""
        return super().job(loss, table) + smoothing(loss)

    def masks(self, removal: Removal) -> Bool[np.ndarray, "masks heads"]:
        """The full one."""
        return removal.layout.full()[None]

    def values(self, stored: Stored, removal: Removal) -> Float[np.ndarray, " heads"]:
        """Importance."""
        full = removal.layout.full()
        return self.importance(stored.gradient_rows(full), removal.layout, full)
