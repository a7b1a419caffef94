"""Tables of masks, to which the rows of packed parts point by number.

    masks-<digest>.parquet      the masks, eight digits a byte, in the order of their numbers

The digest is that of the masks, so that a table is written once however many parts point to it, and never changed.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from study.record.files import short_hash, whole_file

TABLES = "masks-*.parquet"
"""Pattern of their names."""

BITS, DIGITS = "bits", "digits"
"""Columns of a table: the packed digits of a mask, and how many they are."""


class MaskTableError(ValueError):
    """A table of masks that is not there, or not whole."""


def write_masks(keys: Sequence[str], folder: Path) -> str:
    """Keep masks, by key, in the folder of a setting, unless they are there.

    Returns:
        The name of the table.

    Raises:
        WriteError: when the folder cannot be written.
    """
    name = _name(keys)
    path = folder / name
    try:
        read_masks(path)
    except MaskTableError:
        packed = [np.packbits(np.frombuffer(key.encode(), dtype=np.uint8) == ord("1")).tobytes() for key in keys]
        table = pl.DataFrame({BITS: packed, DIGITS: pl.Series(map(len, keys), dtype=pl.UInt16)})
        with whole_file(path) as draft:
            table.write_parquet(draft)
    return name


def read_masks(path: Path) -> pl.Series:
    """The masks of a table, by key, in the order of their numbers.

    Raises:
        MaskTableError: when it is not there, or not what its name says.
    """
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise MaskTableError(f"its table of masks, {path.name}, cannot be read") from error


@lru_cache(maxsize=64)
def _read(path: Path, _size: int, _time: int) -> pl.Series:
    keys = [
        np.where(np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=digits), b"1", b"0")
        .astype("S1")
        .tobytes()
        .decode()
        for bits, digits in pl.read_parquet(path).iter_rows()
    ]
    if _name(keys) != path.name:
        raise MaskTableError(f"its table of masks, {path.name}, is not what its name says")
    return pl.Series("mask", keys, dtype=pl.String)


def _name(keys: Sequence[str]) -> str:
    return f"masks-{short_hash(list(keys))}.parquet"
