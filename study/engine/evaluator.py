"""The evaluator: outcomes and gradients of any set of masks, each computed once.

It fills the store and reads from it, so that no (mask, example) is ever computed twice, whichever measure asks, and a
killed job goes on where its last part ended. The model is loaded only when something is missing, and how it is computed
is the engine's business.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Bool

from study.engine.pairs import Pairs, TableRequest
from study.record.cascade import Thresholds
from study.record.chance import chance
from study.record.curves import Curve, keeps_curve, read_curves, write_curve
from study.record.designs import Design, write_design
from study.record.designs.files import keeps_design, kept_design
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.loss import PLAIN, Loss
from study.record.metrics import Metric
from study.record.reading.ledger import Ledger
from study.record.reading.mask_sums import RunningSums, is_summable
from study.record.scores import StoredRows, mask_scores, read_elsewhere, with_statistics, with_weights
from study.record.setting import SETTING_FILE, Setting, read_setting
from study.record.store import Store
from study.record.tables import OUTCOMES, Gradients, Observation, Table
from study.record.training.gates import GatesRecord
from study.record.units import HeadLayout, parse_mask, stack
from study.terminal.progress import progress

if TYPE_CHECKING:
    from study.engine.blocks import BlockResult
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
        gates: gives what the gates of the subject's training have become.
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
        prove: "Callable[[Engine, Sequence[TokenRow], Sequence[Table]], None] | None" = None,
        gates: Callable[[], GatesRecord] | None = None,
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
            prove: called with the engine, the examples as the model reads them and the tables, before anything of these
                is computed.
            gates: gives what the gates of the subject's training have become; None where it had none.
        """
        self.layout: HeadLayout = store.layout
        self.metric: Metric = setting.scoring
        self.examples = examples
        self.whole = examples if whole is None else whole
        self.setting = setting
        self.computed = 0
        self.when_stored: Callable[[], None] = lambda: None
        self.gates: Callable[[], GatesRecord] = gates or _no_gates
        self.store = store
        self._load = load
        self._provenance = provenance
        self._max_unknown = max_unknown
        self._prove = prove
        self._ledgers: dict[Table, Ledger] = {}
        self._sums: dict[tuple[str, tuple[str, ...], tuple[str, ...] | None], RunningSums] = {}

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
        texts = zip(self.examples.ids, self.examples.texts, strict=True)
        return [replace(rows[name], texts=own) for name, own in texts]

    def encoded_for(self, tables: Sequence[Table]) -> "list[TokenRow]":
        """The examples as the model reads them, with their words where some table takes these."""
        if not any(isinstance(table, Observation) and table.reads_words for table in tables):
            return self.encoded
        return [replace(row, words=own) for row, own in zip(self.encoded, self.examples.words(), strict=True)]

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
        self.require([TableRequest(table, masks)])
        keys = self.keys(masks)
        wanted = self._wanted(keys)
        rows = self.store.read_masks(keys, table)
        return wanted.join(rows, on=["mask", "example"], how="inner", maintain_order="left")

    def require(self, requests: Sequence[TableRequest]) -> None:
        """Compute and store what is missing of some rows; all that is seen of attention in one pass."""
        for tables, missing in self.together(requests):
            self._compute(missing, tables)

    def exactly(self, wanted: pl.DataFrame) -> None:
        """Compute outcomes exactly and store them, drafts or not: of pairs of mask (by key) and example of this job."""
        if missing := self._places(wanted):
            self._compute(missing, (OUTCOMES,), exactly=True)

    def raise_thresholds(self, wrong: pl.DataFrame, least: Thresholds) -> None:
        """Let thresholds rise by drafts that were found wrong, and store them with the exact rows of these.

        Args:
            wrong: their masks (by key) and examples.
            least: how far they rise at least.
        """
        missing = self._places(wrong)
        self.engine.raise_thresholds(self.encoded, self._pairs(missing), least)
        rows = self.store.read(OUTCOMES).rows.join(wrong.select("mask", "example"), on=["mask", "example"], how="semi")
        known = {**self._provenance, "seconds": 0.0, "rows": rows.height}
        self.store.write(rows, known, OUTCOMES, list(missing), self.engine.thresholds)

    def _places(self, wanted: pl.DataFrame) -> dict[str, list[int]]:
        """Pairs of mask and example as `remaining` has them."""
        places = wanted.join(self._positions, on="example").group_by("mask", maintain_order=True)
        return {str(key): rows["position"].to_list() for (key,), rows in places}

    def _pairs(self, wanted: dict[str, list[int]]) -> Pairs:
        """The pairs of masks by key and positions of examples."""
        masks = stack([parse_mask(key, self.layout) for key in wanted], self.layout)
        chosen = np.zeros((len(masks), len(self.examples)), dtype=bool)
        for row, positions in zip(chosen, wanted.values(), strict=True):
            row[positions] = True
        return Pairs(masks, chosen)

    def together(self, requests: Sequence[TableRequest]) -> list[tuple[tuple[Table, ...], dict[str, list[int]]]]:
        """The tables that lack rows, those together that one pass gives, and what they lack, as `remaining` has it.

        What several requests lack of a table is in the first of them alone.
        """
        groups: list[tuple[list[Table], dict[str, list[int]]]] = []
        for request in requests:
            before = [own for tables, own in groups if request.table in tables]
            if missing := _besides(self.lacking(request), before):
                is_seen = isinstance(request.table, Observation)
                beside = (group for group in groups if is_seen and isinstance(group[0][0], Observation))
                tables = next((tables for tables, own in beside if own == missing), None)
                if tables is None:
                    groups.append(([request.table], missing))
                else:
                    tables.append(request.table)
        return [(tuple(tables), missing) for tables, missing in groups]

    def lacking(self, request: TableRequest) -> dict[str, list[int]]:
        """What is not stored of the rows requested, as `remaining` has it."""
        return self.remaining(self.keys(request.masks), request.table, request.examples)

    def needed(self, request: TableRequest) -> int:
        """How many rows are requested, stored or not, of the examples of this job."""
        return len(self.keys(request.masks)) * self.number_of(request)

    def number_of(self, request: TableRequest) -> int:
        """How many examples of this job a request is of."""
        return len(self.examples) if request.examples is None else len(set(request.examples) & set(self.examples.ids))

    def keys(self, masks: Bool[np.ndarray, "M H"]) -> list[str]:
        """The distinct masks, by key."""
        return list(dict.fromkeys(map(self.layout.key, masks)))

    def stored(self, loss: Loss = PLAIN) -> StoredRows:
        """What is stored of the whole view by now, gradients of one loss; computes nothing."""
        known, place = self.whole.to_frame(), (self.setting.data, self.layout, self.metric)

        def read(table: Table) -> pl.DataFrame:
            rows = with_weights(self.store.read(table).rows, known)
            return with_statistics(rows, known, self.metric) if table == OUTCOMES else rows

        summed = self._scores_on if is_summable(self.metric, known) else None
        return StoredRows(*place, self.whole.ids, loss, self.store.columns, read, summed)

    def scores(self, masks: Bool[np.ndarray, "M H"]) -> dict[str, float]:
        """The score of each of these masks, by key, on all examples of this job that are stored; computes nothing."""
        if is_summable(self.metric, self.examples.to_frame()):
            known = {key: score for key, (_, score) in self._scores_on(self.examples.ids, self.keys(masks)).items()}
        else:
            known = dict(mask_scores(self.outcomes(masks), self.metric).select("mask", "score").iter_rows())
        return {key: known[key] for key in self.keys(masks) if key in known}

    def _scores_on(self, examples: Sequence[str], masks: Sequence[str] | None = None) -> dict[str, tuple[int, float]]:
        """How many of some examples each mask has, and its score on these; all masks must have one, or those named."""
        found = self.sums(self.metric, examples)
        found.require(found.number if masks is None else masks)
        scores = self.metric.score(found.known()[:, 0].astype(np.int64)).tolist()
        return dict(zip(found.number, zip(found.counts().tolist(), scores, strict=True), strict=True))

    def sums(self, metric: Metric, examples: Sequence[str], groups: Sequence[str] | None = None) -> RunningSums:
        """The statistics of a metric summed over groups of examples, of every mask that is stored; computes nothing.

        What was summed before is not read again.

        Args:
            metric: an additive one.
            examples: ids of the examples.
            groups: the name of the group of each; one of all when None.

        Raises:
            InputError: when the sums of these examples cannot be taken. That outcomes of a mask cannot be counted, the
                method `require` of what is returned says.
        """
        asked = metric.name, tuple(examples), None if groups is None else tuple(groups)
        if asked not in self._sums:
            every, ids = self.store.examples, pl.DataFrame({"example": list(examples)})
            known = ids.join(every, on="example", how="left", maintain_order="left")
            numbers = None if groups is None else np.unique(np.array(groups), return_inverse=True)[1]
            place = self.store.folder, metric, known, self.layout, every["example"], numbers, self.setting.tolerance
            self._sums[asked] = RunningSums(*place)
        self._sums[asked].update()
        return self._sums[asked]

    def stored_elsewhere(self, data: str, table: Table, loss: Loss = PLAIN) -> StoredRows | None:
        """What is stored of this subject on other data, see `read_elsewhere`; None where nothing is."""
        return read_elsewhere(self.store.folder.parent.parent, data, self.setting, table, loss)

    def curves(self, data: str) -> list[Curve]:
        """The pruning curves of this model and replacement that are stored on data of a name, however it is scored."""
        folders = [path.parent for path in sorted((self.store.folder.parent.parent / data).glob(f"*/{SETTING_FILE}"))]
        return [curve for folder in folders if self._masks_as(folder) for curve in read_curves(folder)[0]]

    def _masks_as(self, folder: Path) -> bool:
        """Whether a folder is of the same model, with the same in the place of masked units."""
        other = read_setting(folder)
        return (other.model_id, other.stands_in) == (self.setting.model_id, self.setting.stands_in)

    def keep(self, curve: Curve) -> None:
        """Write which masks form a pruning curve, beside the rows."""
        write_curve(curve, self.store.folder)

    def keeps(self, curve: Curve) -> bool:
        """Whether this curve is written already."""
        return keeps_curve(curve, self.store.folder)

    def keep_design(self, design: Design) -> None:
        """Write what masks mean together, beside the rows."""
        write_design(design, self.store.folder)

    def keeps_design(self, design: Design) -> bool:
        """Whether this design, or a longer one that begins with it, is written already."""
        return keeps_design(design, self.store.folder)

    def kept_design(self, design: Design) -> Design | None:
        """What is written under the name of this design, as far as any job has let it grow; None where nothing is."""
        return kept_design(design, self.store.folder)

    def base_score(self) -> float:
        """Score under the full mask, in the metric's unit."""
        return float(mask_scores(self.outcomes(self.layout.full()[None]), self.metric)["score"][0])

    def chance(self) -> float | None:
        """What answers that know nothing of their inputs would score, see `study.record.chance`."""
        return chance(self.outcomes(self.layout.full()[None]), self.examples.to_frame(), self.metric)

    def remaining(
        self, keys: Sequence[str], table: Table = OUTCOMES, examples: Sequence[str] | None = None
    ) -> dict[str, list[int]]:
        """Which examples (by position) each of these masks still lacks; masks that lack none are left out.

        Args:
            keys: masks by key.
            table: the rows that they lack.
            examples: ids of those that count, others than those of this job may be among them; None: all of this job.
        """
        own = self._positions
        if examples is not None:
            own = own.filter(pl.col("example").is_in(list(examples)))
        every, ledger = own["position"].to_list(), self._ledger(table)
        at, found = own["position"].to_numpy(), {}
        for key, lacks in ledger.lacking(list(dict.fromkeys(keys)), own["example"].to_list()):
            found[key] = every if lacks.all() else at[lacks].tolist()
        return found

    def _ledger(self, table: Table) -> Ledger:
        """Which rows of a table are stored by now, by this process or another."""
        if table not in self._ledgers:
            ids = self.store.examples["example"]
            self._ledgers[table] = Ledger(
                self.store.folder, ids.to_list(), self.layout, ids, table, self.setting.tolerance
            )
        self._ledgers[table].update()
        return self._ledgers[table]

    def _wanted(self, keys: Sequence[str]) -> pl.DataFrame:
        return pl.DataFrame({"mask": list(keys)}, schema={"mask": pl.String}).join(self._positions, how="cross")

    @cached_property
    def _positions(self) -> pl.DataFrame:
        rows = pl.DataFrame({"example": self.examples.ids}).with_row_index("position")
        return with_weights(rows, self.examples.to_frame())

    def _compute(self, missing: dict[str, list[int]], tables: Sequence[Table], *, exactly: bool = False) -> None:
        """Compute and store; what is done is written also when something goes wrong."""
        encoded = self.encoded_for(tables)  # loads the model and checks every example before the work starts
        if self._prove is not None:
            self._prove(self.engine, encoded, tables)
        keys, examples = np.array(list(missing)), np.array(self.examples.ids)
        pairs = self._pairs(missing)
        pending: dict[Table, list[pl.DataFrame]] = {table: [] for table in tables}
        since = time.monotonic()
        name = f"{self.setting.model} on {self.setting.data}"
        with progress(name, len(pairs) * len(tables), "rows") as advance:
            try:
                for results in self._results(encoded, pairs, tables, exactly=exactly):
                    for table, block in results.items():
                        where = {"mask": keys[block.masks], "example": examples[block.examples]}
                        rows = pl.DataFrame({**where, **block.columns}, schema_overrides=table.types)
                        pending[table].append(rows)
                        self.computed += len(block.masks)
                        advance(len(block.masks))
                    if time.monotonic() - since > SECONDS_BETWEEN_PARTS:
                        since = self._write(pending, since, list(missing))
            finally:
                self._write(pending, since, list(missing))

    def _results(
        self, encoded: "Sequence[TokenRow]", pairs: Pairs, tables: Sequence[Table], *, exactly: bool
    ) -> "Iterator[Mapping[Table, BlockResult]]":
        """The rows of pairs, block by block; a decision whose stored draft does not stand is computed exactly.

        Drafted again, it might be taken by another last digit here, and be left open by whoever reads both drafts.
        """
        exact = np.full_like(pairs.wanted, exactly)
        if self.engine.has_stages:
            self.engine.learn(self.store.thresholds)
            exact |= self._is_drafted(pairs.masks)
        if (opened := pairs.wanted & exact).any():
            yield from self.engine.run_exactly(encoded, Pairs(pairs.masks, opened), tables)
        if (rest := pairs.wanted & ~exact).any():
            yield from self.engine.run_together(encoded, Pairs(pairs.masks, rest), tables)

    def _is_drafted(self, masks: Bool[np.ndarray, "M H"]) -> Bool[np.ndarray, "M E"]:
        """Which outcomes of this job have a draft that is stored, whether it stands or not."""
        keys = list(map(self.layout.key, masks))
        places = self._places(self.store.drafts().select("mask", "example").filter(pl.col("mask").is_in(keys)))
        found = np.zeros((len(masks), len(self.examples)), dtype=bool)
        for row, key in zip(found, keys, strict=True):
            row[places.get(key, [])] = True
        return found

    def _write(self, pending: dict[Table, list[pl.DataFrame]], since: float, together: Sequence[str]) -> float:
        """Write what is pending, a part for each table; the time from which the next ones count."""
        now = time.monotonic()
        for table, frames in pending.items():
            if frames:
                rows = pl.concat(frames)
                here = {"device": str(self.engine.subject.device), "engine": self.engine.name}
                cost = {"seconds": round((now - since) / len(pending), 3), "rows": rows.height}
                known = {**self._provenance, **here, **cost}
                self.store.write(rows, known, table, together, self.engine.thresholds)
                frames.clear()
                self.when_stored()
        return now


def _no_gates() -> GatesRecord:
    raise InputError("nothing is known of the gates of this model")


def _besides(missing: dict[str, list[int]], others: Sequence[dict[str, list[int]]]) -> dict[str, list[int]]:
    """What is missing, as `Evaluator.remaining` has it, and is not among others."""
    for other in others:
        there = {key: set(other.get(key, ())) for key in missing}
        left = {key: [place for place in places if place not in there[key]] for key, places in missing.items()}
        missing = {key: places for key, places in left.items() if places}
    return missing
