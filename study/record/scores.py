"""Scores of masks, from stored rows alone: the corpus score of each mask, and its mean loss.

Where examples have weights, rows carry them (`with_weights`), and every sum is a weighted one. They are whole numbers
there: sums of these do not depend on the order of rows, so that a mask which changes nothing has an effect of 0.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from study.record.errors import InputError
from study.record.examples import WEIGHT
from study.record.loss import PLAIN, Loss
from study.record.metrics import Metric, metric
from study.record.parts import require_whole
from study.record.setting import SETTING_FILE, Setting, read_setting
from study.record.store import read_examples, read_parts
from study.record.tables import OUTCOMES, Gradients, Table
from study.record.units import HeadLayout

WEIGHT_UNIT = 2**32
"""The largest weight of a data set as a whole number; others are rounded to less than a billionth of it."""

COARSEST = 2**20
"""The least that the largest weight is as a whole number, where statistics are large too."""


def with_weights(rows: pl.DataFrame, examples: pl.DataFrame) -> pl.DataFrame:
    """Rows with the weight of their examples, where these have weights: whole numbers, at most `WEIGHT_UNIT`."""
    if WEIGHT not in examples.columns:
        return rows
    share = pl.col(WEIGHT) / pl.col(WEIGHT).max()
    whole = examples.select("example", (share * WEIGHT_UNIT).round().cast(pl.Int64).clip(1).alias(WEIGHT))
    return rows.join(whole, on="example", how="inner", maintain_order="left")


def counted(rows: pl.DataFrame, metric: Metric) -> list[pl.Expr]:
    """The metric's statistics of rows as they count: times the weight where there is one.

    Raises:
        InputError: when their sums could be too large for an integer of 64 bits, or cannot be weighted.
    """
    if WEIGHT in rows.columns and not metric.is_additive:
        raise InputError(f"{metric.label} is of examples that all count alike, and these have weights")
    unit = _weight_unit(rows, metric)
    statistics = [pl.col(name).cast(pl.Int64) for name in metric.statistics]
    if WEIGHT not in rows.columns:
        return statistics
    weight = pl.col(WEIGHT) if unit == 1 else (pl.col(WEIGHT) / unit).round().cast(pl.Int64).clip(1)
    return [statistic * weight for statistic in statistics]


def _weight_unit(rows: pl.DataFrame, metric: Metric) -> int:
    """The power of two by which weights must be divided for the sums of the statistics to fit into 64 bits.

    Raises:
        InputError: when weights would be rounded to more than a millionth of the largest.
    """
    largest = rows.select(pl.max_horizontal(pl.col(name).abs().max() for name in metric.statistics)).item() or 0
    weight = int(rows[WEIGHT].max() or 1) if WEIGHT in rows.columns else 1  # type: ignore[arg-type] whole numbers
    most = rows.group_by("mask").len()["len"].max() or 0
    unit = 1
    while int(largest) * -(-weight // unit) * int(most) >= 2**63:  # type: ignore[arg-type]
        unit *= 2
        if weight // unit < COARSEST:
            raise InputError(
                f"the sums of {metric.label} over {most:,} examples would not fit into 64 bits: take fewer by "
                f"data.limit, numbers on a smaller scale, or data without weights"
            )
    return unit


Count = Callable[[pl.DataFrame], Int[np.ndarray, "rows statistics"]]
"""Counts the statistics of rows, as `Metric.count`."""


def with_statistics(
    rows: pl.DataFrame, examples: pl.DataFrame, metric: Metric, count: Count | None = None
) -> pl.DataFrame:
    """Outcome rows with the metric's statistics; where answers are repeated, each distinct one is counted once.

    Args:
        rows: outcome rows.
        examples: column example, and those that the metric scores answers by.
        metric: metric that has the statistics.
        count: takes the place of the metric's own, to show how far it is.

    Raises:
        InputError: when the rows hold no answers that it can score.
    """
    statistics, count = list(metric.statistics), count or metric.count
    if set(statistics) <= set(rows.columns):
        return rows
    if rows.is_empty():  # as a part is none of whose rows stand
        return rows.with_columns(pl.lit(0, pl.Int64).alias(name) for name in statistics)
    if lacking := [name for name in metric.reads if name not in rows.columns]:
        cure = f": {metric.needs}" if metric.needs else ""
        raise InputError(f"{metric.label} scores the column {lacking[0]}, which these outcomes do not hold{cure}")
    if lacking := [name for name in metric.example_columns if name not in examples.columns]:
        raise InputError(f"{metric.label} needs the {lacking[0]} of the examples, which are not stored with them")
    beside = list(metric.example_columns)
    known = rows
    if beside:
        known = rows.join(examples.select("example", *beside), on="example", how="left", maintain_order="left")
    if not metric.is_repeated:
        return rows.hstack(pl.DataFrame(count(known), schema=statistics))
    keys = [*beside, *metric.reads]
    answers = known.select(keys).unique(maintain_order=True).sort(beside, maintain_order=True)
    counted = answers.hstack(pl.DataFrame(count(answers), schema=statistics))
    return known.join(counted, on=keys, how="left", maintain_order="left").drop(beside)


def mask_scores(rows: pl.DataFrame, metric: Metric) -> pl.DataFrame:
    """The score of every mask in outcome rows with statistics: columns mask, n (examples), score."""
    if not metric.is_additive:
        return _scores_of_rows(rows, metric)
    sums = rows.group_by("mask", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("n"), *(statistic.sum() for statistic in counted(rows, metric))
    )
    return sums.select("mask", "n", score=pl.Series(metric.score(sums.select(metric.statistics).to_numpy())))


def _scores_of_rows(rows: pl.DataFrame, metric: Metric) -> pl.DataFrame:
    """The scores of a metric that no sums give."""
    counted(rows, metric)
    scored = []
    for (mask,), own in rows.group_by("mask", maintain_order=True):
        statistics, once = own.select(metric.statistics).to_numpy(), np.ones((1, own.height), dtype=np.int64)
        scored.append((mask, own.height, float(metric.score_rows(statistics[None], once)[0, 0])))
    return pl.DataFrame(scored, schema={"mask": pl.String, "n": pl.Int64, "score": pl.Float64}, orient="row")


def mask_losses(rows: pl.DataFrame) -> dict[str, float]:
    """The mean loss of every mask in rows (nats an example)."""
    loss, weight = pl.col("loss").cast(pl.Float64), pl.col(WEIGHT)
    mean = (loss * weight).sum() / weight.sum() if WEIGHT in rows.columns else loss.mean()
    return dict(rows.group_by("mask").agg(mean).iter_rows())


@dataclass(frozen=True)
class StoredRows:
    """What is stored of one setting on some of its examples: answers without computing anything.

    Attributes:
        name: name of the data, for messages.
        layout: the units of the model.
        metric: the score of its outcomes.
        examples: ids of the examples that every answer is of.
        loss: the loss that was differentiated.
        columns: columns of the outcome rows; none where none is stored.
        read: reads the rows of a table, of any masks and examples, with weights where there are any; of outcomes with
            statistics.
        summed: the number of the examples and the score of every mask on some examples, where sums give these without
            that all rows are read; None where they do not.
    """

    name: str
    layout: HeadLayout
    metric: Metric
    examples: Sequence[str]
    loss: Loss
    columns: Collection[str]
    read: Callable[[Table], pl.DataFrame]
    summed: Callable[[Sequence[str]], Mapping[str, tuple[int, float]]] | None = None

    @cached_property
    def outcomes(self) -> pl.DataFrame:
        """Outcome rows, all of them."""
        return self.read(OUTCOMES)

    @cached_property
    def gradients(self) -> pl.DataFrame:
        """Gradient rows of the loss."""
        return self.read(Gradients(self.loss))

    def lacks(self, masks: Bool[np.ndarray, "masks heads"], table: Table = OUTCOMES) -> int:
        """How many of these masks have no row on some example."""
        stored = self._scores if table == OUTCOMES else self._gradients
        counts = {mask: known[0] for mask, known in stored.items()}
        return sum(counts.get(self.layout.key(mask), 0) < len(self.examples) for mask in masks)

    def scores(self, masks: Bool[np.ndarray, "masks heads"]) -> Float[np.ndarray, " masks"]:
        """The score of each mask, all of which must be stored."""
        return np.array([self._scores[self.layout.key(mask)][1] for mask in masks], dtype=np.float64)

    @property
    def table_with_losses(self) -> Table:
        """Classifiers store the plain loss with every outcome; any other stands with the gradients alone."""
        return OUTCOMES if self.loss == PLAIN and "loss" in self.columns else Gradients(self.loss)

    def losses(self, masks: Bool[np.ndarray, "masks heads"]) -> Float[np.ndarray, " masks"]:
        """The mean loss of each mask (nats an example), all of which must be stored in `table_with_losses`."""
        means = mask_losses(self._of(self.outcomes if self.table_with_losses == OUTCOMES else self.gradients))
        return np.array([means[self.layout.key(mask)] for mask in masks], dtype=np.float64)

    def gradient_rows(self, mask: Bool[np.ndarray, " heads"]) -> pl.DataFrame:
        """Gradient rows of one mask, which must be stored."""
        return self._of(self.gradients).filter(pl.col("mask") == self.layout.key(mask))

    @cached_property
    def _scores(self) -> Mapping[str, tuple[int, float]]:
        """Number of examples and score of every mask."""
        if self.summed is not None:
            return self.summed(self.examples)
        if self.outcomes.is_empty():
            return {}
        return {mask: (n, score) for mask, n, score in mask_scores(self._of(self.outcomes), self.metric).iter_rows()}

    @cached_property
    def _gradients(self) -> dict[str, tuple[int]]:
        """Number of examples with gradients of every mask."""
        return {mask: (n,) for mask, n in self._of(self.gradients).group_by("mask").len().iter_rows()}

    def _of(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(pl.col("example").is_in(pl.Series(list(self.examples), dtype=pl.String).implode()))


def read_elsewhere(folder: Path, data: str, setting: Setting, table: Table, loss: Loss) -> StoredRows | None:
    """What is stored of a setting's subject on other data; None where nothing is.

    Args:
        folder: results of the model.
        data: name of the data set; `NAME/SETTING_ID` where one name has several.
        setting: a setting of the same subject.
        table: the answers are of the examples that the full mask has in it.
        loss: the loss that was differentiated.

    Raises:
        InputError: when there are several settings of that name.
        StoreError: when files of it cannot be used.
    """
    pattern = f"{data}/{SETTING_FILE}" if "/" in data else f"{data}/*/{SETTING_FILE}"
    settings = {path.parent: read_setting(path.parent) for path in sorted(folder.glob(pattern))}
    found = {path: one for path, one in settings.items() if one.subject_id == setting.subject_id}
    if len(found) > 1:
        names = ", ".join(f"{path.parent.name}/{path.name}" for path in found)
        raise InputError(f"data '{data}' has {len(found)} settings of this model, name one of them: {names}")
    for path, stored in found.items():
        require_whole(path, path.name, metric(stored.metric).columns)
        known, layout, scoring = read_examples(path), stored.layout, stored.scoring
        outcomes = with_weights(read_parts(path, within=stored.tolerance, layout=layout).rows, known)
        outcomes = with_statistics(outcomes, known, scoring)
        gradients = with_weights(read_parts(path, Gradients(loss)).rows, known)
        rows = (outcomes if table == OUTCOMES else gradients).filter(mask=layout.full_key)
        ids, stored = rows["example"].to_list(), {OUTCOMES: outcomes, Gradients(loss): gradients}
        return StoredRows(data, layout, scoring, ids, loss, outcomes.columns, stored.__getitem__)
    return None
