"""Rows of a table as examples: which have a label, what they are called, and that none is empty."""

import logging
from collections.abc import Collection, Sequence

from study.data.table import Table
from study.record.errors import InputError
from study.terminal.once import say_once

log = logging.getLogger(__name__)

MOST_EMPTY = 0.001
"""Share of the rows of a published file that may lack a text: two of the 363,846 pairs that QQP is trained on do."""


def labelled_rows(table: Table, column: str, skipped_labels: Collection[str]) -> list[int]:
    """The rows whose label is none to skip; how many are left out is logged.

    Raises:
        InputError: when that leaves none.
    """
    rows = [row for row, label in enumerate(table.columns[column]) if label not in skipped_labels]
    skipped = len(table) - len(rows)
    if not rows:
        raise InputError(f"{table.path}: all {skipped} rows have a label to skip ({', '.join(skipped_labels)})")
    if skipped:
        found = sorted(set(table.columns[column]) & set(skipped_labels))
        words = "%s: %d of %d rows left out, their label is one to skip (%s): data.skip_labels=[] keeps them"
        say_once(log.info, words, table.path, skipped, len(table), ", ".join(found))
    return rows


def rows_with_texts(table: Table, texts: Sequence[str], rows: Sequence[int]) -> list[int]:
    """The rows none of whose texts is empty; how many are left out is logged.

    Of a file with more than a few such rows all stay: something is wrong with it, and `require_filled` says where.
    """
    filled = [row for row in rows if all(table.columns[name][row].strip() for name in texts)]
    empty = len(rows) - len(filled)
    if empty > MOST_EMPTY * len(rows):
        return list(rows)
    if empty:
        say_once(log.info, "%s: %d of %d rows left out, a text of theirs is empty", table.path, empty, len(rows))
    return filled


def row_names(table: Table, column: str | None, rows: Sequence[int]) -> tuple[str, ...]:
    """The names of rows: those in a column, or the numbers of their lines.

    Raises:
        InputError: for a name that stands twice.
    """
    if column is None:
        return tuple(str(table.lines[row]) for row in rows)
    first_row: dict[str, int] = {}
    for row in rows:
        name = table.columns[column][row]
        if name in first_row:
            first = table.lines[first_row[name]]
            raise InputError(
                f"{table.where(row)}: id '{name}' stands already in line {first}; with data.id=null lines are counted"
            )
        first_row[name] = row
    return tuple(first_row)


def require_filled(table: Table, rows: Sequence[int]) -> None:
    """Refuse rows with an empty cell.

    Raises:
        InputError: names the first.
    """
    for name, column in table.columns.items():
        for row in rows:
            if not column[row].strip():
                raise InputError(f"{table.where(row)}: '{name}' is empty")
