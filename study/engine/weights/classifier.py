"""Weights of BERT and its kin, layer by layer, so that the engine can run a forward pass of its own.

What these classifiers have in common: embeddings; layers of attention and feed-forward, each with a residual and a
layer norm after it; a head that reads the first token. Which tensor is which is found by the names that transformers
gives its modules. Whether the parts come to the same as the whole is proved on the loaded model, see
`study.engine.choose`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from study.engine.weights.linear import Linear
from study.engine.weights.modules import ACTIVATIONS, UnsupportedModelError, layer_norm, linear_weights
from study.masking.gate import Gate
from study.record.units import AttentionKind

PARTS = {
    "query": ("attention.self.query", "attention.q_lin"),
    "key": ("attention.self.key", "attention.k_lin"),
    "value": ("attention.self.value", "attention.v_lin"),
    "attention_norm": ("attention.output.LayerNorm", "sa_layer_norm"),
    "up": ("intermediate.dense", "ffn.lin1"),
    "activation": ("intermediate.intermediate_act_fn", "ffn.activation"),
    "down": ("output.dense", "ffn.lin2"),
    "output_norm": ("output.LayerNorm", "output_layer_norm"),
}
"""Parts of a layer by the names of BERT (RoBERTa, ELECTRA, CamemBERT ...) and of DistilBERT."""


@dataclass(frozen=True)
class ClassifierLayer:
    """One layer: x <- norm(x + attention(x)), x <- norm(x + down(act(up(x)))).

    Attributes:
        num_heads: H.
        qkv: queries (already divided by the root of D), keys and values of all heads, in one product.
        query: queries alone, divided too.
        key_weight: key weights by head; their bias moves all scores of a query alike and so changes nothing.
        value_weight: value weights by head.
        value_bias: value biases by head.
        out: output projection of the attention.
        out_by_head: weights of `out` by head, input first.
        out_bias: bias of `out`.
        attention_norm: layer norm after the attention.
        up: product into the inner width, with its activation.
        down: product back to the width of the model.
        output_norm: layer norm after the feed-forward layer.
    """

    num_heads: int
    qkv: Linear
    query: Linear
    key_weight: Float[Tensor, "H D d"]
    value_weight: Float[Tensor, "H D d"]
    value_bias: Float[Tensor, "H 1 D"]
    out: Linear
    out_by_head: Float[Tensor, "H D d"]
    out_bias: Float[Tensor, " d"]
    attention_norm: nn.LayerNorm
    up: Linear
    down: Linear
    output_norm: nn.LayerNorm

    @property
    def head_size(self) -> int:
        """D."""
        return self.out_by_head.shape[1]

    def values(self, x: Float[Tensor, "H N d"]) -> Float[Tensor, "N H D"]:
        """The values of hidden states, other ones for each head."""
        return (torch.bmm(x, self.value_weight.transpose(1, 2)) + self.value_bias).transpose(0, 1)


@dataclass(frozen=True)
class ClassifierWeights:
    """All weights of a classifier.

    Attributes:
        embed: makes token ids and segments (None where the model has none) the first hidden states.
        layers: layers from the first to the last.
        head: makes last hidden states of the first token logits.
        width: d.
    """

    embed: Callable[[Int[Tensor, "R T"], Int[Tensor, "R T"] | None], Float[Tensor, "R T d"]]
    layers: Sequence[ClassifierLayer]
    head: Callable[[Float[Tensor, "R d"]], Float[Tensor, "R C"]]
    width: int


def classifier_weights(module: PreTrainedModel, gate: Gate, dtype: torch.dtype = torch.float32) -> ClassifierWeights:
    """Read the weights of a classifier in float32, for matrix products of its layers in `dtype`.

    Raises:
        UnsupportedModelError: when it is not built like BERT.
    """
    base = module.base_model
    stack = _find(base, ("encoder.layer", "transformer.layer"))
    if list(gate.layout.counts) != [AttentionKind.ENCODER_SELF] or not isinstance(stack, nn.ModuleList):
        raise UnsupportedModelError(f"{type(module).__name__} is not built like BERT")
    sites = {site.layer: site for site in gate.sites}
    if len(sites) != len(stack):
        raise UnsupportedModelError(
            f"{type(module).__name__} has {len(stack)} layers, {len(sites)} of them with attention"
        )
    layers = [
        _layer(block, sites[i].projection, sites[i].num_heads, sites[i].head_size, dtype)
        for i, block in enumerate(stack)
    ]
    return ClassifierWeights(_embedding(base), layers, _head(module), layers[0].out.weight.shape[0])


def _layer(block: nn.Module, out: nn.Module, num_heads: int, head_size: int, dtype: torch.dtype) -> ClassifierLayer:
    parts = {name: _find(block, names) for name, names in PARTS.items()}
    if missing := [name for name, part in parts.items() if part is None]:
        raise UnsupportedModelError(f"{type(block).__name__} has no {', '.join(missing)} of a known name")
    activation = ACTIVATIONS.get(type(parts["activation"]).__name__)
    if activation is None:
        raise UnsupportedModelError(f"{type(block).__name__} has the activation {type(parts['activation']).__name__}")
    scale = head_size**-0.5
    (query, query_bias), (key, key_bias), (value, value_bias) = (
        linear_weights(parts[name], name) for name in ("query", "key", "value")
    )
    out_weight, out_bias = linear_weights(out, "out")

    def linear(weight: Tensor, bias: Tensor, activation: str | None = None) -> Linear:
        return Linear(weight.to(dtype), bias.to(dtype), activation)

    return ClassifierLayer(
        num_heads=num_heads,
        qkv=linear(torch.cat([query * scale, key, value]), torch.cat([query_bias * scale, key_bias, value_bias])),
        query=Linear(query * scale, query_bias * scale),
        key_weight=key.unflatten(0, (num_heads, head_size)),
        value_weight=value.unflatten(0, (num_heads, head_size)),
        value_bias=value_bias.view(num_heads, 1, head_size),
        out=linear(out_weight, out_bias),
        out_by_head=out_weight.T.to(dtype).unflatten(0, (num_heads, head_size)).contiguous(),
        out_bias=out_bias,
        attention_norm=layer_norm(parts["attention_norm"], "attention_norm"),
        up=linear(*linear_weights(parts["up"], "up"), activation),
        down=linear(*linear_weights(parts["down"], "down")),
        output_norm=layer_norm(parts["output_norm"], "output_norm"),
    )


def _find(module: nn.Module, names: Sequence[str]) -> nn.Module | None:
    """The part of a module that has one of these names."""
    known = dict(module.named_modules())
    return next((known[name] for name in names if name in known), None)


def _embedding(base: nn.Module) -> Callable[[Tensor, Tensor | None], Tensor]:
    embeddings, project = _find(base, ("embeddings",)), _find(base, ("embeddings_project",))
    if embeddings is None:
        raise UnsupportedModelError(f"{type(base).__name__} has no embeddings of a known name")

    def embed(ids_RT: Tensor, segments_RT: Tensor | None) -> Tensor:
        segments = {} if segments_RT is None else {"token_type_ids": segments_RT}
        hidden_RTd = embeddings(input_ids=ids_RT, **segments)
        return hidden_RTd if project is None else project(hidden_RTd)

    return embed


def _head(module: PreTrainedModel) -> Callable[[Tensor], Tensor]:
    """What the classifier makes of the first token: BERT's pooler, DistilBERT's two layers, RoBERTa's head."""
    classifier, pooler = _find(module, ("classifier",)), _find(module.base_model, ("pooler",))
    before = _find(module, ("pre_classifier",))
    if classifier is None:
        raise UnsupportedModelError(f"{type(module).__name__} has no classifier of a known name")
    if before is not None:
        return lambda first_Rd: classifier(functional.relu(before(first_Rd)))
    if pooler is not None:
        return lambda first_Rd: classifier(pooler(first_Rd[:, None]))
    return lambda first_Rd: classifier(first_Rd[:, None])
