"""Sums of a metric's statistics, taken while part after part is read: of each mask, or of each mask and group.

What is kept is a number for each mask, group and statistic, as narrow as it may be, and a bit for each mask and example
that was seen. A mask with an outcome that the metric cannot count, such as an infinite margin, is refused when it is
asked for, and no other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int

from study.record.errors import InputError
from study.record.examples import GROUP, WEIGHT, Examples
from study.record.metrics import Metric
from study.record.parts import require_whole
from study.record.reading.ledger import Ledger, Numbers
from study.record.reading.numbered_part import Part
from study.record.scores import counted, with_statistics
from study.record.setting import TOLERANCE, read_setting
from study.record.store import read_examples
from study.record.tables import KEYS
from study.record.units import HeadLayout

NARROW = (np.int16, np.int32, np.int64)
"""Types of sums: single examples have small ones."""


@dataclass(frozen=True)
class MaskSums:
    """What was stored of some masks.

    Attributes:
        masks: the masks, by key.
        counts: how many examples each has.
        sums: the metric's statistics, in its order, summed over the examples of each group.
        close_calls: rows stored more than once that differ where it was close.
    """

    masks: tuple[str, ...]
    counts: Int[np.ndarray, " masks"]
    sums: Int[np.ndarray, "masks groups statistics"]
    close_calls: int = 0


def is_summable(metric: Metric, examples: pl.DataFrame) -> bool:
    """Whether scores of these examples follow from sums that are taken while reading: they have no weights."""
    return metric.is_additive and WEIGHT not in examples.columns


class RunningSums(Ledger):
    """Sums that grow with each part.

    Attributes:
        metric: the metric that has the statistics.
        sums: the sums of each mask, by number, and of each group; rooms for masks to come are among them.
    """

    def __init__(
        self,
        folder: Path,
        metric: Metric,
        examples: pl.DataFrame,
        layout: HeadLayout,
        stored: pl.Series,
        groups: Int[np.ndarray, " examples"] | None = None,
        within: float = TOLERANCE,
    ) -> None:
        """Nothing is read yet.

        Args:
            folder: the setting's.
            metric: the metric that has the statistics; an additive one.
            examples: those that count, with the columns that the metric scores by.
            layout: the units of the model.
            stored: ids of all examples of the setting, in the order of its file.
            groups: the number of the group of each of them, from 0; one group of all when None.
            within: the tolerance of the setting's outcomes.

        Raises:
            InputError: for examples with weights, and a metric that no sums give.
        """
        if not is_summable(metric, examples):
            raise InputError(f"{metric.label} of these examples cannot be summed while reading: read their rows")
        self.metric, self._known = metric, examples
        self.columns = (*KEYS, *metric.statistics, *metric.reads)
        self._groups = np.zeros(examples.height, dtype=np.int64) if groups is None else groups.astype(np.int64)
        super().__init__(folder, examples["example"].to_list(), layout, stored, within=within)

    def _clear(self) -> None:
        super()._clear()
        width = int(self._groups.max(initial=-1)) + 1
        self.sums = np.zeros((0, width, len(self.metric.statistics)), dtype=NARROW[0])
        self._most = int(np.bincount(self._groups).max(initial=0))
        self._flaws: dict[int, str] = {}

    def known(self) -> Int[np.ndarray, "masks groups statistics"]:
        """The sums of all masks so far, by number."""
        return self.sums[: len(self.number)]

    def require(self, masks: Iterable[str]) -> None:
        """Refuse masks, by key, if there are outcomes of one that the metric cannot count; those of others may be.

        Raises:
            InputError: names the first such mask, and the part.
        """
        for mask in masks if self._flaws else ():
            if (flaw := self._flaws.get(self.number.get(mask, -1))) is not None:
                raise InputError(f"{self._folder}: mask {mask} has outcomes without {self.metric.label}: {flaw}")

    def read(self) -> MaskSums:
        """All that is stored by now.

        Raises:
            InputError: where the metric cannot count the outcomes of a mask.
            StoreError: when parts cannot be read or disagree.
        """
        self.update()
        self.require(self.number)
        return MaskSums(tuple(self.number), self.counts(), self.known().astype(np.int64), self.close_calls)

    def _take(self, part: Part, rows: pl.DataFrame, mask: Numbers, example: Numbers) -> None:
        values = self._values(part, rows, mask)
        self._widen(int(np.abs(values).max(initial=0)) * self._most)
        width, statistics = self.sums.shape[1:]
        place = (mask * width + self._groups[example]) * statistics
        for statistic in range(statistics):
            np.add.at(self.sums.reshape(-1), place + statistic, values[:, statistic].astype(self.sums.dtype))

    def _values(self, part: Part, rows: pl.DataFrame, mask: Numbers) -> Int[np.ndarray, "rows statistics"]:
        """The statistics of rows; 0 of a mask that has one which the metric cannot count: why is kept for `require`."""
        try:
            if not set(self.metric.statistics) <= set(rows.columns):
                rows = with_statistics(part.named(rows), self._known, self.metric)
            return rows.select(pl.col(name).cast(pl.Int64) for name in self.metric.statistics).to_numpy()
        except InputError as error:
            values = np.zeros((len(mask), len(self.metric.statistics)), dtype=np.int64)
            lowest, highest = int(mask.min()), int(mask.max())
            if lowest == highest:
                self._flaws.setdefault(lowest, f"{part.name}: {error}" if part.name else str(error))
                return values
            is_lower = mask <= (lowest + highest) // 2
            for half in (is_lower, ~is_lower):
                values[half] = self._values(part, rows.filter(pl.Series(half)), mask[half])
            return values

    def _grow(self, masks: int) -> None:
        super()._grow(masks)
        self.sums = np.pad(self.sums, [(0, masks), (0, 0), (0, 0)])

    def _widen(self, largest: int) -> None:
        """Make the type of the sums hold numbers as large as this."""
        for wide in NARROW:
            if 2 * largest <= np.iinfo(wide).max:  # differences fit too
                self.sums = self.sums.astype(np.promote_types(wide, self.sums.dtype), copy=False)
                return
        raise InputError(f"sums of {self.metric.label} do not fit into 64 bits")


def sums_of_rows(
    rows: pl.DataFrame, examples: Examples, metric: Metric
) -> tuple[dict[str, int], Int[np.ndarray, "masks groups statistics"]]:
    """The number of each mask by key, and its sums over the groups of examples, of rows that are there; with weights.

    Args:
        rows: outcome rows, with weights where examples have any.
        examples: those that count.
        metric: the metric that has the statistics; an additive one.
    """
    numbers = np.unique(np.array(examples.groups), return_inverse=True)[1]
    own = pl.DataFrame({"example": examples.ids, GROUP: numbers})
    rows = with_statistics(rows.drop(GROUP, strict=False).join(own, on="example"), examples.to_frame(), metric)
    masks = rows["mask"].unique(maintain_order=True)
    number = dict(zip(masks, range(len(masks)), strict=True))
    summed = rows.select("mask", GROUP, *counted(rows, metric)).group_by("mask", GROUP).sum()
    sums = np.zeros((len(masks), int(numbers.max()) + 1, len(metric.statistics)), dtype=np.int64)
    at = summed["mask"].replace_strict(number, return_dtype=pl.Int64).to_numpy()
    sums[at, summed[GROUP].to_numpy()] = summed.select(metric.statistics).to_numpy()
    return number, sums


def read_sums(
    folder: Path,
    metric: Metric,
    examples: pl.DataFrame | None = None,
    groups: Int[np.ndarray, " examples"] | None = None,
    within: float = TOLERANCE,
) -> MaskSums:
    """The sums of all outcomes in a setting's folder, whatever form their parts have.

    Args:
        folder: the setting's.
        metric: the metric that has the statistics; an additive one.
        examples: those that count, with the columns that the metric scores by; all when None.
        groups: the number of the group of each of them, from 0; one group of all when None.
        within: the tolerance of the setting's outcomes.

    Raises:
        InputError: for examples with weights, a metric that no sums give, and outcomes that it cannot count.
        StoreError: when parts cannot be read or disagree.
    """
    every = read_examples(folder)
    known = every if examples is None else examples
    layout = read_setting(folder).layout
    sums = RunningSums(folder, metric, known, layout, every["example"], groups, within)
    require_whole(folder, folder.name, metric.columns)
    return sums.read()
