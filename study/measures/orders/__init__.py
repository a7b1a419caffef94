"""Orders in which heads are removed, a component each: what `conf/measure/order` chooses.

A new order is a file here with a dataclass of the contract in `order.py`, its line in `ORDERS`, and its YAML in
`conf/measure/order`, which names it and describes it for `study list`. Command line, messages, runs and curves follow.
"""

from study.measures.orders.effect import AblationLossOrder, AblationOrder
from study.measures.orders.file import FileOrder
from study.measures.orders.greedy import OracleOrder, ReestimatedOrder
from study.measures.orders.importance import ImportanceOrder
from study.measures.orders.order import Order
from study.measures.orders.random import RandomOrder

ORDERS: dict[str, type[Order]] = {
    order.name: order
    for order in (
        ImportanceOrder,
        AblationOrder,
        AblationLossOrder,
        RandomOrder,
        FileOrder,
        OracleOrder,
        ReestimatedOrder,
    )
}
"""Every order by its name, as it is chosen: `measure.order=NAME`."""
