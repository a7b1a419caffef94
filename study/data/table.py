"""A table of texts from a TSV, JSONL or parquet file: named columns of strings, and where each row stands."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from study.data.lines import did_you_mean, read_lines, require_file
from study.errors import InputError


@dataclass(frozen=True)
class Table:
    """Some columns of a file.

    Attributes:
        path: the file.
        columns: the values of each column, in the order of the file; every column has the same length, above 0.
        first_line: the line of the file that holds row 0, counted from 1.
    """

    path: Path
    columns: dict[str, list[str]]
    first_line: int

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def line(self, row: int) -> int:
        """The line of the file (in parquet, the row) that holds this row, counted from 1."""
        return self.first_line + row

    def where(self, row: int) -> str:
        """`file:line` of a row."""
        return f"{self.path}:{self.line(row)}"


def read_table(path: Path, names: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    """These columns of a `.tsv`, `.jsonl` (also `.gz`) or `.parquet` file; integers become text.

    A TSV has a header and no quoting: a `"` is a character, a tab always separates.

    Args:
        path: the file.
        names: of the columns.
        numbers: those of them in which other numbers than integers become text as well.

    Raises:
        InputError: for a file that is missing, empty, of another kind, ragged or without one of the columns.
    """
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    readers = {".tsv": _read_tsv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    if kind not in readers:
        raise InputError(f"{path}: expected a file named .tsv (tab-separated, no quoting), .jsonl or .parquet")
    table = readers[kind](path, names, numbers)
    if not len(table):
        raise InputError(f"{path} has a header, but no rows")
    return table


def _read_tsv(path: Path, names: Sequence[str], _: Sequence[str]) -> Table:
    header, *rows = (line.split("\t") for line in read_lines(path))
    _require_columns(names, header, str(path))
    table = Table(path, {name: [] for name in names}, first_line=2)
    positions = {name: header.index(name) for name in names}
    for row, fields in enumerate(rows):
        if len(fields) != len(header):
            raise InputError(f"{table.where(row)}: {len(fields)} fields, but the header has {len(header)}")
        for name, position in positions.items():
            table.columns[name].append(fields[position])
    return table


def _read_jsonl(path: Path, names: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(path, {name: [] for name in names}, first_line=1)
    for row, line in enumerate(read_lines(path)):
        record = _json_object(line, table.where(row))
        _require_columns(names, record, table.where(row))
        for name in names:
            table.columns[name].append(_text(record[name], name, table.where(row), name in numbers))
    return table


def _read_parquet(path: Path, names: Sequence[str], numbers: Sequence[str]) -> Table:
    require_file(path)
    try:
        _require_columns(names, pl.read_parquet_schema(path), str(path))
        frame = pl.read_parquet(path, columns=list(names))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} is not a readable parquet file: {error}") from error
    table = Table(path, {}, first_line=1)
    for name in names:
        values = enumerate(frame[name].to_list())
        table.columns[name] = [_text(value, name, table.where(row), name in numbers) for row, value in values]
    return table


def _require_columns(names: Iterable[str], found: Iterable[str], where: str) -> None:
    found = list(found)
    for name in names:
        if found.count(name) > 1:
            raise InputError(f"{where}: column '{name}' stands {found.count(name)} times in the header")
        if name not in found:
            raise InputError(f"{where}: no column '{name}' among {', '.join(found)}{did_you_mean(name, found)}")


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise InputError(f"{where}: expected a JSON object, one a line")
    return record


def _text(value: Any, name: str, where: str, is_number: bool) -> str:
    if isinstance(value, str):
        if not value.isascii() and not value.encode("utf-8", "ignore").decode() == value:
            raise InputError(f"{where}: '{name}' has half a surrogate pair, which is no text: {value!r}")
        return value
    kinds = (int, float) if is_number else int
    if isinstance(value, kinds) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"{where}: '{name}' must be text or an integer, found {value!r}")
