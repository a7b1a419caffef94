"""The evaluator: outcomes of any set of masks, each computed once.

It fills the store and reads from it, so that no (mask, example) is ever computed twice, whichever measure asks, and a
killed job goes on where its last part ended. The model is loaded only when something is missing.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Bool

from study.data.examples import Examples
from study.errors import InputError
from study.heads import HeadLayout, mask_key, parse_mask
from study.progress import progress
from study.setting import Setting
from study.statistics import Metric, metric
from study.store import Store

if TYPE_CHECKING:
    from study.subjects.subject import Encoded, Subject

log = logging.getLogger(__name__)

SECONDS_BETWEEN_PARTS = 20.0
"""Most work that a killed job loses."""


class Evaluator:
    """Answers what a subject makes of examples under masks.

    Attributes:
        layout: heads of the subject.
        metric: score of its outcomes.
        examples: the view of the data set that is evaluated.
    """

    def __init__(
        self,
        store: Store,
        setting: Setting,
        examples: Examples,
        load: "Callable[[], Subject]",
        *,
        batch_tokens: int,
        provenance: dict[str, Any],
    ) -> None:
        """Make an evaluator of one setting.

        Args:
            store: where outcomes are kept.
            setting: what they are computed with.
            examples: those to evaluate, all or some of the setting's.
            load: gives the certified subject; called when an outcome is missing.
            batch_tokens: most tokens in a forward pass, padding included. Changes speed and memory, no outcome.
            provenance: what should be known of the rows that this process writes.
        """
        self.layout: HeadLayout = store.layout
        self.metric: Metric = metric(setting.metric)
        self.examples = examples
        self.setting = setting
        self._store = store
        self._load = load
        self._batch_tokens = batch_tokens
        self._provenance = provenance

    @cached_property
    def subject(self) -> "Subject":
        """The loaded and certified model."""
        return self._load()

    @cached_property
    def _encoded(self) -> "list[Encoded]":
        return self.subject.encode(self.examples)

    def outcomes(self, masks: Bool[np.ndarray, "masks heads"]) -> pl.DataFrame:
        """Outcome rows of these masks on all examples, computing those that are not stored.

        Args:
            masks: boolean rows in the order of `layout.heads`; False turns a head off.

        Returns:
            One row for each mask and example: `mask`, `example`, the metric's statistics, `margin`, and others.
        """
        if masks.dtype != bool or masks.ndim != 2 or masks.shape[1] != len(self.layout):
            raise InputError(
                f"masks must be boolean, of shape [masks, {len(self.layout)}]: got {masks.dtype} {masks.shape}"
            )
        keys = list(dict.fromkeys(mask_key(mask) for mask in masks))
        missing = self.remaining(keys)
        if missing:
            self._compute(missing)
        wanted = self._wanted(keys)
        return wanted.join(self._store.read().rows, on=["mask", "example"], how="inner", maintain_order="left")

    def base_score(self) -> float:
        """Score under the full mask, in the metric's unit."""
        rows = self.outcomes(self.layout.full()[None])
        return float(self.metric.score(rows.select(self.metric.statistics).sum().to_numpy()[0]))

    def remaining(self, keys: Sequence[str]) -> dict[str, list[int]]:
        """Which examples (by position) each of these masks still lacks; masks that lack none are left out."""
        stored = self._store.read().rows.select("mask", "example")
        wanted = self._wanted(keys).join(stored, on=["mask", "example"], how="anti", maintain_order="left")
        return {str(mask): rows["position"].to_list() for (mask,), rows in wanted.group_by("mask", maintain_order=True)}

    def _wanted(self, keys: Sequence[str]) -> pl.DataFrame:
        masks = pl.DataFrame({"mask": list(keys)}, schema={"mask": pl.String})
        return masks.join(self._positions, how="cross")

    @cached_property
    def _positions(self) -> pl.DataFrame:
        return pl.DataFrame({"example": self.examples.ids}).with_row_index("position")

    def _compute(self, missing: dict[str, list[int]]) -> None:
        """Evaluate and store; what is done is written also when something goes wrong."""
        encoded = self._encoded  # loads the model and checks every example before the work starts
        pending: list[pl.DataFrame] = []
        since = time.monotonic()
        total = sum(map(len, missing.values()))
        name = f"{self.setting.model} on {self.setting.data}"
        with progress(name, total, "outcomes (masks × examples)") as advance:
            try:
                for key, positions in missing.items():
                    mask = parse_mask(key, self.layout)
                    for batch in self._batches([encoded[i] for i in positions]):
                        pending.append(self._batch_outcomes(key, mask, batch))
                        advance(len(batch))
                        if time.monotonic() - since > SECONDS_BETWEEN_PARTS:
                            since = self._write(pending, since)
            finally:
                self._write(pending, since)

    def _batches(self, rows: "Sequence[Encoded]") -> "Iterator[list[Encoded]]":
        """Examples of like length together, as many as `batch_tokens` allows, padding counted."""
        batch: list[Encoded] = []
        for row in sorted(rows, key=lambda row: row.cost):
            if batch and row.cost * (len(batch) + 1) > self._batch_tokens:
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _batch_outcomes(self, key: str, mask: Bool[np.ndarray, " heads"], batch: "list[Encoded]") -> pl.DataFrame:
        columns = self.subject.outcomes(batch, np.tile(mask, (len(batch), 1)))
        return pl.DataFrame({"mask": [key] * len(batch), "example": [row.example for row in batch], **columns})

    def _write(self, pending: list[pl.DataFrame], since: float) -> float:
        """Write what is pending as a part; the time from which the next one counts."""
        now = time.monotonic()
        if pending:
            rows = pl.concat(pending)
            here = {"device": str(self.subject.device), "batch_tokens": self._batch_tokens}
            cost = {"seconds": round(now - since, 3), "rows": rows.height}
            self._store.write(rows, {**self._provenance, **here, **cost})
            pending.clear()
        return now
