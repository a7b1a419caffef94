"""What a mask turns on or off: addresses of heads, groups, layers and MLPs, and the masks over all units of a model."""

from study.record.units.address import (
    ADDRESS,
    AttentionKind,
    AttentionLayer,
    Group,
    Head,
    Layer,
    Mlp,
    Unit,
    UnitLevel,
    layer_of,
    level_of,
    parse_unit,
)
from study.record.units.layout import HeadLayout, parse_mask, select_heads, select_layers, select_units, stack

__all__ = [
    "ADDRESS",
    "AttentionKind",
    "AttentionLayer",
    "Group",
    "Head",
    "HeadLayout",
    "Layer",
    "Mlp",
    "Unit",
    "UnitLevel",
    "layer_of",
    "level_of",
    "parse_mask",
    "parse_unit",
    "select_heads",
    "select_layers",
    "select_units",
    "stack",
]
