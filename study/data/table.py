"""A table of texts from a TSV, CSV, JSONL or parquet file: named columns of strings, and where each row stands."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from study.record.errors import InputError
from study.record.lines import did_you_mean, read_lines, require_file


@dataclass(frozen=True)
class Table:
    """Some columns of a file.

    Attributes:
        path: the file.
        columns: the values of each column, in the order of the file; every column has the same length, above 0.
        lines: the line of the file on which each row begins (in parquet, the row), counted from 1.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: Sequence[int]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def where(self, row: int) -> str:
        """`file:line` of a row."""
        return f"{self.path}:{self.lines[row]}"


def read_table(path: Path, names: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    """These columns of a `.tsv`, `.csv`, `.jsonl` (also `.gz`) or `.parquet` file; integers become text.

    In the columns of `numbers` other numbers do, too. A TSV has a header and no quoting: a `"` is a character, a tab
    always separates. A CSV has a header and the quoting of RFC 4180, which spreadsheets and pandas write.

    Raises:
        InputError: for a file that is missing, empty, of another kind, ragged or without one of the columns.
    """
    table = Table(path, {name: [] for name in names}, lines := list[int]())
    for line, record in read_records(path, names):
        lines.append(line)
        for name, column in table.columns.items():
            value = record[name]
            plain = isinstance(value, str) and value.isascii()
            column.append(value if plain else cell_text(value, name, f"{path}:{line}", name in numbers))
    if not lines:
        raise InputError(f"{path} has a header, but no rows")
    return table


def read_records(path: Path, names: Sequence[str] = ()) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of such a file as they stand, with lists where it has any, and the line on which each begins.

    Args:
        path: the file.
        names: columns that must be there, and in which alone a parquet file is read. Empty: all that there are.

    Raises:
        InputError: as `read_table`.
    """
    kind = _kind(path)
    if kind == ".parquet":
        _require_columns(names, read_header(path), str(path))
        yield from enumerate(_parquet(path, columns=list(names) or None).iter_rows(named=True), start=1)
    elif kind == ".jsonl":
        for line, text in enumerate(read_lines(path), start=1):
            record = _json_object(text, f"{path}:{line}")
            _require_columns(names, record, f"{path}:{line}")
            yield line, record
    else:
        rows = _rows(path)
        _, header = _header(rows, path)
        _require_columns(names, header, str(path))
        for line, fields in rows:
            if len(fields) != len(header):
                raise InputError(f"{path}:{line}: {len(fields)} fields, but the header has {len(header)}")
            yield line, dict(zip(header, fields, strict=True))


def read_header(path: Path) -> list[str]:
    """The names of a file's columns; in a JSONL those of its first record.

    Raises:
        InputError: as `read_table`.
    """
    kind = _kind(path)
    if kind == ".parquet":
        return _parquet(path, n_rows=0).columns
    if kind == ".jsonl":
        return list(_json_object(read_lines(path)[0], f"{path}:1"))
    return _header(_rows(path), path)[1]


def _kind(path: Path) -> str:
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind not in (".tsv", ".csv", ".jsonl", ".parquet"):
        raise InputError(
            f"{path}: expected a file named .tsv (tab-separated, no quoting), .csv (commas, quotes), .jsonl or .parquet"
        )
    return kind


def _header(rows: Iterator[tuple[int, list[str]]], path: Path) -> tuple[int, list[str]]:
    """The first row, which names the columns."""
    header = next(rows, None)
    if header is None:
        raise InputError(f"{path} holds blank lines alone, and no header")
    return header


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The fields of each row of a TSV or CSV, the header's first, and the line on which it begins."""
    if _kind(path) == ".csv":
        return _csv_rows(path)
    return enumerate((line.split("\t") for line in read_lines(path)), start=1)


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV; a quoted field may go on over several lines, and lines without any character are no rows."""
    reader = csv.reader((f"{line}\n" for line in read_lines(path)), strict=True)
    begin, header = 1, False
    try:
        for fields in reader:
            if begin == 1 and len(fields) == 1 and {";", "\t"} & set(fields[0]):
                raise InputError(f"{path}: the header has no comma; a .csv is separated by commas, a .tsv by tabs")
            if fields:
                header = True
                yield begin, fields
            begin = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{begin}: not a row of a CSV: {error}") from error
    if not header:
        raise InputError(f"{path} has blank lines alone: its first line must be a header")


def _parquet(path: Path, **which: Any) -> pl.DataFrame:
    require_file(path)
    try:
        return pl.read_parquet(path, **which)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} is not a readable parquet file: {error}") from error


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


def cell_text(value: Any, name: str, where: str, is_number: bool = False) -> str:
    """The text in a cell; an integer, or any number where `is_number`, as text.

    Raises:
        InputError: when it is neither; names the column and `where` the cell is.
    """
    if isinstance(value, str):
        if not value.isascii() and not value.encode("utf-8", "ignore").decode() == value:
            raise InputError(f"{where}: '{name}' has half a surrogate pair, which is no text: {value!r}")
        return value
    if isinstance(value, (int, float) if is_number else int) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"{where}: '{name}' must be text or an integer, found {value!r}")
