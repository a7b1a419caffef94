"""Provenance: when, with which versions and for how long a setting was computed, over all its parts."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from study.record.parts import read_provenance
from study.record.tables import OUTCOMES
from study.tracking.history import RUN

WRITTEN = "written"

AMOUNTS = ("seconds", "rows")
"""Entries that differ from part to part and mean something only as a sum."""


def provenance(folder: Path) -> dict[str, tuple[str, ...]]:
    """The distinct values of each entry that stands with the parts; the first and last day; amounts summed."""
    values: dict[str, set[str]] = {}
    sums: dict[str, float] = {}
    for part in OUTCOMES.parts(folder):
        for name, value in _entries(part):
            if name in AMOUNTS:
                sums[name] = sums.get(name, 0) + float(value)
            else:
                values.setdefault(name, set()).add(_day(value) if name == WRITTEN else value)
    distinct = {name: tuple(sorted(found)) for name, found in values.items()}
    days = distinct.get(WRITTEN, ())
    totals = {name: (f"{total:,.0f}",) for name, total in sums.items()}
    return {**distinct, WRITTEN: (days[0], days[-1]) if len(days) > 2 else days, **totals}


def _entries(part: Path) -> Iterator[tuple[str, str]]:
    try:
        yield from _flat(read_provenance(part))
    except (KeyError, ValueError):  # written by something else: the rows count, their origin is unknown
        yield WRITTEN, "unknown"


def _flat(entries: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in entries.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        elif value is not None and name != RUN:
            yield str(name), str(value)


def _day(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).date().isoformat()
    except ValueError:
        return stamp
