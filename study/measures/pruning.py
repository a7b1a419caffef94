"""Pruning: units go in some order, a share at a time, and the score is measured at each (the paper's section 4)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING

from study.measures.measure import MaskRequest, Stage, UnitMeasure
from study.measures.orders import ORDERS, ImportanceOrder, Order
from study.measures.orders.order import Removal
from study.record.errors import InputError
from study.record.importance import ONE_A_LAYER
from study.record.loss import LossName, chosen_loss, idle_epsilon
from study.record.orders import Steps
from study.record.training.gates import GatesRecord
from study.record.units import HeadLayout, parse_unit

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


def flat_name(option: str) -> str:
    """The name of an order's option among those of the measure, as runs have it and people may type it."""
    return "order_data" if option == "data" else option


@dataclass(kw_only=True)
class Pruning(UnitMeasure):
    """Curves of the score over the share of heads, or other units, that are removed.

    Attributes:
        order: which heads go first, with options of its own.
        steps: how many go at each point.
        allow_empty_layers: as in the paper's code; false keeps a head or group in each attention layer.
        loss: loss of the gradients or effects that the order is made of.
        epsilon: share of the probability that a label-smoothed loss spreads.
    """

    name: str = "pruning"
    order: Order = MISSING
    steps: Steps = Steps.paper
    allow_empty_layers: bool = True
    loss: LossName = LossName.plain
    epsilon: float = 0.1

    @property
    def stage(self) -> Stage:
        """After what its order is made of."""
        return Stage.CURVES

    def check(self, layout: HeadLayout) -> None:
        """Refuse what the order cannot do, too."""
        super().check(layout)
        if not self.allow_empty_layers and self.unit in ONE_A_LAYER:
            raise InputError(
                f"measure.allow_empty_layers=false keeps a unit in each layer, and with measure.unit={self.unit} "
                f"a layer has one: nothing would go"
            )
        self.order.check(self.removal(layout))

    def check_gates(self, gates: Callable[[], GatesRecord]) -> None:
        """Those of an order by gates."""
        self.order.check_gates(gates)

    def idle(self) -> dict[str, str]:
        """Only some orders have a loss, and only a smoothed loss has an epsilon."""
        if self.order.takes_loss:
            return idle_epsilon(self.loss)
        takers = " or ".join(name for name, order in ORDERS.items() if order.takes_loss)
        why = f"it is of measure.order={takers}, and the order here is {self.order.name}"
        return {"loss": why, "epsilon": why}

    def source(self, data: str) -> tuple[str, str] | None:
        """What the order is made of."""
        return self.order.source(data)

    def options(self) -> dict[str, Any]:
        """Those of the order stand beside the others, as they did before orders were components."""
        own = {flat_name(name): value for name, value in asdict(self.order).items() if name != "name"}
        return {**super().options(), "order": self.order.name, **own}

    def usual(self) -> dict[str, Any]:
        """Those of every order: earlier versions kept them all, whatever the order."""
        orders = [Pruning(order=order()).options() for order in (*ORDERS.values(), type(self.order))]
        return {name: value for options in orders for name, value in options.items()} | {"order": ImportanceOrder.name}

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """The masks of the curves; for an order that is not known yet, what must be known next."""
        return self.order.request(self.removal(evaluator.layout), evaluator)

    def removal(self, layout: HeadLayout) -> Removal:
        """What its order is asked for."""
        loss = chosen_loss(self.loss, self.epsilon)
        return Removal(layout, self.unit, self.kinds, self.steps, self.allow_empty_layers, loss)


@dataclass(kw_only=True)
class PruningAmong(Pruning):
    """Curves along which only some units go, and of which the shares are.

    Attributes:
        among: their addresses.
    """

    among: list[str] = field(default_factory=list)

    def removal(self, layout: HeadLayout) -> Removal:
        """See `Pruning.removal`."""
        return replace(super().removal(layout), among=frozenset(map(parse_unit, self.among)))
