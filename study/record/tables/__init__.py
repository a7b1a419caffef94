"""Kinds of stored rows, a file each; a further one takes its file and a line in `KINDS`.

outcomes      what the model answers under a mask
gradients     of a loss, with respect to every unit's gate
attention     what heads look at: statistics, divergences between heads, attended words
maps          how much each word looks at each other, of a few examples
probe         which word depends on which, by a probe of attention
"""

from pathlib import Path

from study.record.tables.attention import (
    AttendedWords,
    Attention,
    Divergence,
    Observation,
    Special,
    as_matrix,
    head_pairs,
)
from study.record.tables.gradients import GRADIENTS, Gradients
from study.record.tables.maps import Maps
from study.record.tables.outcomes import OUTCOMES, Outcomes
from study.record.tables.probe import ProbedHeads
from study.record.tables.table import KEYS, Table

__all__ = [
    "GRADIENTS",
    "KEYS",
    "KINDS",
    "OUTCOMES",
    "AttendedWords",
    "Attention",
    "Divergence",
    "Gradients",
    "Maps",
    "Observation",
    "Outcomes",
    "ProbedHeads",
    "Special",
    "Table",
    "as_matrix",
    "head_pairs",
    "stored_tables",
    "table_of",
]

KINDS: tuple[type[Table], ...] = (Outcomes, Gradients, Attention, Divergence, AttendedWords, Maps, ProbedHeads)
"""Every kind of rows."""


def table_of(part: Path) -> Table | None:
    """The table that a part file belongs to, by its name; None where there is no such table."""
    name = part.name.partition("-")[0]
    for kind in KINDS:
        if name == kind.kind or name.startswith(f"{kind.kind}_"):
            try:
                table = kind.parse(name[len(kind.kind) + 1 :])
            except ValueError:  # no option of this kind
                continue
            if table.name == name:
                return table
    return None


def parts_of_kinds(folder: Path) -> list[Path]:
    """The files of a setting's folder that are called as the parts of some kind are, by name."""
    return sorted({part for kind in KINDS for end in ("", "_*") for part in folder.glob(f"{kind.kind}{end}-*.parquet")})


def stored_tables(folder: Path) -> list[Table]:
    """The tables of which a setting's folder has parts, by name."""
    tables = {table for part in parts_of_kinds(folder) if (table := table_of(part)) is not None}
    return sorted(tables, key=lambda table: table.name)
