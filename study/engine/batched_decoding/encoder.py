"""The encoder under many masks: each distinct (prefix of a mask, sentence) is computed once.

Shapes: I items (a mask and a sentence), M masks, E sentences, S source tokens, R rows of a layer, d width, K sources:
distinct encoder states of a sentence.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from study.engine.batched_decoding.caches import HIDDEN, SourceCache, attend
from study.engine.batched_decoding.shared_states import chain
from study.engine.prefixes import forward_order, prefix_classes
from study.engine.weights.translator import EncoderLayer, SplitTranslator
from study.record.heads import AttentionKind, HeadLayout


@dataclass(frozen=True)
class Items:
    """What is to be decoded.

    Attributes:
        masks: boolean rows in the order of `layout.heads`.
        layout: the heads.
        mask: the mask of each item.
        sentence: its sentence.
    """

    masks: Bool[np.ndarray, "M heads"]
    layout: HeadLayout
    mask: Int[np.ndarray, " I"]
    sentence: Int[np.ndarray, " I"]

    def __len__(self) -> int:
        return len(self.mask)

    def keys(self, classes: Int[np.ndarray, " M"], *, by_sentence: bool = True) -> Int[np.ndarray, " I"]:
        """Equal for items whose masks are in one class, and which are of one sentence."""
        return classes[self.mask] * (self.sentence.max() + 1) + (self.sentence if by_sentence else 0)


def read_sources(
    model: SplitTranslator, items: Items, ids: Int[Tensor, "E S"], present: Int[Tensor, "E S"]
) -> tuple[SourceCache, Int[np.ndarray, " I"]]:
    """Run the encoder for all items.

    Args:
        model: the model.
        items: masks and sentences.
        ids: token ids of the sentences.
        present: 1 for a token, 0 for padding.

    Returns:
        Keys and values for the cross-attention of every decoder layer, and for each item the number of its source.
    """
    order = [layer for layer in forward_order(items.layout) if layer[0] is AttentionKind.ENCODER_SELF]
    classes = prefix_classes(items.masks, items.layout, order)
    groupings, levels = chain([items.keys(c) for c in classes])
    rows = [groupings[level] for level in levels]
    sentence_R = items.sentence[rows[0].first]
    x = model.source.source(ids[torch.from_numpy(sentence_R).to(ids.device)])
    absent_ES = None if bool(present.all()) else (1 - present) * HIDDEN
    for place, layer, below, above in zip(order, model.encoder, rows, rows[1:], strict=False):
        on_RH = items.masks[items.mask[above.first]][:, items.layout.columns(*place)]
        up_R = None if above is below else torch.from_numpy(below.of_item[above.first]).to(x.device)
        absent_RS = None if absent_ES is None else absent_ES[torch.from_numpy(items.sentence[below.first]).to(x.device)]
        x = _layer(model, layer, x, up_R, torch.from_numpy(on_RH).to(x), absent_RS)
    if model.encoder_norm:
        x = model.encoder_norm(x)
    return _source_cache(model, x, rows[-1].of_item, items.sentence[rows[-1].first], absent_ES)


def _layer(
    model: SplitTranslator,
    layer: EncoderLayer,
    x: Float[Tensor, "R S d"],
    up: Int[Tensor, " r"] | None,
    xi: Float[Tensor, "r H"],
    absent: Float[Tensor, "R S"] | None,
) -> Float[Tensor, "r S d"]:
    """One layer: rows `r` come from rows `up`, with heads off where `xi` is 0."""
    attention, (rows, length, width) = layer.attention, x.shape
    flat = x.reshape(-1, width)
    qkv = attention.qkv(model.read(flat, attention.norm)).view(rows, length, 3, attention.num_heads, -1)
    query, key, value = qkv.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
    context_RSHD = attend(query, key, value, None if absent is None else absent[:, None, None])
    if up is not None:
        context_RSHD, flat = context_RSHD[up], x[up].view(-1, width)
    context = (context_RSHD * xi[:, None, :, None]).reshape(len(flat), -1)
    flat = model.add(flat, attention.out(context), attention.norm)
    return model.feed_forward(flat, layer.feed_forward).view(-1, length, width)


def _source_cache(
    model: SplitTranslator,
    encoded: Float[Tensor, "K S d"],
    source: Int[np.ndarray, " I"],
    sentence: Int[np.ndarray, " K"],
    absent: Float[Tensor, "E S"] | None,
) -> tuple[SourceCache, Int[np.ndarray, " I"]]:
    """Sources in bins by how many items look at them: 1, 2 to 3, 4 to 7 ..."""
    bin_K = np.log2(np.bincount(source)).astype(int)
    order = np.argsort(bin_K, kind="stable")
    order_K = torch.from_numpy(order).to(encoded.device)
    absent_KS = None if absent is None else absent[torch.from_numpy(sentence[order]).to(encoded.device)]
    cache = SourceCache(np.unique(bin_K, return_counts=True)[1].tolist(), absent_KS)
    flat = encoded[order_K].flatten(0, 1)
    for layer in model.decoder:
        cache.add_layer(layer.cross.key_value(flat).unflatten(0, encoded.shape[:2]), layer.cross.num_heads)
    return cache, np.argsort(order)[source]
