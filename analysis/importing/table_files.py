"""Tables made elsewhere, read as text: CSV, TSV, JSON, JSON lines and `.npy` become rows of named cells."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from study.record.errors import InputError
from study.record.lines import read_lines, require_file

Row = dict[str, str]

DOMAIN = "domain"
LAYER = "layer"

SEPARATORS = {".csv": ",", ".tsv": "\t"}

NUMPY = ".npy"


def read_rows(path: Path) -> list[Row]:
    """The rows of a table, every cell as text.

    JSON is a list of objects, or values by head (`{"L0H1": 0.3}`), a list of layers that are lists of heads, or either
    of these by domain (`{"mnli": {"L0H1": 0.3}}`), which then is a column `domain`. A `.npy` file is a matrix of layers
    and heads.

    Raises:
        InputError: when the file is of another kind, empty, or not what its name says.
    """
    if path.suffix == NUMPY:
        return _layers(_matrix(path))
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    lines = read_lines(path)
    if kind in SEPARATORS:
        rows = list(_separated(path, lines, SEPARATORS[kind]))
    elif kind == ".jsonl":
        rows = [row for number, line in enumerate(lines, 1) for row in _rows(parsed(line, f"{path}:{number}"), path)]
    elif kind == ".json":
        rows = _rows(parsed("\n".join(lines), str(path)), path)
    else:
        raise InputError(f"{path}: expected a file named .csv, .tsv, .json, .jsonl or .npy")
    if not rows:
        raise InputError(f"{path} has no rows")
    return rows


def _separated(path: Path, lines: list[str], separator: str) -> Iterator[Row]:
    header, *rows = csv.reader(lines, delimiter=separator)
    double = sorted({name for name in header if header.count(name) > 1})
    if double:
        raise InputError(f"{path}: column '{double[0]}' stands more than once in the header")
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(header):
            raise InputError(f"{path}:{number}: {len(cells)} cells, but the header has {len(header)}")
        yield dict(zip(header, cells, strict=True))


def parsed(text: str, where: str) -> Any:
    """What JSON says.

    Raises:
        InputError: when it is none; names where it was read.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error}") from error


def _rows(content: Any, path: Path) -> list[Row]:
    if isinstance(content, list) and content and all(isinstance(layer, list) for layer in content):
        return _layers(content)
    if isinstance(content, list):
        return [_flat(row, path) for row in content]
    if isinstance(content, dict) and content and all(isinstance(part, dict | list) for part in content.values()):
        return [{DOMAIN: name} | row for name, part in content.items() for row in _rows(part, path)]
    return [_flat(content, path)]


def _layers(matrix: list[list[Any]]) -> list[Row]:
    """A row for each layer, a cell for each of its heads."""
    return [
        {LAYER: str(layer)} | {str(head): str(value) for head, value in enumerate(values)}
        for layer, values in enumerate(matrix)
    ]


def _matrix(path: Path) -> list[list[Any]]:
    """The numbers of a `.npy` file; no pickled object is loaded, which could run code."""
    require_file(path)
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not an array of numbers as numpy saves it: {error}") from error
    if matrix.ndim != 2 or not matrix.size:
        raise InputError(f"{path}: expected a matrix of layers and heads, found the shape {matrix.shape}")
    return matrix.tolist()


def _flat(row: Any, path: Path) -> Row:
    if not isinstance(row, dict) or any(isinstance(value, dict | list) for value in row.values()):
        raise InputError(f"{path}: expected an object of texts and numbers, found {json.dumps(row)[:60]}")
    return {str(name): "" if value is None else str(value) for name, value in row.items()}
