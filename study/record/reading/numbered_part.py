"""A part with numbers in the place of masks and examples, whatever form it is stored in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int

from study.record.packed.mask_table import read_masks
from study.record.packed.packed_rows import TABLE, is_packed


@dataclass(frozen=True)
class Part:
    """The rows of a part.

    Attributes:
        name: that of its file; empty of rows that are gathered from several.
        rows: as they are stored.
        table: name of the table of masks that they point to; empty where masks are texts.
        masks: masks by number, by key.
        examples: examples by number, by id.
        mask_numbers: the mask of each row.
        example_numbers: the example of each row.
    """

    name: str
    rows: pl.DataFrame
    table: str
    masks: pl.Series
    examples: pl.Series
    mask_numbers: Int[np.ndarray, " rows"]
    example_numbers: Int[np.ndarray, " rows"]

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Some of its rows, with masks and examples as texts."""
        if not self.table:
            return rows
        return rows.with_columns(mask=self.masks.gather(rows["mask"]), example=self.examples.gather(rows["example"]))


def read_numbered(path: Path, examples: pl.Series, columns: Sequence[str] | None = None) -> Part:
    """A part of a setting's folder.

    Args:
        path: its file.
        examples: ids of all examples of the setting, in the order of its file.
        columns: those that are read where they are there, mask and example among them; all when None.

    Raises:
        OSError, PolarsError, PanicException, MaskTableError: when it, or the masks that it points to, cannot be read.
    """
    known = pl.read_parquet_metadata(path)
    there = None if columns is None else [name for name in pl.read_parquet_schema(path) if name in columns]
    rows = pl.read_parquet(path, columns=there)
    if is_packed(known):
        masks = read_masks(path.with_name(known[TABLE]))
        numbers = (rows[name].cast(pl.Int64).to_numpy() for name in ("mask", "example"))
        return Part(path.name, rows, known[TABLE], masks, examples, *numbers)
    masks, mask_numbers = _numbered(rows["mask"])
    own, example_numbers = _numbered(rows["example"])
    return Part(path.name, rows, "", masks, own, mask_numbers, example_numbers)


def _numbered(texts: pl.Series) -> tuple[pl.Series, Int[np.ndarray, " rows"]]:
    """The distinct texts, and the number of each."""
    distinct = texts.unique()
    numbers = pl.Series(range(len(distinct)), dtype=pl.Int64)
    return distinct, texts.replace_strict(distinct, numbers, return_dtype=pl.Int64).to_numpy()
