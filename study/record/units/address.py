"""Addresses of what a mask turns on or off: heads, groups of them, attention layers, and MLPs.

Everything counts from 0.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

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


class UnitLevel(StrEnum):
    """What is turned off as a whole. Names are what is written on the command line."""

    head = "head"
    """One head; with grouped queries, one query head."""
    group = "group"
    """All query heads that share their keys and values."""
    layer = "layer"
    """All heads of one attention layer."""
    mlp = "mlp"
    """The MLP (feed-forward block) of one layer."""

    @property
    def noun(self) -> str:
        """As people write it."""
        return "MLP" if self is UnitLevel.mlp else str(self)

    @property
    def plural(self) -> str:
        """As a number of them is told: `3 heads`, `2 MLPs`."""
        return f"{self.noun}s"


ADDRESS = {"kind": pl.String, "layer": pl.Int64, "head": pl.Int64}
"""Columns of a head's address in every table, with their types; a `row` of larger units has the same ones."""

Row = dict[str, str | int | None]


@dataclass(frozen=True)
class Head:
    """The address of one head: `encoder_self.3.11` is head 11 of layer 3."""

    kind: AttentionKind
    layer: int
    index: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.layer}.{self.index}"

    def __lt__(self, other: "Head") -> bool:
        """Heads sort in the order of a mask."""
        return (self.kind.rank, self.layer, self.index) < (other.kind.rank, other.layer, other.index)

    @property
    def row(self) -> Row:
        """Its address in the columns of a table."""
        return _row(self.kind, self.layer, self.index)

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
        unit = _parse(text)
        if not isinstance(unit, Head):
            raise InputError(f"'{text}' is no head address: expected KIND.LAYER.INDEX, {_KINDS}")
        return unit


@dataclass(frozen=True)
class Group:
    """The address of the query heads that share keys and values: `decoder_self.1.g0` is the first group of layer 1."""

    kind: AttentionKind
    layer: int
    index: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.layer}.g{self.index}"

    @property
    def row(self) -> Row:
        """Its address in the columns of a table, its number in the place of a head's."""
        return _row(self.kind, self.layer, self.index)


class AttentionLayer(NamedTuple):
    """The address of all heads of one attention layer: `decoder_self.1`."""

    kind: AttentionKind
    layer: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.layer}"

    @property
    def row(self) -> Row:
        """Its address in the columns of a table; it has no number in its layer."""
        return _row(self.kind, self.layer, None)


@dataclass(frozen=True)
class Mlp:
    """The address of the MLP of one layer: `mlp.1`."""

    layer: int

    def __str__(self) -> str:
        return f"mlp.{self.layer}"

    @property
    def row(self) -> Row:
        """Its address in the columns of a table: the kind is `mlp`, and it has no number in its layer."""
        return _row(UnitLevel.mlp, self.layer, None)


Layer = tuple[AttentionKind, int]
"""An attention layer as a pair; an `AttentionLayer` is one, too."""

Unit = Head | Group | AttentionLayer | Mlp

_FORM = re.compile(r"(?P<kind>\w+)\.(?P<layer>\d+)(\.(?P<group>g?)(?P<index>\d+))?", re.ASCII)

_KINDS = f"KIND one of {', '.join(AttentionKind)}"


def parse_unit(text: str) -> Unit:
    """Read the address of any unit; inverse of `str`.

    Raises:
        InputError: when the text is none; says which forms there are.
    """
    unit = _parse(text)
    if unit is None:
        forms = "KIND.LAYER.INDEX (a head), KIND.LAYER.gINDEX (a group), KIND.LAYER or mlp.LAYER"
        raise InputError(f"'{text}' is no address: expected {forms}, {_KINDS}")
    return unit


def level_of(unit: Unit) -> UnitLevel:
    """What kind of unit an address is of."""
    match unit:
        case Head():
            return UnitLevel.head
        case Group():
            return UnitLevel.group
        case AttentionLayer():
            return UnitLevel.layer
        case Mlp():
            return UnitLevel.mlp


def layer_of(unit: Unit) -> Layer | Mlp:
    """The attention layer that a unit belongs to; an MLP stands for its own."""
    return unit if isinstance(unit, Mlp) else AttentionLayer(unit.kind, unit.layer)


def _row(kind: str, layer: int, index: int | None) -> Row:
    return dict(zip(ADDRESS, (str(kind), layer, index), strict=True))


def _parse(text: str) -> Unit | None:
    form = _FORM.fullmatch(text)
    if form is None or form["kind"] not in (*AttentionKind, "mlp"):
        return None
    layer = int(form["layer"])
    if form["kind"] == "mlp":
        return Mlp(layer) if form["index"] is None else None
    kind = AttentionKind(form["kind"])
    if form["index"] is None:
        return AttentionLayer(kind, layer)
    return (Group if form["group"] else Head)(kind, layer, int(form["index"]))
