"""Calls of transformers' attention functions, seen and changed while a model computes.

Most models of transformers hand queries, keys and values to one function that computes the contexts of all heads (its
attention interface): what the heads of a layer are, and which of them share keys and values, is seen there.

Shapes: R rows, T tokens, S tokens that are looked at, H query heads, G key/value groups, D size of a head.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import AttentionInterface


@dataclass(frozen=True)
class AttentionCall:
    """One call of an attention function.

    Attributes:
        module: the attention that calls it.
        query: the queries.
        value: the values.
    """

    module: nn.Module
    query: Float[Tensor, "R H T d"]
    value: Float[Tensor, "R G S D"]
    _key: Float[Tensor, "R G S d"]
    _inputs: tuple[Any, ...]
    _options: Mapping[str, Any]
    _function: Callable[..., tuple[Tensor, Any]]

    @property
    def num_heads(self) -> int:
        """H, the query heads."""
        return self.query.shape[1]

    @property
    def num_groups(self) -> int:
        """G, the key/value groups."""
        return self.value.shape[1]

    @property
    def num_queries(self) -> int:
        """T, the tokens that look."""
        return self.query.shape[2]

    def attend(self, value: Float[Tensor, "R G S D"] | None = None) -> tuple[Float[Tensor, "R T H D"], Any]:
        """The contexts of all heads and what else the function gives; with other values where they are given."""
        value = self.value if value is None else value
        return self._function(self.module, self.query, self._key, value, *self._inputs, **self._options)

    @property
    def key(self) -> Float[Tensor, "R G S d"]:
        """The keys."""
        return self._key

    def behind(self, key: Float[Tensor, "R G P d"], value: Float[Tensor, "R G P D"]) -> "AttentionCall":
        """The call with keys and values of other tokens before its own; what it may look at counts these already."""
        return replace(self, _key=torch.cat([key, self._key], dim=2), value=torch.cat([value, self.value], dim=2))

    def part(self, queries: slice) -> "AttentionCall":
        """The call for some of its queries; masks and biases [..., T, S] are cut with them."""

        def cut(one: Any) -> Any:
            fits = isinstance(one, Tensor) and one.dim() == 4 and one.shape[-2] == self.num_queries > 1
            return one[..., queries, :] if fits else one

        options = {name: cut(one) for name, one in self._options.items()}
        return replace(self, query=self.query[:, :, queries], _inputs=tuple(map(cut, self._inputs)), _options=options)

    @property
    def _is_causal(self) -> bool:
        """Whether tokens look back only where no mask says so, as sdpa and flash attention have it."""
        told = self._options.get("is_causal")
        return bool(getattr(self.module, "is_causal", False) if told is None else told) and self.num_queries > 1

    @property
    def visible(self) -> Bool[Tensor, "r T S"]:
        """Which tokens each query may look at; r is 1 where that is the same in all rows."""
        mask = self._inputs[0] if self._inputs else self._options.get("attention_mask")
        shape = (1, self.num_queries, self.value.shape[2])
        if not isinstance(mask, Tensor):
            seen = torch.ones(shape, dtype=torch.bool, device=self.query.device)
            return seen.tril(shape[2] - shape[1]) if self._is_causal else seen
        seen = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
        return seen[:, 0].expand(-1, *shape[1:])


Answer = tuple[Tensor, Any]
"""Contexts [R, T, H, D] and attention weights, as an attention function returns them."""


@contextmanager
def attention_calls(answer: Callable[[AttentionCall], Answer]) -> Iterator[None]:
    """Let `answer` see every call of an attention function within the block, and say what it returns."""
    plain = AttentionInterface.get_interface

    def get_interface(
        self: AttentionInterface, attn_implementation: str, default: Callable[..., Any]
    ) -> Callable[..., Any]:
        attend = plain(self, attn_implementation, default)

        def attend_and_tell(
            module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *inputs: Any, **options: Any
        ) -> Answer:
            return answer(AttentionCall(module, query, value, key, inputs, options, attend))

        return attend_and_tell

    AttentionInterface.get_interface = get_interface
    try:
        yield
    finally:
        AttentionInterface.get_interface = plain
