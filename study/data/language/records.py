"""Rows of a file with texts and lists of texts, each of which says where it stands."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.data.table import cell_text, read_records
from study.record.errors import InputError
from study.record.lines import did_you_mean


@dataclass(frozen=True)
class Record:
    """A row of a file.

    Attributes:
        values: what stands in its columns.
        where: `file:line`.
        line: the line on which it begins (in parquet, the row), from 1.
    """

    values: Mapping[str, Any]
    where: str
    line: int

    def value(self, column: str) -> Any:
        """What stands in a column.

        Raises:
            InputError: when there is no such column; names the nearest.
        """
        if column not in self.values:
            found = ", ".join(self.values)
            raise InputError(f"{self.where}: no column '{column}' among {found}{did_you_mean(column, self.values)}")
        return self.values[column]

    def text(self, column: str) -> str:
        """The text of a column; an integer as text.

        Raises:
            InputError: when it is neither.
        """
        return cell_text(self.value(column), column, self.where)

    def texts(self, column: str) -> tuple[str, ...]:
        """The texts of a column that holds a list; in a TSV or CSV, a list in JSON.

        Raises:
            InputError: when it holds no list of texts.
        """
        found = self.value(column)
        if isinstance(found, str) and found.lstrip().startswith("["):
            found = _json_list(found)
        if not isinstance(found, list):
            raise InputError(
                f"{self.where}: '{column}' must be a list of texts, found {found!r}: several columns are named by "
                f'data.choices=[COLUMN,COLUMN], and in a TSV or CSV a list is written in JSON, ["one", "other"]'
            )
        return tuple(cell_text(item, column, self.where) for item in found)

    def nested(self, column: str) -> "Record":
        """The columns within a column.

        Raises:
            InputError: when there are none.
        """
        found = self.value(column)
        if not isinstance(found, dict):
            raise InputError(f"{self.where}: '{column}' must have columns of its own, found {found!r}")
        return Record(found, f"{self.where}: {column}", self.line)


def _json_list(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def records(path: Path) -> list[Record]:
    """The rows of a `.jsonl`, `.parquet`, `.tsv` or `.csv` file, in all their columns.

    Raises:
        InputError: for a file that is missing, empty, ragged or of another kind.
    """
    rows = [Record(values, f"{path}:{line}", line) for line, values in read_records(path)]
    if not rows:
        raise InputError(f"{path} has no rows")
    return rows


def record_names(rows: Sequence[Record], column: str | None) -> list[str]:
    """The names of rows: those in a column, or the numbers of their lines where there is none, or no `id`.

    Raises:
        InputError: for a name that stands twice.
    """
    if column is None or (column == "id" and "id" not in rows[0].values):
        return [str(row.line) for row in rows]
    first: dict[str, int] = {}
    for row in rows:
        name = row.text(column)
        if name in first:
            raise InputError(
                f"{row.where}: id '{name}' stands already in line {first[name]}; with data.id=null lines are counted"
            )
        first[name] = row.line
    return list(first)


def record_columns(rows: Sequence[Record], group: str | None, annotations: Sequence[str]) -> dict[str, list[str]]:
    """What groups and slices rows: `group`, and the annotations by their own names.

    Raises:
        InputError: for a column that is not there.
    """
    columns = {name: name for name in annotations} | ({} if group is None else {"group": group})
    return {as_: [row.text(column) for row in rows] for as_, column in columns.items()}
