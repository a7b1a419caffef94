"""Orders in which heads are removed, a component each: what `conf/measure/order` chooses.

A new order is a file here with a dataclass of the contract in `order.py`, its line in `ORDERS`, and its YAML in
`conf/measure/order`, which names it and describes it. Command line, messages, runs and curves follow.
"""

from study.measures.orders.file import FileOrder
from study.measures.orders.gates import GatesOrder
from study.measures.orders.greedy import OracleOrder, ReestimatedOrder
from study.measures.orders.order import Order
from study.measures.orders.random import RandomOrder
from study.measures.orders.ranking import AblationLossOrder, AblationOrder, ImportanceOrder

ORDERS: dict[str, type[Order]] = {
    "importance": ImportanceOrder,
    "ablation": AblationOrder,
    "ablation_loss": AblationLossOrder,
    "random": RandomOrder,
    "file": FileOrder,
    "gates": GatesOrder,
    "oracle": OracleOrder,
    "reestimated": ReestimatedOrder,
}
"""Every order by its name, as it is chosen: `measure.order=NAME`."""
