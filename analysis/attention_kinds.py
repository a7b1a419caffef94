"""The kinds of attention as people read, see and write them: all that differs by kind and is no number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from study.record.units import AttentionKind, UnitLevel


@dataclass(frozen=True)
class KindStyle:
    """How one kind is shown, and called by others.

    Attributes:
        name: its name in a sentence.
        label: its name where room is scarce.
        colour: told apart by the colour-blind, on light and dark ground.
        marker: Matplotlib's name of the mark of its heads.
        spellings: its names in tables made elsewhere; the letter is that of the paper's released code.
    """

    name: str
    label: str
    colour: str
    marker: str
    spellings: tuple[str, ...]


STYLES: Mapping[str, KindStyle] = {
    AttentionKind.ENCODER_SELF: KindStyle(
        "encoder self-attention", "encoder self", "#2f86c9", "o", ("encoder", "enc", "enc_enc", "encenc", "self", "e")
    ),
    AttentionKind.DECODER_SELF: KindStyle(
        "decoder self-attention", "decoder self", "#1f9e77", "s", ("decoder", "dec", "dec_dec", "decdec", "d")
    ),
    AttentionKind.CROSS: KindStyle(
        "encoder–decoder attention",
        "encoder–decoder",
        "#d9772b",
        "^",
        ("encoder_decoder", "enc_dec", "encdec", "encoder_attn", "a"),
    ),
}
"""The style of each kind, in the order of `AttentionKind`."""


MLPS = KindStyle(UnitLevel.mlp.plural, UnitLevel.mlp.plural, "#8c6d31", "D", ())
"""The style of MLPs, which belong to no attention."""


def style_of(kind: str) -> KindStyle:
    """The style of the units of a kind: heads, groups and layers of one attention kind, or MLPs."""
    return MLPS if kind == UnitLevel.mlp else STYLES[kind]


def by_style(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each kind of units that there are any of, by the column `kind`; MLPs are one of them."""
    yield from by_kind(table)
    mlps = table.filter(kind=UnitLevel.mlp)
    if mlps.height:
        yield UnitLevel.mlp, mlps


def kind_name(kinds: str, otherwise: str | None = None) -> str:
    """The name of a kind; of several (`all`) what is said otherwise, or the text itself."""
    return STYLES[kinds].name if kinds in STYLES else otherwise or kind_label(kinds)


def kind_label(kinds: str) -> str:
    """The short name of a kind; of MLPs their plural, of several kinds (`all`) the text itself."""
    return STYLES[kinds].label if kinds in STYLES else UnitLevel.mlp.plural if kinds == UnitLevel.mlp else kinds


def by_kind(table: pl.DataFrame) -> Iterator[tuple[AttentionKind, pl.DataFrame]]:
    """The rows of each kind that there are any of, by the column `kind`."""
    for kind in AttentionKind:
        part = table.filter(kind=str(kind))
        if part.height:
            yield kind, part
