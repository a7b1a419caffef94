"""Attention modules of transformers with fewer heads than their config says, where their own code cannot do it.

Most modules of transformers read the number of heads from the size of their projections. Those that do not, and layers
that have no head left, get a class from here; their weights and names stay.

Shapes: R rows, T tokens, S tokens that are looked at, H heads, D size of a head, d width.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import Cache, EncoderDecoderCache
from transformers.models.t5.modeling_t5 import T5Attention

OUTPUTS = ("out_proj", "o_proj", "c_proj", "out_lin", "o")
"""Output projections that are part of the attention module; BERT's is outside."""


class EmptyAttention(nn.Module):
    """Attention of a layer without heads: what the output projection makes of nothing, its bias."""

    def forward(self, *inputs: Tensor | None, **options: Any) -> tuple[Tensor, None]:
        """A call like that of the attention whose place it takes."""
        hidden_RTd: Any = inputs[0] if inputs else options["hidden_states"]
        looks_elsewhere = any(options.get(name) is not None for name in ("key_value_states", "encoder_hidden_states"))
        if not looks_elsewhere:
            _count_tokens(options.get("past_key_values"), getattr(self, "layer_idx", None), hidden_RTd)
        context = hidden_RTd[..., :0]
        projection = next((getattr(self, name) for name in OUTPUTS if hasattr(self, name)), None)
        return (context if projection is None else projection(context)), None


class TimeFirstAttention(nn.Module):
    """FSMT's attention, which takes [T, R, d]; its own code takes the heads together for as wide as the model."""

    num_heads: int
    head_dim: int
    scaling: float
    layer_idx: int
    encoder_decoder_attention: bool
    q_proj: nn.Linear
    k_proj: nn.Linear
    v_proj: nn.Linear
    out_proj: nn.Linear

    def forward(
        self,
        query: Float[Tensor, "T R d"],
        key: Float[Tensor, "S R d"] | None,
        key_padding_mask: Tensor | None = None,
        layer_state: Cache | None = None,
        attn_mask: Tensor | None = None,
        output_attentions: bool | None = False,
        **_: object,
    ) -> tuple[Float[Tensor, "T R d"], Tensor | None]:
        """A call like that of the attention whose place it takes."""
        if not self.num_heads:
            if not self.encoder_decoder_attention:
                _count_tokens(layer_state, self.layer_idx, query.transpose(0, 1))
            return self.out_proj(query[..., :0]), None
        key_RHSD, value_RHSD = self._keys_and_values(query, key, layer_state)
        scores_RHTS = (self._by_head(self.q_proj(query)) * self.scaling) @ key_RHSD.transpose(2, 3)
        if attn_mask is not None:
            scores_RHTS = scores_RHTS + attn_mask
        if key_padding_mask is not None and key_padding_mask.dim():
            padded = key_padding_mask[:, None, None]
            scores_RHTS = scores_RHTS.masked_fill(padded, torch.finfo(scores_RHTS.dtype).min)
        attention_RHTS = scores_RHTS.softmax(-1)
        context_TRx = (attention_RHTS @ value_RHSD).permute(2, 0, 1, 3).flatten(2)
        return self.out_proj(context_TRx), attention_RHTS if output_attentions else None

    def _keys_and_values(self, query: Tensor, key: Tensor | None, state: Cache | None) -> tuple[Tensor, Tensor]:
        """Keys and values of the tokens that are looked at; those of the source are computed once."""
        is_cross = self.encoder_decoder_attention
        looked_at = key if is_cross else query
        cache: Any = state
        if isinstance(state, EncoderDecoderCache):
            cache = state.cross_attention_cache if is_cross else state.self_attention_cache
            if is_cross and state.is_updated.get(self.layer_idx):
                return cache.layers[self.layer_idx].keys, cache.layers[self.layer_idx].values
        key_RHSD, value_RHSD = (self._by_head(projection(looked_at)) for projection in (self.k_proj, self.v_proj))
        if cache is None:
            return key_RHSD, value_RHSD
        if is_cross and isinstance(state, EncoderDecoderCache):
            state.is_updated[self.layer_idx] = True
        return cache.update(key_RHSD, value_RHSD, self.layer_idx)

    def _by_head(self, x: Float[Tensor, "T R x"]) -> Float[Tensor, "R H T D"]:
        return x.unflatten(-1, (self.num_heads, self.head_dim)).permute(1, 2, 0, 3)


class BiasedAttention(T5Attention):
    """T5's attention. The position bias is that of all original heads; each layer takes that of the heads it has."""

    heads_left: tuple[int, ...]

    def forward(
        self,
        hidden_states: Tensor,
        mask: Tensor | None = None,
        key_value_states: Tensor | None = None,
        position_bias: Tensor | None = None,
        past_key_values: Cache | None = None,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """A call like that of the attention whose place it takes."""
        is_cross = key_value_states is not None
        if not is_cross and position_bias is None:
            past = past_key_values.get_seq_length(self.layer_idx or 0) if past_key_values is not None else 0
            length = hidden_states.shape[1]
            position_bias = self.compute_bias(length, past + length, hidden_states.device, past)
        if not self.heads_left:
            if not is_cross:
                _count_tokens(past_key_values, self.layer_idx, hidden_states)
            return self.o(hidden_states[..., :0]), position_bias, None
        own = position_bias[:, list(self.heads_left)] if position_bias is not None and not is_cross else None
        made, _, weights = super().forward(
            hidden_states, mask, key_value_states, own, past_key_values=past_key_values, **options
        )
        return made, None if is_cross else position_bias, weights


class GroupProjection(nn.Linear):
    """Keys or values of groups, given out to query heads of which the groups have different numbers.

    `group_of_head` names the group of each query head, `head_dim` is D.
    """

    group_of_head: tuple[int, ...]
    head_dim: int

    def forward(self, input: Float[Tensor, "... d"]) -> Float[Tensor, "... x"]:
        """The projection, a part for each query head."""
        of_group = super().forward(input).unflatten(-1, (-1, self.head_dim))
        return of_group[..., list(self.group_of_head), :].flatten(-2)


def _count_tokens(cache: Any, layer: int | None, hidden: Float[Tensor, "R T d"]) -> None:
    """Let the cache of a layer that keeps no keys know how many tokens have passed: models ask their first layer."""
    if cache is not None:
        own: Any = cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache
        nothing = torch.zeros_like(hidden[:, None, :, :1])
        own.update(nothing, nothing, layer)
