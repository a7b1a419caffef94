"""Weights of translation models, layer by layer, so that the engine can decode in a way of its own.

What the transformers of fairseq, Marian and BART have in common: word and position embeddings on both sides; layers of
self-attention, on the target side attention to the source, and a feed-forward layer, each with a residual and a layer
norm before (pre-norm) or after it; a projection to the words. Whether the parts come to the same as the whole is proved
on the loaded model, see `study.engine.choose`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from study.engine.weights.linear import Linear
from study.engine.weights.modules import ACTIVATIONS, UnsupportedModelError, layer_norm, linear_weights
from study.masking.gate import Gate
from study.record.units import AttentionKind
from study.subjects.decoding.top_tokens import BLOCK

PRE_NORM = {
    "FSMTForConditionalGeneration": False,
    "M2M100ForConditionalGeneration": True,
    "MarianMTModel": False,
    "BartForConditionalGeneration": False,
}
"""Models of this form, and whether their layers normalise their input."""

FIRST_POSITION: dict[str, Callable[[Any], int]] = {
    "SinusoidalPositionalEmbedding": lambda positions: positions.padding_idx + 1,
    "M2M100SinusoidalPositionalEmbedding": lambda positions: positions.padding_idx + 1,
    "MarianSinusoidalPositionalEmbedding": lambda _: 0,
    "BartLearnedPositionalEmbedding": lambda positions: positions.offset,
}
"""Which row of the position embeddings the first token takes."""


LARGE_VOCABULARY = 4096
"""Words from which on what fills the last block up is little, and no search asks for as many."""


@dataclass(frozen=True)
class Embedding:
    """Words and their positions.

    Attributes:
        words: a vector for each word.
        scale: factor of these.
        positions: a vector for each position, from the first token on.
        norm: layer norm of the sum, in BART.
    """

    words: Float[Tensor, "V d"]
    scale: float
    positions: Float[Tensor, "P d"]
    norm: nn.LayerNorm | None

    def source(self, ids: Int[Tensor, "R S"]) -> Float[Tensor, "R S d"]:
        """Whole sentences."""
        return self._normed(self.words[ids] * self.scale + self.positions[: ids.shape[1]])

    def target(self, tokens: Int[Tensor, " N"], step: int) -> Float[Tensor, "N d"]:
        """One token for each hypothesis, all at the same position."""
        return self._normed(self.words[tokens] * self.scale + self.positions[step])

    def _normed(self, x: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        return self.norm(x) if self.norm else x


@dataclass(frozen=True)
class SelfAttention:
    """Attention of a sequence to itself.

    Attributes:
        num_heads: heads.
        qkv: queries (already divided by the root of the head size), keys and values, in one product.
        out: output projection.
        norm: layer norm before or after.
    """

    num_heads: int
    qkv: Linear
    out: Linear
    norm: nn.LayerNorm


@dataclass(frozen=True)
class CrossAttention:
    """Attention of the target to the source.

    Attributes:
        num_heads: heads.
        query: queries (already divided by the root of the head size) of the target.
        key_value: keys and values of the source, in one product.
        out: output projection.
        norm: layer norm before or after.
    """

    num_heads: int
    query: Linear
    key_value: Linear
    out: Linear
    norm: nn.LayerNorm


@dataclass(frozen=True)
class FeedForward:
    """Feed-forward layer: into the inner width, with its activation, and back."""

    up: Callable[[Tensor], Tensor]
    down: Linear
    norm: nn.LayerNorm


@dataclass(frozen=True)
class EncoderLayer:
    """One layer of the source side."""

    attention: SelfAttention
    feed_forward: FeedForward


@dataclass(frozen=True)
class DecoderLayer:
    """One layer of the target side."""

    attention: SelfAttention
    cross: CrossAttention
    feed_forward: FeedForward


@dataclass(frozen=True)
class TranslatorWeights:
    """All weights of a translation model, and how its layers go together.

    Attributes:
        pre_norm: whether layers normalise their input, not their output.
        source: embedding of the source.
        encoder: layers of the source side.
        encoder_norm: layer norm after the last of them.
        target: embedding of the target.
        decoder: layers of the target side.
        decoder_norm: layer norm after the last of them.
        words: projection to the logits of all words; of a large vocabulary, filled up with minus infinity to whole
            blocks of those that are looked through together.
    """

    pre_norm: bool
    source: Embedding
    encoder: Sequence[EncoderLayer]
    encoder_norm: nn.LayerNorm | None
    target: Embedding
    decoder: Sequence[DecoderLayer]
    decoder_norm: nn.LayerNorm | None
    words: Linear

    def read(self, x: Float[Tensor, "N d"], norm: nn.LayerNorm) -> Float[Tensor, "N d"]:
        """What attention or a feed-forward layer reads of the hidden states."""
        return norm(x) if self.pre_norm else x

    def add(self, x: Float[Tensor, "N d"], made: Float[Tensor, "N d"], norm: nn.LayerNorm) -> Float[Tensor, "N d"]:
        """The hidden states after it: what it made of them, added to them; `made` is overwritten."""
        made += x
        return made if self.pre_norm else norm(made)

    def feed_forward(self, x: Float[Tensor, "N d"], layer: FeedForward) -> Float[Tensor, "N d"]:
        """The hidden states after a feed-forward layer."""
        return self.add(x, layer.down(layer.up(self.read(x, layer.norm))), layer.norm)


def translator_weights(module: PreTrainedModel, gate: Gate) -> TranslatorWeights:
    """Read the weights of a translation model.

    Raises:
        UnsupportedModelError: when it is none of `PRE_NORM`, or not in float32.
    """
    name = type(module).__name__
    if name not in PRE_NORM:
        raise UnsupportedModelError(f"{name} is none of {', '.join(PRE_NORM)}")
    if module.dtype != torch.float32:
        raise UnsupportedModelError(f"{name} is in {module.dtype}, not in float32")
    encoder, decoder = module.get_submodule("model.encoder"), module.get_submodule("model.decoder")
    heads = gate.layout.counts
    encoder_layers = [
        EncoderLayer(_self_attention(layer, number), _feed_forward(layer))
        for layer, number in zip(_layers(encoder), heads[AttentionKind.ENCODER_SELF], strict=True)
    ]
    decoder_layers = [
        DecoderLayer(_self_attention(layer, own), _cross_attention(layer, cross), _feed_forward(layer))
        for layer, own, cross in zip(
            _layers(decoder), heads[AttentionKind.DECODER_SELF], heads[AttentionKind.CROSS], strict=True
        )
    ]
    return TranslatorWeights(
        pre_norm=PRE_NORM[name],
        source=_embedding(encoder),
        encoder=encoder_layers,
        encoder_norm=_norm(encoder, "layer_norm") if PRE_NORM[name] else None,
        target=_embedding(decoder),
        decoder=decoder_layers,
        decoder_norm=_norm(decoder, "layer_norm") if PRE_NORM[name] else None,
        words=_words(module),
    )


def _layers(side: nn.Module) -> list[nn.Module]:
    return list(side.get_submodule("layers").children())


def _self_attention(layer: nn.Module, num_heads: int) -> SelfAttention:
    attention = layer.get_submodule("self_attn")
    qkv = [_query(attention, num_heads), _weights(attention, "k_proj"), _weights(attention, "v_proj")]
    return SelfAttention(
        num_heads, _together(qkv), Linear(*_weights(attention, "out_proj")), _norm(layer, "self_attn_layer_norm")
    )


def _cross_attention(layer: nn.Module, num_heads: int) -> CrossAttention:
    attention = layer.get_submodule("encoder_attn")
    return CrossAttention(
        num_heads,
        query=Linear(*_query(attention, num_heads)),
        key_value=_together([_weights(attention, "k_proj"), _weights(attention, "v_proj")]),
        out=Linear(*_weights(attention, "out_proj")),
        norm=_norm(layer, "encoder_attn_layer_norm"),
    )


def _feed_forward(layer: nn.Module) -> FeedForward:
    activation = layer.get_submodule("activation_fn")
    fused = ACTIVATIONS.get(type(activation).__name__)
    up = Linear(*_weights(layer, "fc1"), fused)
    return FeedForward(
        up if fused else lambda x: activation(up(x)), Linear(*_weights(layer, "fc2")), _norm(layer, "final_layer_norm")
    )


def _query(attention: nn.Module, num_heads: int) -> tuple[Tensor, Tensor]:
    weight, bias = _weights(attention, "q_proj")
    scale = (len(weight) // num_heads) ** -0.5
    return weight * scale, bias * scale


def _together(projections: Sequence[tuple[Tensor, Tensor]]) -> Linear:
    """Several projections of the same rows as one, their results side by side."""
    weights, biases = zip(*projections, strict=True)
    return Linear(torch.cat(weights), torch.cat(biases))


def _weights(module: nn.Module, name: str) -> tuple[Tensor, Tensor]:
    return linear_weights(module.get_submodule(name), name)


def _norm(module: nn.Module, name: str) -> nn.LayerNorm:
    return layer_norm(module.get_submodule(name), name)


def _embedding(side: nn.Module) -> Embedding:
    words, positions = side.get_submodule("embed_tokens"), side.get_submodule("embed_positions")
    first = FIRST_POSITION.get(type(positions).__name__)
    if first is None:
        raise UnsupportedModelError(f"{type(positions).__name__} is none of {', '.join(FIRST_POSITION)}")
    table = getattr(positions, "weights", None)  # M2M100 keeps them in a buffer of this name
    return Embedding(
        words=words.get_parameter("weight").detach(),
        scale=float(getattr(words, "embed_scale", getattr(side, "embed_scale", 1.0))),
        positions=(positions.get_parameter("weight").detach() if table is None else table)[first(positions) :],
        norm=_norm(side, "layernorm_embedding") if hasattr(side, "layernorm_embedding") else None,
    )


def _words(module: PreTrainedModel) -> Linear:
    output = "model.decoder.output_projection" if type(module).__name__.startswith("FSMT") else "lm_head"
    weight, bias = _weights(module, output)
    more = getattr(module, "final_logits_bias", None)  # of Marian and BART
    bias = bias if more is None else bias + more.flatten()
    missing = -len(weight) % BLOCK if len(weight) >= LARGE_VOCABULARY else 0
    return Linear(functional.pad(weight, (0, 0, 0, missing)), functional.pad(bias, (0, missing), value=-torch.inf))
