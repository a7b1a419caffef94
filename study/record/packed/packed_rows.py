"""Packed rows: the number of a mask in its table, and the place of an example among those of the setting."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from study.record.packed.mask_table import read_masks, write_masks

MANY = 4096
"""Masks that are computed at once from which rows are packed: fewer are easier to read as they are."""

TABLE = "masks"
"""Entry of a part's metadata that names the table of its masks; other parts have masks and examples as texts."""


def pack(
    rows: pl.DataFrame, keys: Sequence[str], examples: pl.Series, folder: Path
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Rows with numbers in the place of masks and examples, and what the metadata of their part must say.

    Args:
        rows: columns mask, example and others.
        keys: masks that the rows are of, and perhaps others, by key.
        examples: ids of all examples of the setting, in the order of its file.
        folder: the setting's; the masks are kept there.
    """
    table = write_masks(keys, folder)
    packed = rows.with_columns(
        mask=rows["mask"].replace_strict(pl.Series(keys), pl.Series(range(len(keys)), dtype=pl.UInt32)),
        example=rows["example"].replace_strict(examples, pl.Series(range(len(examples)), dtype=pl.UInt32)),
    )
    return packed, {TABLE: table}


def is_packed(known: dict[str, str]) -> bool:
    """Whether the rows of a part are packed, by its metadata."""
    return TABLE in known


def unpack(
    rows: pl.DataFrame, known: dict[str, str], examples: pl.Series, folder: Path, wanted: pl.Expr | None = None
) -> pl.DataFrame:
    """Rows of a part as they would be, were they not packed.

    Args:
        rows: rows of a packed part.
        known: the part's metadata.
        examples: ids of all examples of the setting, in the order of its file.
        folder: the setting's.
        wanted: an expression of the column mask, true for the masks to read; all are read when None.

    Raises:
        MaskTableError: when the masks cannot be read.
    """
    masks = read_masks(folder / known[TABLE])
    if wanted is not None:
        rows = rows.filter(masks.to_frame("mask").select(wanted).to_series().gather(rows["mask"]))
    return rows.with_columns(mask=masks.gather(rows["mask"]), example=examples.gather(rows["example"]))
