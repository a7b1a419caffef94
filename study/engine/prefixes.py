"""The tree of masks: which masks are alike up to a layer, so that what they share is computed once.

A forward pass goes through the attention layers in an order. Two masks that agree on the first k of them have the same
hidden states up to there; they part at the first layer on which they differ. Seen layer by layer, masks fall into
*classes*, one for each distinct prefix, and every class of k + 1 layers has one parent among those of k.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from study.record.units import AttentionKind, AttentionLayer, HeadLayout


def forward_order(layout: HeadLayout) -> list[AttentionLayer]:
    """The attention layers in the order in which a forward pass meets them.

    The encoder upwards, then self- and cross-attention of each decoder layer in turn.
    """
    encoder = [layer for layer in layout.layers if layer.kind is AttentionKind.ENCODER_SELF]
    decoder = [layer for layer in layout.layers if layer.kind is not AttentionKind.ENCODER_SELF]
    return encoder + sorted(decoder, key=lambda layer: (layer.layer, layer.kind.rank))


def attention_stages(layout: HeadLayout) -> list[slice]:
    """The columns of a mask that act in each attention layer, in the order of a forward pass."""
    return [layout.columns(*layer) for layer in forward_order(layout)]


def prefix_classes(
    masks: Bool[np.ndarray, "masks width"], stages: Sequence[slice | Int[np.ndarray, " _"]]
) -> Int[np.ndarray, "depths masks"]:
    """Number of the class that each mask is in after each stage.

    Args:
        masks: boolean rows.
        stages: columns of the masks that act in each layer, first to last.

    Returns:
        Row k (from 0, where all masks are one class, to `len(stages)`): for each mask the number of its distinct prefix
        over the first k layers. Classes are numbered in the order of their parents, so that children of one parent
        stand together, and from 0.
    """
    classes = [np.zeros(len(masks), dtype=np.int64)]
    for columns in stages:
        keys = np.column_stack([classes[-1], ~masks[:, columns]])
        classes.append(np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1))
    return np.stack(classes)


def tree_order(
    masks: Bool[np.ndarray, "masks width"], stages: Sequence[slice | Int[np.ndarray, " _"]]
) -> Int[np.ndarray, " masks"]:
    """Positions of masks so ordered that those that share most stand together."""
    return np.argsort(prefix_classes(masks, stages)[-1], kind="stable")


def passes(masks: Bool[np.ndarray, "masks width"], stages: Sequence[slice | Int[np.ndarray, " _"]]) -> float:
    """How many whole forward passes these masks come to where each class is computed once.

    The mean over the stretches between the layers, and before the first and after the last, of the number of classes
    there.
    """
    return float(np.mean([len(np.unique(row)) for row in prefix_classes(masks, stages)]))
