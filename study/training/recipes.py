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
        initial_range: standard deviation of the initial weights; BERT's .02 is too small for so narrow a model, which
            then stays for long where it only sees single words.
        max_length: longest input in tokens; training texts are cut there.
        epochs: passes over the training data.
        batch_size: pairs a step.
        learning_rate: its peak; it rises linearly during the warm-up and then falls linearly to 0.
        warmup: share of the steps.
        weight_decay: of AdamW.
        clip_norm: largest norm of a step's gradient.
        seed: of the initial weights and of the order of the data.
    """

    vocabulary: int = 300
    layers: int = 4
    heads: int = 4
    hidden: int = 64
    inner: int = 128
    initial_range: float = 0.08
    max_length: int = 128
    epochs: int = 4
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 0


@dataclass(kw_only=True)
class TranslationRecipe:
    """How a small transformer is made and trained by fairseq.

    Attributes:
        source: language code of the source side; names files and chooses the Moses rules.
        target: likewise of the target side.
        merges: BPE merge operations, learnt on both sides together.
        encoder_layers: layers of the encoder.
        decoder_layers: layers of the decoder.
        heads: attention heads per layer, of each kind.
        hidden: model dimension, a multiple of `heads`; all embeddings are shared.
        inner: dimension of the feed-forward layers.
        pre_norm: layer norm before each block instead of after it.
        dropout: of hidden states.
        label_smoothing: of the cross entropy.
        learning_rate: its peak; it falls with the inverse square root of the updates.
        warmup_updates: updates until the peak.
        clip_norm: largest norm of an update's gradient; 0 for none.
        max_tokens: tokens a batch, on the longer side.
        max_epochs: passes over the training data at most.
        max_updates: updates at most; 0 for no such limit.
        seed: of the initial weights, of dropout and of the order of the data.
    """

    source: str = "en"
    target: str = "fr"
    merges: int = 600
    encoder_layers: int = 3
    decoder_layers: int = 3
    heads: int = 4
    hidden: int = 64
    inner: int = 128
    pre_norm: bool = False
    dropout: float = 0.0
    label_smoothing: float = 0.1
    learning_rate: float = 5e-3
    warmup_updates: int = 300
    clip_norm: float = 1.0
    max_tokens: int = 1000
    max_epochs: int = 5
    max_updates: int = 0
    seed: int = 1
