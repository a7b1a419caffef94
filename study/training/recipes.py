"""Recipes: everything that a training's result depends on besides its data. Plain values, no torch."""

from dataclasses import dataclass


@dataclass(kw_only=True)
class ClassifierRecipe:
    """How a small BERT is made and trained.

    Attributes:
        vocabulary: WordPiece tokens at most.
        layers: encoder layers.
        heads: attention heads per layer.
        hidden: model dimension, a multiple of `heads`.
        inner: dimension of the feed-forward layers.
        max_length: longest input in tokens; training texts are cut there.
        dropout: of hidden states; attention probabilities are never dropped.
        epochs: passes over the training data.
        batch_size: pairs a step.
        learning_rate: its peak; it rises during the warm-up and then falls linearly to 0.
        warmup: share of the steps.
        weight_decay: of AdamW.
        clip_norm: largest norm of a step's gradient.
        seed: of the initial weights, of dropout and of the order of the data.
    """

    vocabulary: int = 400
    layers: int = 4
    heads: int = 4
    hidden: int = 64
    inner: int = 128
    max_length: int = 64
    dropout: float = 0.0
    epochs: int = 3
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 0
