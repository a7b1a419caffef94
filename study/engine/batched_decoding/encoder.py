"""The encoder under many masks: each distinct (prefix of a mask, sentence) is computed once."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.engine.batched_decoding.caches import HIDDEN, SourceCache, attend
from study.engine.batched_decoding.replaced import mean_present
from study.engine.batched_decoding.shared_states import nested_groupings, pair_keys
from study.engine.pairs import Pairs
from study.engine.prefixes import forward_order, prefix_classes
from study.engine.weights.translator import EncoderLayer, TranslatorWeights
from study.masking.stand_ins import Place, StandIn, Uniform, replaced
from study.record.units import AttentionKind, HeadLayout, Layer


def read_sources(
    model: TranslatorWeights,
    layout: HeadLayout,
    pairs: Pairs,
    ids: Int[Tensor, "E S"],
    present: Int[Tensor, "E S"],
    stand_in: StandIn,
) -> tuple[SourceCache, Int[np.ndarray, " P"]]:
    """Run the encoder for all pairs of mask and sentence; the arguments are those of `BatchedDecoder`.

    Returns:
        Keys and values for the cross-attention of every decoder layer, and for each pair the number of its source.
    """
    order = [layer for layer in forward_order(layout) if layer[0] is AttentionKind.ENCODER_SELF]
    classes = prefix_classes(pairs.masks, [layout.columns(*layer) for layer in order])
    groupings, levels = nested_groupings([pair_keys(pairs, class_M) for class_M in classes])
    rows = [groupings[level] for level in levels]
    sentences = [torch.from_numpy(pairs.example[grouping.first]).to(ids.device) for grouping in rows]
    absent_ES = None if bool(present.all()) else (1 - present) * HIDDEN
    x = model.source.source(ids[sentences[0]])
    for i, (place, layer) in enumerate(zip(order, model.encoder, strict=True)):
        below, above = rows[i], rows[i + 1]
        on_RH = pairs.masks[pairs.mask[above.first]][:, layout.columns(*place)]
        up_R = None if above is below else torch.from_numpy(below.group[above.first]).to(x.device)
        absent_RS = None if absent_ES is None else absent_ES[sentences[i]]
        instead = _Instead(stand_in, place, sentences[i + 1])
        x = _layer(model, layer, x, up_R, torch.from_numpy(on_RH).to(x), absent_RS, instead)
    if model.encoder_norm:
        x = model.encoder_norm(x)
    return _source_cache(model, x, rows[-1].group, None if absent_ES is None else absent_ES[sentences[-1]])


@dataclass(frozen=True)
class _Instead:
    """What stands in the place of heads that are off in a layer.

    Attributes:
        stand_in: what stands in, in the sentences.
        layer: the layer.
        sentences: the sentence of each row after it.
    """

    stand_in: StandIn
    layer: Layer
    sentences: Int[Tensor, " r"]

    def contexts(
        self, value: Float[Tensor, "R H S D"], absent: Float[Tensor, "R S"] | None, up: Int[Tensor, " r"] | None
    ) -> Float[Tensor, "#r #S H D"] | None:
        """For the rows after the layer, given the values before it; None where that is zero."""
        if isinstance(self.stand_in, Uniform):
            mean_RHD = mean_present(value, absent)
            return (mean_RHD if up is None else mean_RHD[up])[:, None]
        positions = torch.arange(value.shape[2], device=value.device)[None]
        return self.stand_in.heads(self.layer, Place(self.sentences, positions))


def _layer(
    model: TranslatorWeights,
    layer: EncoderLayer,
    x: Float[Tensor, "R S d"],
    up: Int[Tensor, " r"] | None,
    xi: Float[Tensor, "r H"],
    absent: Float[Tensor, "R S"] | None,
    instead: _Instead,
) -> Float[Tensor, "r S d"]:
    """One layer: rows `r` come from rows `up`, with something instead of the heads whose `xi` is 0."""
    attention, (rows, length, width) = layer.attention, x.shape
    flat = x.reshape(-1, width)
    qkv = attention.qkv(model.read(flat, attention.norm)).view(rows, length, 3, attention.num_heads, -1)
    query, key, value = qkv.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
    context_RSHD = attend(query, key, value, None if absent is None else absent[:, None, None])
    if up is not None:
        context_RSHD, flat = context_RSHD[up], x[up].view(-1, width)
    context = replaced(context_RSHD, xi[:, None, :, None], instead.contexts(value, absent, up)).reshape(len(flat), -1)
    flat = model.add(flat, attention.out(context), attention.norm)
    return model.feed_forward(flat, layer.feed_forward).view(-1, length, width)


def _source_cache(
    model: TranslatorWeights,
    encoded: Float[Tensor, "K S d"],
    source: Int[np.ndarray, " P"],
    absent: Float[Tensor, "K S"] | None,
) -> tuple[SourceCache, Int[np.ndarray, " P"]]:
    """Sources in bins by how many pairs look at them: 1, 2 to 3, 4 to 7 ..."""
    bin_K = np.log2(np.bincount(source)).astype(int)
    order = np.argsort(bin_K, kind="stable")
    order_K = torch.from_numpy(order).to(encoded.device)
    bins = np.unique(bin_K, return_counts=True)[1].tolist()
    cache = SourceCache(bins, None if absent is None else absent[order_K])
    flat = encoded[order_K].flatten(0, 1)
    for layer in model.decoder:
        cache.add_layer(layer.cross.key_value(flat).unflatten(0, encoded.shape[:2]), layer.cross.num_heads)
    return cache, np.argsort(order)[source]
