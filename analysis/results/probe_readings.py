"""Readings of a probe: settings of which it was measured what heads an attention-only probe finds."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analysis.results.domain import group_column
from analysis.results.readings import is_control, is_untrained
from study.record.errors import InputError
from study.record.factors import Factors
from study.record.setting import StoredSetting
from study.record.store import read_examples, read_parts
from study.record.syntax.probe import SyntaxProbe, read_probe
from study.record.tables import ProbedHeads, stored_tables


@dataclass(frozen=True, eq=False)
class ProbeReading:
    """What a probe finds in the sentences of one setting.

    Attributes:
        setting: what was computed.
        probe: the probe.
        rows: the sentences that were scored, with their trees, and the heads found by the probe (`found`) and by the
            best single head (`single`).
    """

    setting: StoredSetting
    probe: SyntaxProbe
    rows: pl.DataFrame

    @property
    def label(self) -> str:
        """`minilm on en_pud-ud-test`."""
        return f"{self.setting.model} on {self.setting.data}"

    @property
    def key(self) -> tuple[str, str]:
        """What it is of: the ids of the setting and of the probe."""
        return self.setting.id, self.probe.training.id

    @property
    def untrained(self) -> bool:
        """Whether the model has random weights."""
        return is_untrained(self.setting)

    def is_control_of(self, other: "ProbeReading") -> bool:
        """Whether it is of the same training and data as another reading, of its model with random weights."""
        same = self.probe.training.id == other.probe.training.id
        return same and is_control(self.setting, other.setting)

    @property
    def factors(self) -> tuple[Factors, ...]:
        """The places at which the setting stands on the axes."""
        return self.setting.factors

    def group_column(self, groups: str) -> str:
        """The column that groups the sentences.

        Raises:
            InputError: when the sentences have no such column.
        """
        return group_column(self.rows.columns, groups, self.setting.data)


def read_probes(folder: Path, limit: int | None, setting: StoredSetting) -> tuple[ProbeReading, ...]:
    """The readings of one setting folder, of its first `limit` examples; none where no probe was measured.

    Raises:
        StoreError, ProbeError: when a part, or a probe, cannot be read.
        InputError: when a probe is not there.
    """
    tables = [table for table in stored_tables(folder) if isinstance(table, ProbedHeads)]
    if not tables:
        return ()
    examples = read_examples(folder).head(limit if limit is not None else 2**62)
    return tuple(_read(folder, setting, table, examples) for table in tables)


def _read(folder: Path, setting: StoredSetting, table: ProbedHeads, examples: pl.DataFrame) -> ProbeReading:
    probe = read_probe(table.probe, folder)
    if probe is None:
        raise InputError(f"heads found by the probe {table.probe} are stored, but not the probe: run the study again")
    within = table.tolerance(setting.tolerance)
    rows = read_parts(folder, table, within=within, layout=setting.layout).rows.filter(mask=setting.layout.full_key)
    found = rows.select("example", "single", found="head")
    return ProbeReading(setting, probe, examples.join(found, on="example", maintain_order="left"))
