"""Kept sets made elsewhere: tables of 1 (kept) and 0 (removed), or `.npy` masks as others publish them.

A table has any of the forms of `analysis.importing.table_forms`: a row for each head, for each layer, or for each
rater. A `.npy` file is one mask, layers by heads; its folder names the rater, the folder above the task:
`MNLI/seed_42/head_mask.npy`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.agreement import KeptSets
from analysis.correlation import DomainEffects
from analysis.importing.domains import EVERYTHING, group_cells
from analysis.importing.table_files import NUMPY, Row, read_rows
from analysis.importing.table_forms import Cell, ImportOptions, cells
from study.record.errors import InputError
from study.record.units import Head, Unit

ALONG = "seed"

APART = ("model", "task", "data", "domain", "seed", "curve")
"""Columns that tell tasks apart where none is named, except for the one that tells raters apart."""

VALUES = ("kept", "mask")
"""Columns of a long table that say whether a head is kept."""

MASK_FILES = "**/head_mask.npy"
"""Masks in a folder that others published."""

SEED_FOLDER = "seed_"


@dataclass(frozen=True, kw_only=True)
class KeptOptions:
    """How tables of kept heads are read.

    Attributes:
        along: the column whose values are the raters; None for `seed`.
        by: columns whose values are kept apart; none: those of `APART` that there are.
        value: the column with 1 (kept) and 0 (removed); None for `kept` or `mask`.
        first: the number of the first layer and head, 0 or 1; None where the table starts at 0.
    """

    along: str | None = None
    by: Sequence[str] = ()
    value: str | None = None
    first: int | None = None


def read_kept(paths: Sequence[Path], options: KeptOptions) -> list[KeptSets]:
    """The kept sets of all files, one for each task.

    Args:
        paths: tables, `.npy` masks, and folders with masks.
        options: which columns mean what.

    Raises:
        InputError: for a file that cannot be read, a value that is neither 0 nor 1, heads that a rater lacks or has
            twice, and a task of one rater.
    """
    files = [file for path in paths for file in _files(path)]
    reading, found = ImportOptions(first=options.first), []
    for file in files:
        rows = [_numbered(row) for row in _rows(file)]
        reading = _reading(rows, options, file)
        found += cells(rows, reading, file)
    tasks: dict[str, list[DomainEffects]] = {}
    for rater in group_cells(list(_binary(found)), reading):
        tasks.setdefault(rater.names["subject"], []).append(rater)
    along = options.along or ALONG
    return [
        KeptSets(
            "" if task == EVERYTHING else task,
            along,
            tuple(rater.domain for rater in raters),
            _only_heads(raters[0].heads),
            np.stack([rater.effects for rater in raters]) == 1,
        )
        for task, raters in tasks.items()
    ]


def _only_heads(units: Sequence[Unit]) -> tuple[Head, ...]:
    heads = tuple(unit for unit in units if isinstance(unit, Head))
    if len(heads) < len(units):
        raise InputError("masks to be compared are of single heads; these are of groups of heads")
    return heads


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob(MASK_FILES))
    if not found:
        raise InputError(f"{path} holds no masks ({MASK_FILES}), and no results of a study")
    return found


def _rows(file: Path) -> list[Row]:
    """The rows of a file; those of a mask also say whose it is."""
    rows = read_rows(file)
    if file.suffix != NUMPY:
        return rows
    folder = file.resolve().parent
    names = {"task": folder.parent.name, "seed": folder.name.removeprefix(SEED_FOLDER)}
    return [names | row for row in rows]


def _numbered(row: Row) -> Row:
    """A row in which true and false are 1 and 0."""
    words = {"true": "1", "false": "0"}
    return {name: words.get(text.strip().lower(), text) for name, text in row.items()}


def _reading(rows: Sequence[Row], options: KeptOptions, file: Path) -> ImportOptions:
    """What the columns of a table mean; a table without a column of raters is one rater, named by its file."""
    columns = list(rows[0])
    along = options.along or ALONG
    if options.along and along not in columns:
        raise InputError(f"{file}: no column '{along}', which --along names, among {', '.join(columns)}")
    by = options.by or [name for name in APART if name in columns and name != along]
    value = options.value or next((name for name in VALUES if name in columns), None)
    return ImportOptions(
        value=value,
        domain=[along] if along in columns else [],
        by=by,
        first=options.first,
    )


def _binary(found: Sequence[Cell]) -> Iterator[Cell]:
    for cell in found:
        if cell.value not in (0, 1):
            whose = ", ".join(filter(None, (cell.subject, cell.domain)))
            raise InputError(
                f"{whose}: {cell.head} has {cell.value:g}, expected 1 (kept) or 0 (removed). The column that says so: "
                "--value"
            )
        yield cell
