"""Probe rows: which word an attention-only probe takes for the head of each word.

    probe_<id of the probe>-...parquet

The probe itself lies beside them: `study.record.syntax.probe`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import polars as pl

from study.record.syntax.probe import SyntaxProbe
from study.record.tables.attention import Observation


@dataclass(frozen=True)
class ProbedHeads(Observation):
    """The heads that a probe finds in each example, numbers of words from 1 on, and 0 for the root.

    Columns: `head`, by the probe; `single`, by the best single head, which never finds the root.

    Attributes:
        probe: id of the probe.
        trained: the probe, which computes the rows; stored rows are read without.
    """

    kind: ClassVar[str] = "probe"
    label: ClassVar[str] = "heads by a probe"
    own: ClassVar[tuple[str, ...]] = ("head", "single")
    types: ClassVar[Mapping[str, pl.DataType]] = dict.fromkeys(own, pl.List(pl.Int16()))
    reads_words: ClassVar[bool] = True
    places: ClassVar[tuple[str, ...]] = own

    probe: str = ""
    trained: SyntaxProbe | None = field(default=None, compare=False, repr=False)

    @property
    def option(self) -> str:
        """The probe."""
        return self.probe

    @classmethod
    def parse(cls, option: str) -> "ProbedHeads":
        """Inverse of `option`."""
        if not re.fullmatch("[0-9a-f]{12}", option):
            raise ValueError(f"'{option}' is the id of no probe")
        return cls(option)
