"""Orders by one number for each head, from rows that another job has stored: those of least go first."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool, Float

from study.measures.measure import MaskRequest
from study.measures.orders.order import Order, Removal
from study.record.heads import stack
from study.record.loss import PLAIN, Loss
from study.record.orders import least_first
from study.record.parts import Table
from study.record.scores import Stored

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


@dataclass(kw_only=True)
class RankingOrder(Order):
    """Heads by a number, the least first.

    Attributes:
        reverse: whether those of least go last.
        data: name of the data set whose stored rows give the order, as its folder in the results; `NAME/ID` where it
            has several settings. Empty: the data that the curve is of.
    """

    measure: ClassVar[str]
    """The measure that stores the rows."""

    reverse: bool = False
    data: str = ""

    def table(self, loss: Loss, stored: Stored | None = None) -> Table:
        """The table that has the rows, before and after what is stored is known."""
        return Table.OUTCOMES

    def job(self, loss: Loss, table: Table) -> str:
        """Overrides of the job that stores the rows."""
        return f"measure={self.measure}"

    def masks(self, removal: Removal) -> Bool[np.ndarray, "masks heads"]:
        """Masks whose rows give the order, the full one first."""
        raise NotImplementedError

    def values(self, stored: Stored, removal: Removal) -> Float[np.ndarray, " heads"]:
        """A number for each head of the model, once all rows are there."""
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
        if not stored or not stored.examples or stored.lacks(self.masks(removal), table):
            where = f" for all {len(stored.examples):,} examples" if stored and stored.examples else ""
            job = self.job(loss, table)
            needs = (
                f"an order by {self.name} needs what `{job}` stores of this model on data "
                f"'{self.data or evaluator.setting.data}', which is not there{where}: run the same command with "
                f"{job}{f' data={self.data}' if self.data else ''} first"
            )
            return MaskRequest(stack([], layout), later=len(removal.counts) - 1, complete=False, needs=needs)
        order = least_first(self.values(stored, removal), layout, removal.heads)
        options = {"data": stored.name, **self.options(removal), "reverse": self.reverse}
        curve = removal.curve(self.name, order[::-1] if self.reverse else order, options, len(stored.examples))
        return removal.complete(curve)


def smoothing(loss: Loss) -> str:
    """Overrides that choose a loss of a measure; none for the plain one."""
    return "" if loss == PLAIN else f" measure.loss=label_smoothed measure.epsilon={loss.epsilon:g}"
