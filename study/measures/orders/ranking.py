"""Orders by one number for each unit, from rows that another job has stored: those of least go first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from study.measures.ablation import Ablation
from study.measures.importance import Importance
from study.measures.measure import MaskRequest, Measure
from study.measures.orders.order import Mask, Order, Removal
from study.record.curves import CurveOptions
from study.record.importance import Average, Estimator, Normalisation, importance, require_estimate
from study.record.loss import PLAIN, Loss
from study.record.orders import least_first
from study.record.scores import StoredRows
from study.record.tables import OUTCOMES, Gradients, Table
from study.record.units import UnitLevel, stack

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


def with_unit(job: str, unit: UnitLevel) -> str:
    """Overrides of a job that turns off units of a level."""
    return job if unit is UnitLevel.head else f"{job} measure.unit={unit}"


@dataclass(kw_only=True)
class RankingOrder(Order):
    """Units by a number, the least first.

    Attributes:
        reverse: whether those of least go last.
        data: name of the data set whose stored rows give the order, as its folder in the results; `NAME/ID` where it
            has several settings. Empty: the data that the curve is of.
    """

    measure: ClassVar[str]
    """The measure that stores the rows."""

    reverse: bool = False
    data: str = ""

    def table(self, loss: Loss, stored: StoredRows | None = None) -> Table:
        """The table that has the rows, before and after what is stored is known."""
        raise NotImplementedError

    def job(self, table: Table, removal: Removal) -> str:
        """Overrides of the job that stores the rows of a table."""
        return f"measure={self.measure}"

    def masks(self, removal: Removal) -> Bool[np.ndarray, "masks width"]:
        """Masks whose rows give the order, the full one first."""
        raise NotImplementedError

    def values(self, stored: StoredRows, removal: Removal) -> Float[np.ndarray, " units"]:
        """A number for each unit that may go, once all rows are there."""
        raise NotImplementedError

    def source(self, data: str) -> tuple[str, str]:
        """See the contract."""
        return self.measure, self.data.partition("/")[0] or data

    def request(self, removal: Removal, evaluator: "Evaluator") -> MaskRequest:
        """One curve once all rows are stored; before that, which job stores them."""
        loss, layout = removal.loss, removal.layout
        table = self.table(loss)
        stored = evaluator.stored_elsewhere(self.data, table, loss) if self.data else evaluator.stored(loss)
        table = self.table(loss, stored)
        if stored and stored.examples and not stored.lacks(self.masks(removal), table):
            order = least_first(self.values(stored, removal), removal.units)[:: -1 if self.reverse else 1]
            options = {"data": stored.name, **self.options(removal), "reverse": self.reverse}
            return removal.points(self.curve(removal, order, options, len(stored.examples)))
        smoothed = isinstance(table, Gradients) and table.loss != PLAIN
        job = self.job(table, removal) + (
            f" measure.loss=label_smoothed measure.epsilon={loss.epsilon:g}" if smoothed else ""
        )
        where = f" for all {len(stored.examples):,} examples" if stored and stored.examples else ""
        needs = (
            f"an order by {self.name} needs what `{job}` stores of this model on data "
            f"'{self.data or evaluator.setting.data}', which is not there{where}: run the same command with "
            f"{job}{f' data={self.data}' if self.data else ''} first"
        )
        return MaskRequest(stack([], layout), later=len(removal.counts) - 1, complete=False, needs=needs)


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

    def check(self, removal: Removal) -> None:
        """Refuse an estimator or a normalisation that is of heads alone, too."""
        super().check(removal)
        require_estimate(self.estimator, self.normalisation, removal.unit)

    def importance(self, rows: pl.DataFrame, removal: Removal, mask: Mask) -> Float[np.ndarray, " units"]:
        """The importance of every unit that may go, from gradient rows under a mask."""
        layout, level, some = removal.layout, removal.unit, set(removal.units)
        every = importance(rows, layout, self.estimator, self.normalisation, self.average, mask, level)
        return every[np.array([unit in some for unit in layout.units(level)])]

    def options(self, removal: Removal, **own: str) -> CurveOptions:
        """See the contract."""
        normalisation = str(self.normalisation or self.estimator.normalisation(removal.unit))
        estimate = {"estimator": str(self.estimator), "normalisation": normalisation, "average": str(self.average)}
        return super().options(removal, **estimate, **own)


@dataclass(kw_only=True)
class ImportanceOrder(RankingOrder, EstimatingOrder):
    """Units by importance under the full mask, estimated once: the paper's order."""

    measure: ClassVar[str] = "importance"

    name: str = "importance"

    def prerequisites(self) -> Sequence[Measure]:
        """Gradients of the full mask."""
        return (Importance(),)

    def table(self, loss: Loss, stored: StoredRows | None = None) -> Table:
        """Gradients."""
        return Gradients(loss)

    def masks(self, removal: Removal) -> Bool[np.ndarray, "masks width"]:
        """The full one alone."""
        return removal.layout.full()[None]

    def values(self, stored: StoredRows, removal: Removal) -> Float[np.ndarray, " units"]:
        """Importance."""
        full = removal.layout.full()
        return self.importance(stored.gradient_rows(full), removal, full)


@dataclass(kw_only=True)
class AblationOrder(RankingOrder):
    """Units by the score without each of them, the highest first."""

    measure: ClassVar[str] = "ablation"

    name: str = "ablation"

    def prerequisites(self) -> Sequence[Measure]:
        """Outcomes of each unit off."""
        return (Ablation(),)

    def table(self, loss: Loss, stored: StoredRows | None = None) -> Table:
        """Outcomes."""
        return OUTCOMES

    def job(self, table: Table, removal: Removal) -> str:
        """See the contract."""
        return with_unit(f"measure={self.measure}", removal.unit)

    def masks(self, removal: Removal) -> Bool[np.ndarray, "masks width"]:
        """The full one, and each unit off."""
        return np.concatenate([removal.layout.full()[None], removal.layout.each_off(removal.units)])

    def values(self, stored: StoredRows, removal: Removal) -> Float[np.ndarray, " units"]:
        """What each unit off costs, up to a constant."""
        return self.costs(stored, self.masks(removal)[1:])

    def costs(self, stored: StoredRows, masks: Bool[np.ndarray, "masks width"]) -> Float[np.ndarray, " masks"]:
        """What masks cost, up to a constant."""
        return -stored.scores(masks)


@dataclass(kw_only=True)
class AblationLossOrder(AblationOrder):
    """Units by the mean loss without each of them, the lowest first."""

    measure: ClassVar[str] = "importance"
    takes_loss: ClassVar[bool] = True

    name: str = "ablation_loss"

    def prerequisites(self) -> Sequence[Measure]:
        """Losses with each unit off: among its outcomes where they have them."""
        return (Ablation(), Importance(each_head_off=True))

    def table(self, loss: Loss, stored: StoredRows | None = None) -> Table:
        """The table that has the losses."""
        return stored.table_with_losses if stored else OUTCOMES

    def job(self, table: Table, removal: Removal) -> str:
        """See the contract; where outcomes hold the loss, `ablation` stores it too."""
        job = "measure=ablation" if table == OUTCOMES else "measure=importance measure.each_head_off=true"
        return with_unit(job, removal.unit)

    def costs(self, stored: StoredRows, masks: Bool[np.ndarray, "masks width"]) -> Float[np.ndarray, " masks"]:
        """Mean losses."""
        return stored.losses(masks)
