"""Addresses of what a mask turns on or off, and what a model may have of it: attention kinds and heads."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl

from study.record.errors import InputError


class AttentionKind(StrEnum):
    """Which attention a head belongs to; the paper's Enc-Enc, Dec-Dec and Enc-Dec, in this order."""

    ENCODER_SELF = "encoder_self"
    DECODER_SELF = "decoder_self"
    CROSS = "cross"

    @property
    def rank(self) -> int:
        """Position in the order of masks, files and tables."""
        return list(AttentionKind).index(self)


ADDRESS = {"kind": pl.String, "layer": pl.Int64, "head": pl.Int64}
"""Columns of a head's address in every table, with their types."""


@dataclass(frozen=True)
class Head:
    """The address of one head, counted from 0: `encoder_self.3.11` is head 11 of layer 3."""

    kind: AttentionKind
    layer: int
    index: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.layer}.{self.index}"

    def __lt__(self, other: "Head") -> bool:
        """Heads sort in the order of a mask."""
        return (self.kind.rank, self.layer, self.index) < (other.kind.rank, other.layer, other.index)

    @property
    def row(self) -> dict[str, str | int]:
        """Its address in the columns of a table."""
        return dict(zip(ADDRESS, (str(self.kind), self.layer, self.index), strict=True))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Head":
        """Inverse of `row`; other columns may stand beside the address."""
        return cls(AttentionKind(row["kind"]), row["layer"], row["head"])

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Read `kind.layer.index`.

        Raises:
            InputError: when the text is not of that form.
        """
        kinds = ", ".join(AttentionKind)
        try:
            kind, layer, index = text.split(".")
            return cls(AttentionKind(kind), int(layer), int(index))
        except ValueError as error:
            raise InputError(f"'{text}' is no head address: expected KIND.LAYER.INDEX, KIND one of {kinds}") from error


Layer = tuple[AttentionKind, int]
