"""Pruning: heads go in some order, a share at a time, and the score is measured at each (the paper's section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from study.measures.measure import MaskRequest, Measure, Stage
from study.measures.orders.greedy import Estimate, oracle, reestimated
from study.record.curves import Curve
from study.record.errors import InputError
from study.record.files import file_digest
from study.record.heads import Head, HeadLayout, mask_key, parse_mask, select_heads, stack
from study.record.importance import Average, Estimator, Normalisation, importance, own_normalisation
from study.record.loss import PLAIN, Loss, LossName, chosen_loss, idle_epsilon
from study.record.orders import Steps, counts, curve_masks, keep_one_a_layer, least_first, read_order, shuffled
from study.record.parts import Table
from study.record.scores import Stored

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


class Order(StrEnum):
    """Which heads go first. Names are what is written on the command line."""

    importance = "importance"
    """Those of least importance, estimated once (the paper's)."""
    ablation = "ablation"
    """Those whose removal alone leaves the highest score."""
    ablation_loss = "ablation_loss"
    """Those whose removal alone leaves the lowest loss."""
    random = "random"
    file = "file"
    oracle = "oracle"
    """At each step the head whose removal now leaves the highest score: measured, n (n + 1) / 2 masks."""
    reestimated = "reestimated"
    """Those of least importance, estimated again after each step."""


STORED = (Order.importance, Order.ablation, Order.ablation_loss)
ESTIMATED = (Order.importance, Order.reestimated)
USED_BY: dict[str, tuple[Order, ...]] = {
    "loss": (*ESTIMATED, Order.ablation_loss),
    "estimator": ESTIMATED,
    "normalisation": ESTIMATED,
    "average": ESTIMATED,
    "reverse": (*STORED, Order.file),
    "order_data": STORED,
    "seeds": (Order.random,),
    "file": (Order.file,),
}
"""Which orders an option is for."""


@dataclass(kw_only=True)
class Pruning(Measure):
    """Curves of the score over the share of heads that are removed.

    Attributes:
        order: which heads go first.
        reverse: those go last.
        steps: how many go at each point.
        allow_empty_layers: as in the paper's code; false keeps a head in each attention layer.
        estimator: of importance.
        normalisation: of importance; null: what the estimator was published with.
        average: of importance.
        loss: whose gradients or effects.
        epsilon: of a label-smoothed loss.
        order_data: name of the data set whose stored rows give the order, as its folder in the results; `NAME/ID` where
            it has several settings. Empty: the data that the curve is of.
        seeds: of random orders: so many curves, from seed 0 on.
        file: with the order, one head address a line.
    """

    stage: ClassVar[Stage] = Stage.CURVES

    name: str = "pruning"
    order: Order = Order.importance
    reverse: bool = False
    steps: Steps = Steps.paper
    allow_empty_layers: bool = True
    estimator: Estimator = Estimator.paper
    normalisation: Normalisation | None = None
    average: Average = Average.examples
    loss: LossName = LossName.plain
    epsilon: float = 0.1
    order_data: str = ""
    seeds: int = 3
    file: str | None = None

    @property
    def order_job(self) -> str | None:
        """The measure whose stored rows give the order; None where none does."""
        return {Order.importance: "importance", Order.ablation: "ablation", Order.ablation_loss: "importance"}.get(
            self.order
        )

    def check(self, layout: HeadLayout) -> None:
        """Refuse kinds that the model does not have, and an order in a file that is none of its heads.

        Raises:
            InputError: in words.
        """
        super().check(layout)
        chosen_loss(self.loss, self.epsilon)
        if self.seeds < 1:
            raise InputError(f"measure.seeds={self.seeds}: at least one random order is needed")
        if self.order is Order.file:
            self._from_file(layout)

    def idle(self) -> dict[str, str]:
        """The options of other orders than the one chosen; only a smoothed loss has an epsilon."""
        others = {name: orders for name, orders in USED_BY.items() if self.order not in orders}
        why = {
            name: f"it is of measure.order={' or '.join(orders)}, and the order here is {self.order}"
            for name, orders in others.items()
        }
        return {**idle_epsilon(self.loss), **why}

    def request(self, evaluator: "Evaluator") -> MaskRequest:
        """The masks of the curves; for an order that is not known yet, what must be known next."""
        if self.order in (Order.oracle, Order.reestimated):
            return self._growing(evaluator)
        layout = evaluator.layout
        removed = self._counts(layout)
        if self.order not in STORED:
            curves = [self._curve(order, removed, layout, 0, options) for options, order in self._given(layout)]
            return MaskRequest(_masks(curves, layout), curves=tuple(curves))
        stored, needs = self._source(evaluator)
        if stored is None:
            return MaskRequest(stack([], layout), later=len(removed) - 1, complete=False, needs=needs)
        order = least_first(self._values(stored), layout, select_heads(layout, self.kinds))
        order = self._whole(order[::-1] if self.reverse else order, layout)
        curve = self._curve(order, removed, layout, len(stored.examples), {"data": stored.name, **self._options()})
        return MaskRequest(_masks([curve], layout), curves=(curve,))

    def _growing(self, evaluator: "Evaluator") -> MaskRequest:
        layout, loss = evaluator.layout, self._loss
        stored = evaluator.stored(loss)
        if len(evaluator.examples) < len(evaluator.whole):
            raise InputError(f"order={self.order} decides by all examples as it goes: run it without shards")
        removed, heads = self._counts(layout), list(select_heads(layout, self.kinds))
        empty = self.allow_empty_layers
        if self.order is Order.oracle:
            walk = oracle(stored, heads, allow_empty_layers=empty)
        else:
            walk = reestimated(stored, heads, removed, self._estimate(layout), allow_empty_layers=empty)
        if not walk.complete:
            return MaskRequest(walk.masks, walk.gradients, loss, walk.later, walk.later_gradients, complete=False)
        curve = self._curve(walk.order, removed, layout, len(stored.examples), self._options())
        return MaskRequest(walk.masks, walk.gradients, loss, curves=(curve,))

    def _counts(self, layout: HeadLayout) -> list[int]:
        heads = list(select_heads(layout, self.kinds))
        return counts(self.steps, len(heads), len(self._whole(heads, layout)))

    def _whole(self, order: Sequence[Head], layout: HeadLayout) -> list[Head]:
        return list(order) if self.allow_empty_layers else keep_one_a_layer(order, layout)

    def _given(self, layout: HeadLayout) -> list[tuple[dict[str, Any], list[Head]]]:
        """The orders that need nothing stored, each with what determines it."""
        if self.order is Order.file:
            order = self._from_file(layout)
            options = {
                **self._options(),
                "file": Path(str(self.file)).name,
                "digest": file_digest(Path(str(self.file))),
            }
            return [(options, self._whole(order[::-1] if self.reverse else order, layout))]
        heads = list(select_heads(layout, self.kinds))
        orders = [shuffled(heads, np.random.default_rng(seed)) for seed in range(self.seeds)]
        return [({**self._options(), "seed": i}, self._whole(order, layout)) for i, order in enumerate(orders)]

    def _from_file(self, layout: HeadLayout) -> list[Head]:
        if not self.file:
            raise InputError("measure.order=file needs measure.file=PATH: one head address a line, first to go first")
        return read_order(Path(self.file), list(select_heads(layout, self.kinds)))

    def _source(self, evaluator: "Evaluator") -> tuple[Stored | None, str]:
        """The rows that give the order; None, and which job makes them, where they are not stored."""
        layout, loss = evaluator.layout, self._loss
        table = Table.gradients(loss) if self.order is Order.importance else Table.OUTCOMES
        data = self.order_data or evaluator.setting.data
        stored = evaluator.stored_elsewhere(self.order_data, table, loss) if self.order_data else evaluator.stored(loss)
        if stored is not None and self.order is Order.ablation_loss:
            table = stored.table_with_losses
        masks = layout.full()[None]
        if self.order is not Order.importance:
            masks = np.concatenate([masks, layout.each_off(select_heads(layout, self.kinds))])
        if stored is not None and stored.examples and not stored.lacks(masks, table):
            return stored, ""
        job = "measure=ablation"
        if table.loss is not None:
            job = "measure=importance"
            job += " measure.each_head_off=true" if self.order is Order.ablation_loss else ""
            job += f" measure.loss={self.loss} measure.epsilon={self.epsilon:g}" if loss != PLAIN else ""
        where = "" if stored is None else f" for all {len(stored.examples):,} examples" if stored.examples else ""
        return None, (
            f"an order by {self.order} needs what `{job}` stores of this model on data '{data}', which is not there"
            f"{where}: run the same command with {job}{f' data={data}' if self.order_data else ''} first"
        )

    def _values(self, stored: Stored) -> Float[np.ndarray, " heads"]:
        """A number for each head of the model; those of least go first."""
        layout = stored.layout
        if self.order is Order.importance:
            return self._estimate(layout)(stored.gradient_rows(layout.full()), layout.full())
        heads = list(select_heads(layout, self.kinds))
        masks = layout.each_off(heads)
        found = -stored.scores(masks) if self.order is Order.ablation else stored.losses(masks)
        values = np.zeros(len(layout))
        values[[layout.index(head) for head in heads]] = found
        return values

    def _estimate(self, layout: HeadLayout) -> Estimate:
        def estimate(rows: pl.DataFrame, mask: Bool[np.ndarray, " heads"]) -> Float[np.ndarray, " heads"]:
            return importance(rows, layout, self.estimator, self.normalisation, self.average, mask)

        return estimate

    @property
    def _loss(self) -> Loss:
        return chosen_loss(self.loss, self.epsilon)

    def _options(self) -> dict[str, Any]:
        """What determines the order, besides the data, and the points of its curve."""
        options: dict[str, Any] = {"steps": str(self.steps), "allow_empty_layers": self.allow_empty_layers}
        if self.order in ESTIMATED:
            normalisation = self.normalisation or own_normalisation(self.estimator)
            options |= {"estimator": str(self.estimator), "normalisation": str(normalisation)}
            options |= {"average": str(self.average)}
        if self.order in USED_BY["loss"] and self._loss != PLAIN:
            options["loss"] = str(self._loss)
        if self.order in USED_BY["reverse"]:
            options["reverse"] = self.reverse
        return options

    def _curve(
        self, order: Sequence[Head], removed: Sequence[int], layout: HeadLayout, examples: int, options: dict[str, Any]
    ) -> Curve:
        return Curve(
            order=str(self.order),
            options=options,
            kinds=tuple(map(str, self.kinds)),
            heads=len(list(select_heads(layout, self.kinds))),
            removed=tuple(removed),
            masks=tuple(mask_key(mask) for mask in curve_masks(order, removed, layout)),
            examples=examples,
            sequence=tuple(map(str, order)),
        )


def _masks(curves: Sequence[Curve], layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
    """Those of all points."""
    return stack((parse_mask(key, layout) for curve in curves for key in curve.masks), layout)
