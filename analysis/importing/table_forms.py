"""The forms that a table of heads may have, all brought to one: a number for each domain, group of domains and head.

*Long*: a row for each head, its address in the columns `layer` and `head` (and `kind`), or in one column (`head`,
`address`, `name`) such as `3.11` or `L3H11`. *Matrix*: a row for each layer, a column for each head. *Wide*: a row for
each domain, a column for each head's address. Of this project's own table of larger units its groups are read.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.importing.head_addresses import head_at, is_head, parse_head, parse_kind
from analysis.importing.table_files import DOMAIN, LAYER, Row
from study.record.errors import InputError
from study.record.files import name_of
from study.record.lines import did_you_mean
from study.record.units import AttentionKind, Group, Head, UnitLevel

KIND, HEAD, MEASURE, EFFECT, SCORE, BASE_SCORE = "kind", "head", "measure", "effect", "score", "base_score"
IMPORTANCE, ABLATION = "importance", "ablation"
ADDRESS_COLUMNS = (HEAD, "address", "name", "unit")

LEVEL, ADDRESS_OF_UNIT = "level", "address"
OWN_UNITS = {LEVEL, ADDRESS_OF_UNIT, KIND, LAYER, "index"}
"""Columns of this project's own table of groups, layers and MLPs."""

HEAD_COLUMN = re.compile(r"(?:head|h)?[\s._-]*(\d+)", re.IGNORECASE)
"""A column of a matrix."""

FEWEST_WIDE = 3
"""Columns that must look like addresses for a table to be wide: a correlation needs as many heads."""


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """How a table is read.

    Attributes:
        value: the column with the numbers of a long table; None: `effect`, or `score` less `base_score`.
        importance: the largest numbers matter most; otherwise the lowest, as effects do. True of a column `importance`.
        domain: columns whose values are the domains that are compared; none: a column `domain`, or else the files.
        by: columns whose values are never compared with each other: subjects of their own.
        kind: the kind of heads whose address does not say.
        first: the number of the first layer and head, 0 or 1; None where the table starts at 0, else it must be said.
        shape: layers and heads of a layer that the model has, where it is known.
        groups: groups of heads that share keys and values, in each layer; None where heads are compared, unless a table
            has numbers of groups.
    """

    value: str | None = None
    importance: bool = False
    domain: Sequence[str] = ()
    by: Sequence[str] = ()
    kind: AttentionKind = AttentionKind.ENCODER_SELF
    first: int | None = None
    shape: tuple[int, int] | None = None
    groups: int | None = None

    @property
    def largest_matters(self) -> bool:
        """Whether the numbers are importances."""
        return self.importance or self.value == IMPORTANCE


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        subject: values of the columns `by`.
        domain: values of the columns `domain`, or the file's name.
        head: the address of a head, or of a group, counted from 0.
        value: the number.
    """

    subject: str
    domain: str
    head: Head | Group
    value: float


def cells(rows: Sequence[Row], options: ImportOptions, path: Path) -> list[Cell]:
    """Every number of a table of any form.

    Args:
        rows: as read.
        options: which columns mean what.
        path: where it was read; the file's name is the domain where no column is.

    Raises:
        InputError: when the form is not recognised, a column is not there, or a cell is not what it must be.
    """
    columns = list(rows[0])
    _require(columns, (*options.domain, *options.by, *([options.value] if options.value else [])), path)
    domain = options.domain or ((DOMAIN,) if DOMAIN in columns else ())
    found = []
    for number, row in enumerate(rows, start=1):
        lacking = [name for name in columns if name not in row]
        if lacking:
            raise InputError(f"{path}, row {number}: no '{lacking[0]}', which the first row has")
        if row.get(MEASURE, ABLATION) != ABLATION:  # this project's own tables have other measures too
            continue
        names = "/".join(row[name] for name in options.by), "/".join(row[name] for name in domain) or name_of(path)
        try:
            found += [Cell(*names, head, value) for head, value in _heads(row, columns, options)]
        except InputError as error:
            raise InputError(f"{path}, row {number}: {error}") from error
    return found


def _heads(row: Row, columns: Sequence[str], options: ImportOptions) -> Iterator[tuple[Head | Group, float]]:
    first = options.first or 0
    if set(columns) >= OWN_UNITS:
        if row[LEVEL] == UnitLevel.group:
            yield parse_head(row[ADDRESS_OF_UNIT], options.kind, first), _value(row, options)
        return
    kind = parse_kind(row[KIND]) if KIND in columns else options.kind
    if LAYER in columns and HEAD in columns:
        yield head_at(kind, row[LAYER], row[HEAD], first), _value(row, options)
        return
    if LAYER in columns:
        for name, index in _numbered(columns, options):
            if row[name].strip():  # layers of a matrix may have fewer heads
                yield head_at(kind, row[LAYER], index, first), _number(row[name], name)
        return
    addresses = [name for name in columns if is_head(name) and name not in (*options.domain, *options.by)]
    if len(addresses) >= FEWEST_WIDE:
        for name in addresses:
            yield parse_head(name, kind, first), _number(row[name], name)
        return
    column = next((name for name in ADDRESS_COLUMNS if name in columns), None)
    if column is None:
        raise InputError(
            f"no heads among the columns {', '.join(columns)}: expected layer and head; or addresses in a column "
            f"{' or '.join(ADDRESS_COLUMNS)}; or layer and a column for each head; or a column for each address"
        )
    yield parse_head(row[column], kind, first), _value(row, options)


def _numbered(columns: Sequence[str], options: ImportOptions) -> list[tuple[str, str]]:
    """The columns of a matrix that are heads, with their numbers."""
    others = {LAYER, KIND, DOMAIN, *options.domain, *options.by}
    found = [
        (name, match[1]) for name in columns if name not in others and (match := HEAD_COLUMN.fullmatch(name.strip()))
    ]
    if not found:
        raise InputError(f"a column 'layer', but neither 'head' nor a column for each head among {', '.join(columns)}")
    return found


def _value(row: Row, options: ImportOptions) -> float:
    if options.value is not None:
        return _number(row[options.value], options.value)
    if EFFECT in row:
        return _number(row[EFFECT], EFFECT)
    if SCORE in row and BASE_SCORE in row:
        return _number(row[SCORE], SCORE) - _number(row[BASE_SCORE], BASE_SCORE)
    hint = ": a score needs the column base_score, which it is an effect on" if SCORE in row else ""
    raise InputError(f"no column 'effect' among {', '.join(row)}{hint}; or name one with --value")


def _number(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{column} is '{text}', which is no number") from None
    if not math.isfinite(value):
        raise InputError(f"{column} is '{text}', which is no finite number")
    return value


def _require(columns: Sequence[str], names: Sequence[str], path: Path) -> None:
    for name in names:
        if name not in columns:
            raise InputError(f"{path}: no column '{name}' among {', '.join(columns)}{did_you_mean(name, columns)}")
