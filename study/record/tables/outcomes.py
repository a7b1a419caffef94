"""Outcome rows: what the model answers, as the statistics of a metric or what they follow from, and a margin.

Their files are called `part-...`: they were the first kind, and for long the only one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from study.record.tables.table import KEYS, Table


@dataclass(frozen=True)
class Outcomes(Table):
    """Outcomes: (mask, example, integer statistics, margin, other floats, texts)."""

    kind: ClassVar[str] = "part"
    label: ClassVar[str] = "outcomes"

    def columns(self, scored: Collection[str]) -> tuple[str, ...]:
        """Those that the metric needs, and the margin."""
        return (*KEYS, *scored, "margin")

    def tolerance(self, outcomes: float) -> float:
        """That of the precision in which they are computed."""
        return outcomes


OUTCOMES = Outcomes()
