"""Tiny random decoder language models, and their units off by hand in plain transformers.

A head is off where its part of an attention function's output is zero, or of the projection's input where the model
calls no such function; a group where the rows of weights that make its values are zero; an MLP where its block gives
zeros. Where these are stands here by hand, read from each architecture's code.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from fixtures.language_models import POSITIONS, VOCABULARY, tokenizer
from torch import Tensor, nn
from transformers import AttentionInterface, AutoModelForCausalLM, PreTrainedModel

from study.subjects.language_model.options import ReadingOptions
from study.subjects.language_model.subject import LanguageModel
from study.subjects.language_model.text import LanguageText

from .tiny import build

HEADS, SIZE = 4, 8
"""Heads of a layer, and D."""

Rows = Callable[[int, int], slice]
"""The rows of a weight that make the values of group g of G."""


def _values(group: int, _: int) -> slice:
    return slice(group * SIZE, (group + 1) * SIZE)


def _behind(group: int, groups: int) -> slice:
    """After the queries of all heads and the keys of all groups."""
    return _values(HEADS + groups + group, groups)


def _by_turns(group: int, groups: int) -> slice:
    """After the queries of the group's heads and its key."""
    size = HEADS // groups + 2
    return _values(group * size + size - 1, groups)


@dataclass(frozen=True)
class Architecture:
    """Where the units of a tiny model are.

    Attributes:
        model_type: transformers' name.
        groups: key/value groups of each layer; 4 where no two heads share.
        stack: path of the layers.
        attention: what calls the attention function in a layer, or holds the projection where none is called.
        values: what makes the values within it.
        rows: the rows of each group there.
        mlp: the feed-forward block in a layer.
        projection: the output projection within the attention, where no attention function is called.
        layers: those that have heads.
        fields: those of its config besides.
    """

    model_type: str
    groups: int = 2
    stack: str = "model.layers"
    attention: str = "self_attn"
    values: str = "v_proj"
    rows: Rows = _values
    mlp: str = "mlp"
    projection: str = ""
    layers: Sequence[int] = (0, 1)
    fields: tuple[tuple[str, Any], ...] = ()


_LLAMA_KIN = (
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "gemma",
    "gemma2",
    "gemma3_text",
    "olmo",
    "olmo2",
    "olmo3",
    "olmoe",
    "granite",
    "stablelm",
    "starcoder2",
    "cohere",
    "cohere2",
    "smollm3",
    "gpt_oss",
    "exaone4",
    "glm4",
    "phi",
    "phimoe",
    "nemotron",
)

_GPT = {"groups": 4, "stack": "transformer.h", "attention": "attn"}
_BLOOM = {"stack": "transformer.h", "attention": "self_attention", "projection": "dense", "values": "query_key_value"}

_FALCON_H1 = tuple(
    {
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_head": 8,
        "mamba_d_state": 8,
        "attention_out_multiplier": 0.5,
        "lm_head_multiplier": 0.5,
    }.items()
)

DECODERS: dict[str, Architecture] = {
    **{kind: Architecture(kind) for kind in _LLAMA_KIN},
    "gpt2": Architecture("gpt2", **_GPT),
    "gpt_neo": Architecture("gpt_neo", **{**_GPT, "attention": "attn.attention", "projection": "out_proj"}),
    "gptj": Architecture("gptj", **_GPT, projection="out_proj"),
    "gpt_neox": Architecture("gpt_neox", groups=4, stack="gpt_neox.layers", attention="attention"),
    "gpt_bigcode": Architecture("gpt_bigcode", **{**_GPT, "groups": 1}, values="c_attn", rows=_behind),
    "opt": Architecture("opt", groups=4, stack="model.decoder.layers", mlp="fc2"),
    "bloom": Architecture("bloom", groups=4, **_BLOOM),
    "falcon (one group)": Architecture("falcon", groups=1, **_BLOOM, rows=_behind),
    "falcon": Architecture(
        "falcon", **_BLOOM, rows=_by_turns, fields=(("new_decoder_architecture", True), ("num_kv_heads", 2))
    ),
    "mpt": Architecture(
        "mpt", groups=4, stack="transformer.blocks", attention="attn", projection="out_proj", mlp="ffn"
    ),
    "phi3": Architecture("phi3", values="qkv_proj", rows=_behind),
    "granitemoe": Architecture("granitemoe", mlp="block_sparse_moe"),
    "deepseek_v3": Architecture("deepseek_v3", groups=4),
    "lfm2": Architecture(
        "lfm2", mlp="feed_forward", layers=(1,), fields=(("layer_types", ["conv", "full_attention"]),)
    ),
    "qwen3_next": Architecture("qwen3_next", layers=(1,)),
    "jamba": Architecture("jamba", mlp="feed_forward", layers=(1,)),
    "minimax": Architecture("minimax", layers=(0,)),
    "falcon_h1": Architecture("falcon_h1", mlp="feed_forward", fields=_FALCON_H1),
}
"""By the name that its row has."""


def module(name: str) -> PreTrainedModel:
    """A tiny model in plain transformers."""
    own = DECODERS[name]
    more = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
    return build(AutoModelForCausalLM, own.model_type, **more, **dict(own.fields))


def subject(name: str) -> LanguageModel:
    """The same model as a subject."""
    text = LanguageText(tokenizer(), ReadingOptions(), positions=POSITIONS, num_embeddings=VOCABULARY, owner=name)
    return LanguageModel(module(name), text, loaded=name)


class Plain:
    """A tiny model in plain transformers, of which one unit at a time is off."""

    def __init__(self, name: str) -> None:
        """Nothing is off."""
        self.own = DECODERS[name]
        self._model = module(name)
        self._layers = list(self._model.get_submodule(self.own.stack).children())

    @torch.no_grad()
    def logits(self, ids: Tensor) -> Tensor:
        """What it says after each token of a text [1, T]."""
        return self._model(input_ids=ids, use_cache=False).logits[0].flatten()

    @contextmanager
    def without_head(self, layer: int, head: int) -> Iterator[None]:
        """One head off."""
        attention = self._attention(layer)
        columns = slice(head * SIZE, (head + 1) * SIZE)
        if self.own.projection:
            projection = attention.get_submodule(self.own.projection)
            hook = projection.register_forward_pre_hook(lambda _, inputs: (_zeroed(inputs[0], columns),))
            yield
            hook.remove()
            return
        plain = AttentionInterface.get_interface

        def get_interface(self: AttentionInterface, name: str, default: Callable[..., Any]) -> Callable[..., Any]:
            attend = plain(self, name, default)

            def attend_without(part: nn.Module, *inputs: Any, **options: Any) -> Any:
                context, weights = attend(part, *inputs, **options)
                if part is attention:
                    context[:, :, head] = 0.0
                return context, weights

            return attend_without

        AttentionInterface.get_interface = get_interface
        yield
        AttentionInterface.get_interface = plain

    @contextmanager
    def without_group(self, layer: int, group: int) -> Iterator[None]:
        """The values of one group zero."""
        made: Any = self._attention(layer).get_submodule(self.own.values)
        rows = self.own.rows(group, self.own.groups)
        hook = made.register_forward_hook(lambda _, __, output: _zeroed(output, rows))
        yield
        hook.remove()

    @contextmanager
    def without_mlp(self, layer: int) -> Iterator[None]:
        """One feed-forward block that gives zeros; BLOOM's and MPT's add the residual stream to them."""
        block = self._layers[layer].get_submodule(self.own.mlp)
        plain = block.forward

        def forward(x: Tensor, *residual: Tensor) -> Any:
            if residual:
                return residual[0]
            output = plain(x)
            return (torch.zeros_like(output[0]), *output[1:]) if isinstance(output, tuple) else torch.zeros_like(output)

        block.forward = forward
        yield
        block.forward = plain

    def _attention(self, layer: int) -> nn.Module:
        return self._layers[layer].get_submodule(self.own.attention)


def _zeroed(x: Tensor, columns: slice) -> Tensor:
    x = x.clone()
    x[..., columns] = 0.0
    return x
