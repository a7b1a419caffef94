"""What a mask turns on or off: addresses of heads, and the masks over all heads of a model."""

from study.record.units.address import ADDRESS, AttentionKind, Head, Layer
from study.record.units.layout import HeadLayout, mask_key, parse_mask, select_heads, select_layers, stack

__all__ = [
    "ADDRESS",
    "AttentionKind",
    "Head",
    "HeadLayout",
    "Layer",
    "mask_key",
    "parse_mask",
    "select_heads",
    "select_layers",
    "stack",
]
