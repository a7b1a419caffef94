"""Calls of transformers' attention functions, seen and changed while a model computes.

Most models of transformers hand queries, keys and values to one function that computes the contexts of all heads (its
attention interface): what the heads of a layer are, and which of them share keys and values, is seen there.

Shapes: R rows, T tokens, S tokens that are looked at, H query heads, G key/value groups, D size of a head.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from transformers import AttentionInterface


@dataclass(frozen=True)
class AttentionCall:
    """One call of an attention function.

    Attributes:
        module: the attention that calls it.
        value: the values.
    """

    module: nn.Module
    value: Float[Tensor, "R G S D"]
    _query: Float[Tensor, "R H T d"]
    _compute: Callable[[Tensor], tuple[Tensor, Any]]

    @property
    def num_heads(self) -> int:
        """H, the query heads."""
        return self._query.shape[1]

    @property
    def num_groups(self) -> int:
        """G, the key/value groups."""
        return self.value.shape[1]

    def attend(self, value: Float[Tensor, "R G S D"] | None = None) -> tuple[Float[Tensor, "R T H D"], Any]:
        """The contexts of all heads and what else the function gives; with other values where they are given."""
        return self._compute(self.value if value is None else value)


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
            return answer(
                AttentionCall(module, value, query, lambda value: attend(module, query, key, value, *inputs, **options))
            )

        return attend_and_tell

    AttentionInterface.get_interface = get_interface
    try:
        yield
    finally:
        AttentionInterface.get_interface = plain
