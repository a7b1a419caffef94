"""Arithmetic: how many multiply-adds the matrix products of a way need. Its share alone bounds what sharing can gain.

Shapes: R rows before a layer and N after it, T tokens, d width, f inner width.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool
from transformers import PreTrainedModel

from benchmarks.sizes import Shape
from study.engine.growth import plan_rows
from study.engine.pairs import Pairs
from study.engine.prefixes import attention_stages, forward_order, prefix_classes
from study.record.units import AttentionKind, HeadLayout
from study.subjects.subject import TokenRow

Work = Counter[str]
"""Multiply-adds by product: `qkv`, `attention`, `out`, `up`, `down`."""


def shape_of(config: object) -> Shape:
    """Sizes of a BERT, by its config."""
    names = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size", "vocab_size")
    return Shape(*(getattr(config, name) for name in names))


def whole_layer(before: int, after: int, length: int, shape: Shape) -> Work:
    """All tokens through a layer: projections and attention of R rows, the rest of N."""
    d, f = shape.width, shape.inner
    return Work(
        qkv=before * length * 3 * d * d,
        attention=before * length * length * 2 * d,
        out=after * length * d * d,
        up=after * length * d * f,
        down=after * length * d * f,
    )


def last_layer(before: int, after: int, length: int, shape: Shape) -> Work:
    """The first token alone: a query, what it looks for, what it sees, its value (`bottom_up.forward_pass`)."""
    d, f = shape.width, shape.inner
    return Work(
        qkv=before * 3 * d * d,
        attention=before * shape.heads * length * 2 * d,
        out=after * d * d,
        up=after * d * f,
        down=after * d * f,
    )


def shared_work(rows: Sequence[TokenRow], masks: Bool[np.ndarray, "masks heads"], layout: HeadLayout, s: Shape) -> Work:
    """What one bottom-up pass of these masks needs: each row of each layer of its plan."""
    plan = plan_rows(Pairs.every(masks, 1), attention_stages(layout))
    total = Work()
    for length, number in Counter(len(row.source) for row in rows).items():
        for i, growth in enumerate(plan.layers):
            layer = last_layer if i == len(plan.layers) - 1 else whole_layer
            total.update(layer(number * (len(growth.first_child) - 1), number * len(growth.parent), length, s))
    return total


def loop_work(padded: Iterable[int], num_masks: int, shape: Shape) -> Work:
    """What a loop over masks needs for examples padded to these lengths."""
    total = Work()
    for length, number in Counter(padded).items():
        rows = number * num_masks * shape.layers
        total.update(whole_layer(rows, rows, length, shape))
    return total


def translation_bound(
    module: PreTrainedModel, layout: HeadLayout, masks: Bool[np.ndarray, "masks heads"], beam: int
) -> float:
    """How many times fewer multiply-adds a beam search needs, at most, where masks share what is below them.

    As if masks that agree up to a layer asked for the same tokens there at every step, and targets were as long as
    sources. Attention over the cache, which is small, is left out.
    """
    config, order = module.config, forward_order(layout)
    depths = prefix_classes(masks, attention_stages(layout)).max(axis=1) + 1
    d, inner = config.d_model, {False: config.decoder_ffn_dim, True: config.encoder_ffn_dim}
    encoded = depths[sum(kind is AttentionKind.ENCODER_SELF for kind, _ in order)]
    products: list[tuple[int, int]] = []  # multiply-adds for a token, and for how many prefixes they are needed
    for (kind, _), before, after in zip(order, depths, depths[1:], strict=False):
        encoder, cross = kind is AttentionKind.ENCODER_SELF, kind is AttentionKind.CROSS
        width = 1 if encoder else beam
        products += [(2 * d * d, encoded), (width * d * d, before)] if cross else [(width * 3 * d * d, before)]
        products += [(width * d * d, after)]
        if encoder or cross:
            products += [(width * 2 * d * inner[encoder], after)]
    words = getattr(config, "tgt_vocab_size", None) or config.vocab_size
    products += [(beam * d * words, len(masks))]
    alone, shared = len(masks) * sum(work for work, _ in products), sum(work * number for work, number in products)
    return float(alone / shared)
