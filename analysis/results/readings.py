"""Readings: settings of which it was measured what heads look at, scored or not.

A reading has rows of attention statistics (`study.record.tables.attention`) for each mask and example; most have the
full mask alone. Which special tokens count is an option that changes numbers, so that a setting may have several.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.results.domain import AUTO, group_column
from analysis.results.groups import GROUP, Groups, group_sums
from analysis.results.sample import EXAMPLE
from study.record.examples import text_columns
from study.record.factors import Factors
from study.record.setting import StoredSetting, read_setting
from study.record.store import read_examples, read_parts
from study.record.tables import Attention, Divergence, Special, Table, stored_tables
from study.record.tables.table import KEYS
from study.record.units import HeadLayout

READING = ("subject", "subject_id", "domain", "setting_id", "special")
"""Columns that say in every table which reading a row is of."""


@dataclass(frozen=True, eq=False)
class HeadSums:
    """Statistics of heads as sums over groups of examples.

    Attributes:
        columns: sums by name, `[groups, heads]`, or `[groups, heads, offsets]` of the offsets of the largest weight.
        sizes: number of examples of each group.
        unit: what a group is.
    """

    columns: Mapping[str, Float[np.ndarray, "groups heads *offsets"]]
    sizes: Int[np.ndarray, " groups"]
    unit: str

    @property
    def groups(self) -> int:
        """Number of units of resampling."""
        return len(self.sizes)

    def select(self, kept: np.ndarray) -> "HeadSums":
        """The sums of some groups, by place or by a mask over groups."""
        return HeadSums({name: sums[kept] for name, sums in self.columns.items()}, self.sizes[kept], self.unit)


@dataclass(frozen=True, eq=False)
class Reading:
    """What heads look at in one setting.

    Attributes:
        setting: what was computed.
        folder: where it is stored.
        special: which special tokens count.
        examples: texts and columns of the examples that the full mask was measured on.
        rows: attention rows of the masks that have all of them: mask, example, arrays over heads.
        divergence: rows of the divergence between heads under the full mask; empty where it was not measured.
    """

    setting: StoredSetting
    folder: Path
    special: Special
    examples: pl.DataFrame
    rows: pl.DataFrame
    divergence: pl.DataFrame
    _sums: dict[tuple[str, str], HeadSums] = field(default_factory=dict, init=False, repr=False)

    @property
    def model(self) -> str:
        """Short name of the model."""
        return self.setting.model

    @property
    def data(self) -> str:
        """Short name of the data set."""
        return self.setting.data

    @property
    def layout(self) -> HeadLayout:
        """The heads of the model."""
        return self.setting.layout

    @property
    def factors(self) -> tuple[Factors, ...]:
        """The places at which the setting stands on the axes."""
        return self.setting.factors

    @property
    def names(self) -> dict[str, str]:
        """The cells of `READING`."""
        own = (self.model, self.setting.subject_id, self.data, self.setting.id, str(self.special))
        return dict(zip(READING, own, strict=True))

    @property
    def label(self) -> str:
        """`minilm on mnli`; with what becomes of special tokens where that is not the usual choice."""
        more = "" if self.special is Special.kept else f", special tokens {str(self.special).replace('_', ' ')}"
        return f"{self.model} on {self.data}{more}"

    @property
    def model_id(self) -> str:
        """Hash of the model side alone: equal for a reading and all outcomes of its model (`Setting.model_id`)."""
        return self.setting.model_id

    @property
    def untrained(self) -> bool:
        """Whether the model has random weights: then its identity has their seed, which may be 0."""
        return is_untrained(self.setting)

    def is_control_of(self, other: "Reading") -> bool:
        """Whether it is of the same model and data as another reading, with random weights in place of trained ones."""
        return is_control(self.setting, other.setting)

    @property
    def masks(self) -> tuple[str, ...]:
        """Keys of the masks that were measured, the full one first."""
        full = self.layout.full_key
        return (full, *(mask for mask in self.rows["mask"].unique(maintain_order=True) if mask != full))

    @property
    def texts(self) -> pl.Series:
        """The first text of every example (a premise, a source): two readings share what has it."""
        return self.examples[next(iter(text_columns(self.examples.columns)), EXAMPLE)]

    def group_column(self, groups: str = AUTO) -> str:
        """The column that groups the examples: `group` of `auto` where there is one, or single examples.

        Raises:
            InputError: when the examples have no such column.
        """
        return group_column(self.examples.columns, groups, self.data)

    def group_names(self, groups: str = AUTO) -> pl.Series:
        """The distinct groups, in the order of the sums."""
        return Groups.of(self.examples, self.group_column(groups)).names

    def sums(self, groups: str = AUTO, mask: str | None = None) -> HeadSums:
        """The statistics of every head as sums over groups of examples, made once.

        Args:
            groups: what is resampled: `auto`, `example`, or a column of the examples.
            mask: key of the mask under which the model ran; None for the full one.

        Raises:
            InputError: when the examples have no such column.
        """
        key = self.group_column(groups), mask or self.layout.full_key
        if key not in self._sums:
            self._sums[key] = self._summed(self.rows.filter(mask=key[1]), key[0])
        return self._sums[key]

    def divergence_sums(self, groups: str = AUTO) -> HeadSums:
        """The divergence between heads as sums over groups, as `sums` has the rest."""
        return self._summed(self.divergence, self.group_column(groups))

    def _summed(self, rows: pl.DataFrame, column: str) -> HeadSums:
        groups = Groups.of(self.examples, column)
        placed = groups.place(rows)
        columns = {
            name: group_sums(placed[name].to_numpy().astype(np.float64), placed[GROUP].to_numpy(), len(groups))
            for name in placed.columns
            if name not in (*KEYS, GROUP)
        }
        return HeadSums(columns, groups.sizes, unit=column)


def is_untrained(setting: StoredSetting) -> bool:
    """Whether the model of a setting has random weights: then its identity has their seed, which may be 0."""
    return setting.subject.get("untrained") is not None


def is_control(setting: StoredSetting, other: StoredSetting) -> bool:
    """Whether a setting is of the same model and data as another, with random weights in place of trained ones."""
    same = re.sub(r"-untrained\d*$", "", setting.model) == other.model and setting.data == other.data
    return same and is_untrained(setting) and not is_untrained(other)


def trained(readings: Iterable[Reading]) -> list[Reading]:
    """Those of trained models; of models with random weights where there are no others."""
    every = list(readings)
    return [reading for reading in every if not reading.untrained] or every


def read_readings(folder: Path, limit: int | None = None, setting: StoredSetting | None = None) -> tuple[Reading, ...]:
    """The readings of one setting folder, of its first `limit` examples; none where nothing was measured of heads.

    Args:
        folder: the folder.
        limit: examples that are read; None for all.
        setting: what it holds, where that is read already.

    Raises:
        SettingError: when `setting.json` is damaged.
        StoreError: when a part cannot be read.
    """
    tables = [table for table in stored_tables(folder) if isinstance(table, Attention)]
    if not tables:
        return ()
    setting = setting or read_setting(folder)
    examples = read_examples(folder).head(limit if limit is not None else 2**62)
    found = (_read(folder, setting, table, examples) for table in tables)
    return tuple(reading for reading in found if reading is not None)


def _read(folder: Path, setting: StoredSetting, table: Attention, examples: pl.DataFrame) -> Reading | None:
    """The reading of one table; None where no example has the full mask."""
    rows = _rows(folder, table, setting, examples)
    measured = rows.filter(mask=setting.layout.full_key)["example"]
    if measured.is_empty():
        return None
    rows = rows.filter(pl.col("example").is_in(measured.implode()))
    counts = rows.group_by("mask").len()
    complete = counts.filter(len=measured.len())["mask"]
    divergence = _rows(folder, Divergence(table.special), setting, examples)
    some = divergence.height and divergence["example"].is_in(measured.implode()).sum() == measured.len()
    return Reading(
        setting=setting,
        folder=folder,
        special=table.special,
        examples=examples.filter(pl.col("example").is_in(measured.implode())),
        rows=rows.filter(pl.col("mask").is_in(complete.implode())),
        divergence=divergence.filter(pl.col("example").is_in(measured.implode())) if some else divergence.clear(),
    )


def _rows(folder: Path, table: Table, setting: StoredSetting, examples: pl.DataFrame) -> pl.DataFrame:
    within = table.tolerance(setting.tolerance)
    rows = read_parts(folder, table, within=within, layout=setting.layout).rows
    return rows.filter(pl.col("example").is_in(examples["example"].implode()))
