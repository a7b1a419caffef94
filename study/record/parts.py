"""Part files: the rows of a setting as they lie in its folder, what their names say, and what may be wrong with them.

    <table>-<time>-<digest>.parquet      rows of a table: see `study.record.tables`

The digest is the beginning of the sha256 of the file: a part that was cut or changed, or that stands under another's
name, is never read. Inside stand the setting and the table that it belongs to. Earlier versions ended the name in
twelve arbitrary digits: of their parts only the form is checked.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from study.record.cascade.thresholds import THRESHOLDS, Thresholds
from study.record.errors import StudyError
from study.record.files import WriteError, file_digest, refusal, whole_file
from study.record.packed.mask_table import read_masks
from study.record.packed.packed_rows import TABLE, is_packed
from study.record.tables import Table, parts_of_kinds, table_of

DIGITS = 16
"""How many of the digest stand in a name."""

UNREADABLE = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What polars raises for a file that is no parquet file, or none any more."""

NO_FORM: Mapping[str, str] = MappingProxyType({})
"""Rows as they are."""


class StoreError(StudyError):
    """Stored outcomes contradict each other or cannot be read or written."""


def every_part(folder: Path) -> list[Path]:
    """The part files of every table of a setting, in the order in which they were written."""
    return sorted(folder.glob("*-*-*.parquet"), key=lambda part: part.name.rsplit("-", 2)[1:])


def write_part(
    rows: pl.DataFrame,
    folder: Path,
    table: Table,
    setting: str,
    provenance: dict[str, Any],
    form: Mapping[str, str] = NO_FORM,
) -> Path:
    """Write rows as a part of their own in the folder of a setting, with its id and what should be known of them.

    Args:
        rows: the rows.
        folder: the setting's.
        table: what the rows are.
        setting: its id.
        provenance: what should be known of the rows.
        form: what a reader must know of them, where they are packed or drafts.

    Raises:
        WriteError: when there is no room; nothing is left of the part.
    """
    stamp = datetime.now(UTC)
    known = {"written": stamp.isoformat(timespec="seconds"), **provenance}
    content = BytesIO()
    told = {"provenance": json.dumps(known), "setting": setting, "table": table.name, **form}
    rows.write_parquet(content, metadata=told)
    digest = hashlib.sha256(content.getbuffer()).hexdigest()[:DIGITS]
    path = folder / f"{table.name}-{stamp:%Y%m%dT%H%M%S.%f}-{digest}.parquet"
    try:
        with whole_file(path) as draft:
            draft.write_bytes(content.getbuffer())
    except WriteError as error:
        raise WriteError(
            f"{error}. {rows.height:,} rows are lost, all that was stored before is kept: "
            "once the folder takes files again, the same command goes on from there"
        ) from error
    return path


def read_provenance(part: Path) -> dict[str, Any]:
    """What stands with a part: when it was written, on which device, by which versions."""
    return json.loads(pl.read_parquet_metadata(part)["provenance"])


def require_whole(folder: Path, setting: str, columns: Collection[str]) -> None:
    """Refuse the folder of a setting (by its id) while a part of it cannot be used, or outcomes lack these columns.

    Raises:
        StoreError: names every such part, why, and how to go on.
    """
    refuse(folder, {part: words for part in parts_of_kinds(folder) if (words := _flaw(part, setting, columns))})


def refuse(folder: Path, flaws: dict[Path, str]) -> None:
    """Refuse parts of a setting's folder, if there are any, for what is wrong with each.

    Raises:
        StoreError: names all, and the command that takes them away.
    """
    if flaws:
        raise refused(folder, flaws)


def refused(folder: Path, flaws: dict[Path, str]) -> StoreError:
    """An error that names parts of a folder, what is wrong with each, and the command that takes them away."""
    how_many = "1 file cannot be used" if len(flaws) == 1 else f"{len(flaws)} files cannot be used"
    listed = [f"{part.name}: {words}" for part, words in flaws.items()]
    cure = "Take them away, and the same command computes their rows again:"
    command = shlex.join(["rm", "-r", *map(str, flaws)])
    return StoreError("\n  ".join([f"{folder}: {how_many}.", *listed, cure, command]))


def _flaw(part: Path, setting: str, needed: Collection[str]) -> str:
    """Why a part cannot be used, in words; empty where it can."""
    table = table_of(part)
    if table is None:
        return "no table has parts of this name"
    try:
        seal = re.search(rf"-([0-9a-f]{{{DIGITS}}})\.parquet$", part.name)
        if part.is_file() and seal and not file_digest(part).startswith(seal[1]):
            return "it was cut or changed, its content is not what the digest in its name says"
        known, columns = pl.read_parquet_metadata(part), pl.read_parquet_schema(part)
    except UNREADABLE as error:
        return unreadable(error)
    if known.get("setting", setting) != setting:
        return f"it belongs to setting {known['setting']}"
    if known.get("table", table.name) != table.name or ("table" in known and not seal):
        return "it has not the name that it was written under"
    try:
        Thresholds.from_json(known.get(THRESHOLDS, "{}"))
        if is_packed(known):
            read_masks(part.with_name(known[TABLE]))
    except ValueError as error:
        return str(error)
    lacking = [name for name in table.columns(needed) if name not in columns]
    return f"it holds no {table}, they need the columns {', '.join(lacking)}" if lacking else ""


def unreadable(error: BaseException) -> str:
    """Why a file cannot be read, in a few words."""
    reason = refusal(error) if isinstance(error, Exception) else None
    return f"it cannot be read: {reason}" if reason else "it is no whole parquet file"
