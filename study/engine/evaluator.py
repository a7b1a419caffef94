"""The evaluator: outcomes and gradients of any set of masks, each computed once.

It fills the store and reads from it, so that no (mask, example) is ever computed twice, whichever measure asks, and a
killed job goes on where its last part ended. The model is loaded only when something is missing, and how it is computed
is the engine's business.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Bool

from study.engine.pairs import Pairs
from study.record.curves import Curve, keeps_curve, write_curve
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import PLAIN, Loss
from study.record.metrics import Metric
from study.record.scores import StoredRows, mask_scores, read_elsewhere, with_statistics, with_weights
from study.record.setting import Setting
from study.record.store import Store
from study.record.tables import OUTCOMES, Gradients, Table
from study.record.units import HeadLayout, parse_mask, stack
from study.terminal.progress import progress

if TYPE_CHECKING:
    from study.engine.engine import Engine
    from study.subjects.subject import TokenRow

log = logging.getLogger(__name__)

SECONDS_BETWEEN_PARTS = 20.0
"""A killed job loses what it computed since the last part, and the blocks at hand."""


class Evaluator:
    """Answers what a subject makes of examples under masks.

    Attributes:
        layout: units of the subject.
        metric: score of its outcomes.
        examples: the view of the data set that is evaluated.
        whole: the view of which `examples` is the share of this job; orders of heads are of all of it.
        store: where outcomes are kept.
        computed: how many rows it has computed itself.
        when_stored: called whenever new rows are stored.
    """

    def __init__(
        self,
        store: Store,
        setting: Setting,
        examples: Examples,
        load: "Callable[[], Engine]",
        *,
        provenance: dict[str, Any],
        whole: Examples | None = None,
        max_unknown: float = 1.0,
        prove: "Callable[[Engine, Sequence[TokenRow]], None] | None" = None,
    ) -> None:
        """Make an evaluator of one setting.

        Args:
            store: where outcomes are kept.
            setting: what they are computed with.
            examples: those to evaluate, all or some of the setting's.
            load: gives the engine of the certified subject; called when something is missing.
            provenance: what should be known of the rows that this process writes.
            whole: all of which `examples` are a share; None where they are all.
            max_unknown: largest share of their tokens that the model may not know.
            prove: called with the engine and the examples as the model reads them, before anything is computed.
        """
        self.layout: HeadLayout = store.layout
        self.metric: Metric = setting.scoring
        self.examples = examples
        self.whole = examples if whole is None else whole
        self.setting = setting
        self.computed = 0
        self.when_stored: Callable[[], None] = lambda: None
        self.store = store
        self._load = load
        self._provenance = provenance
        self._max_unknown = max_unknown
        self._prove = prove

    @cached_property
    def engine(self) -> "Engine":
        """What computes, with the loaded and certified model."""
        return self._load()

    @cached_property
    def encoded(self) -> "list[TokenRow]":
        """The examples as the model reads them; what is refused does not depend on how many share the work.

        Raises:
            InputError: when the examples, those of other shares too, do not fit the model.
        """
        rows = {row.example: row for row in self.engine.subject.encode(self.whole, self._max_unknown)}
        return [rows[name] for name in self.examples.ids]

    def outcomes(self, masks: Bool[np.ndarray, "M H"]) -> pl.DataFrame:
        """Outcome rows of these masks on all examples, computing those that are not stored.

        Args:
            masks: boolean rows in the order of `layout.heads`, then `layout.mlps`; False turns a unit off.

        Returns:
            One row for each mask and example: `mask`, `example`, the metric's statistics, `margin`, and others;
            `weight` where the examples have weights.
        """
        return with_statistics(self._rows(masks, OUTCOMES), self.examples.to_frame(), self.metric)

    def gradients(self, masks: Bool[np.ndarray, "M H"], loss: Loss = PLAIN) -> pl.DataFrame:
        """Gradient rows of these masks on all examples, computing those that are not stored.

        Args:
            masks: as of `outcomes`; usually the full mask alone.
            loss: what is differentiated.

        Returns:
            One row for each mask and example: `mask`, `example`, `loss` (nats), and two arrays with a number for each
            column of a mask: `gradient`, the signed dL(x)/dxi_h, and `token_gradient`, the sum over tokens of
            |Att_h,t . dL/dAtt_h,t|; `source_tokens` and `target_tokens`.
        """
        return self._rows(masks, Gradients(loss))

    def _rows(self, masks: Bool[np.ndarray, "M H"], table: Table) -> pl.DataFrame:
        if masks.dtype != bool or masks.ndim != 2 or masks.shape[1] != self.layout.width:
            raise InputError(
                f"masks must be boolean, of shape [masks, {self.layout.width}]: got {masks.dtype} {masks.shape}"
            )
        keys = list(dict.fromkeys(self.layout.key(mask) for mask in masks))
        if missing := self.remaining(keys, table):
            self._compute(missing, table)
        wanted = self._wanted(keys)
        return wanted.join(self.store.read(table).rows, on=["mask", "example"], how="inner", maintain_order="left")

    def stored(self, loss: Loss = PLAIN) -> StoredRows:
        """What is stored of the whole view by now, gradients of one loss; computes nothing."""
        tables, known = (OUTCOMES, Gradients(loss)), self.whole.to_frame()
        outcomes, gradients = (with_weights(self.store.read(table).rows, known) for table in tables)
        outcomes = with_statistics(outcomes, known, self.metric)
        return StoredRows(self.setting.data, self.layout, self.metric, self.whole.ids, loss, outcomes, gradients)

    def stored_elsewhere(self, data: str, table: Table, loss: Loss = PLAIN) -> StoredRows | None:
        """What is stored of this subject on other data, see `read_elsewhere`; None where nothing is."""
        return read_elsewhere(self.store.folder.parent.parent, data, self.setting, table, loss)

    def keep(self, curve: Curve) -> None:
        """Write which masks form a pruning curve, beside the rows."""
        write_curve(curve, self.store.folder)

    def keeps(self, curve: Curve) -> bool:
        """Whether this curve is written already."""
        return keeps_curve(curve, self.store.folder)

    def base_score(self) -> float:
        """Score under the full mask, in the metric's unit."""
        return float(mask_scores(self.outcomes(self.layout.full()[None]), self.metric)["score"][0])

    def remaining(self, keys: Sequence[str], table: Table = OUTCOMES) -> dict[str, list[int]]:
        """Which examples (by position) each of these masks still lacks; masks that lack none are left out."""
        stored = self.store.read(table).rows.select("mask", "example")
        wanted = self._wanted(keys).join(stored, on=["mask", "example"], how="anti", maintain_order="left")
        return {str(mask): rows["position"].to_list() for (mask,), rows in wanted.group_by("mask", maintain_order=True)}

    def _wanted(self, keys: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"mask": list(keys)}, schema={"mask": pl.String}).join(self._positions, how="cross")

    @cached_property
    def _positions(self) -> pl.DataFrame:
        rows = pl.DataFrame({"example": self.examples.ids}).with_row_index("position")
        return with_weights(rows, self.examples.to_frame())

    def _compute(self, missing: dict[str, list[int]], table: Table) -> None:
        """Compute and store; what is done is written also when something goes wrong."""
        encoded = self.encoded  # loads the model and checks every example before the work starts
        if self._prove is not None:
            self._prove(self.engine, encoded)
        keys, examples = np.array(list(missing)), np.array(self.examples.ids)
        masks = stack([parse_mask(key, self.layout) for key in missing], self.layout)
        wanted = np.zeros((len(masks), len(encoded)), dtype=bool)
        for row, positions in zip(wanted, missing.values(), strict=True):
            row[positions] = True
        pending: list[pl.DataFrame] = []
        since = time.monotonic()
        name = f"{self.setting.model} on {self.setting.data}"
        with progress(name, int(wanted.sum()), "rows") as advance:
            try:
                for block in self.engine.run(encoded, Pairs(masks, wanted), table):
                    where = {"mask": keys[block.masks], "example": examples[block.examples]}
                    pending.append(pl.DataFrame({**where, **block.columns}))
                    self.computed += len(block.masks)
                    advance(len(block.masks))
                    if time.monotonic() - since > SECONDS_BETWEEN_PARTS:
                        since = self._write(pending, since, table)
            finally:
                self._write(pending, since, table)

    def _write(self, pending: list[pl.DataFrame], since: float, table: Table) -> float:
        """Write what is pending as a part; the time from which the next one counts."""
        now = time.monotonic()
        if pending:
            rows = pl.concat(pending)
            here = {"device": str(self.engine.subject.device), "engine": self.engine.name}
            cost = {"seconds": round(now - since, 3), "rows": rows.height}
            self.store.write(rows, {**self._provenance, **here, **cost}, table)
            pending.clear()
            self.when_stored()
        return now
