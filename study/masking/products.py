"""Products of attention weights and values, seen where an attention computes them itself.

A softmax over keys is followed by one product of as many weights with something: that is what the model uses, whatever
it did to the weights in between.

Shapes: as in `patterns`; B rows and heads, in one or apart; A the same, as the softmax has them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

SOFTMAX = {torch.softmax, Tensor.softmax, functional.softmax}
PRODUCT = {torch.matmul, torch.bmm, Tensor.matmul, Tensor.bmm, Tensor.__matmul__}

HIDDEN = 4096.0
"""How far below the largest score of a query one must be to stand for a masked key; few models say -inf."""


@dataclass(frozen=True)
class Product:
    """One product of weights and values."""

    weights: Float[Tensor, "*B T S"]
    value: Float[Tensor, "*B S D"]
    scores: Float[Tensor, "*A T S"]

    def by_heads(
        self, num_rows: int, num_heads: int
    ) -> tuple[Float[Tensor, "R H T S"], Float[Tensor, "R G S D"], Bool[Tensor, "R T S"]]:
        """Weights, values, and which keys each query may look at."""
        tokens = self.weights.shape[-2:]
        weights = self.weights.reshape(num_rows, num_heads, *tokens)
        value = self.value.reshape(num_rows, -1, *self.value.shape[-2:])
        scores = self.scores.reshape(num_rows, num_heads, *tokens)[:, 0]
        return weights, value, scores > scores.amax(-1, keepdim=True) - HIDDEN


class Products(TorchFunctionMode):
    """Within its block, the last product of weights and values is kept until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._scores: Tensor | None = None
        self._last: Product | None = None

    def __torch_function__(
        self, func: Callable[..., Any], _types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute what was called, and look at it."""
        if func in SOFTMAX:
            self._scores = args[0] if args else (kwargs or {})["input"]
        elif func in PRODUCT and self._scores is not None and self._is_product(*args[:2]):
            self._last = Product(args[0], args[1], self._scores)
            self._scores = None
        return func(*args, **(kwargs or {}))

    def _is_product(self, weights: Any = None, value: Any = None) -> bool:
        scores = self._scores
        if scores is None or not (isinstance(weights, Tensor) and isinstance(value, Tensor)):
            return False
        return weights.numel() == scores.numel() and weights.shape[-2:] == scores.shape[-2:]

    def take(self) -> Product | None:
        """The last product, which is then forgotten; None where there was none since the one before."""
        last, self._last, self._scores = self._last, None, None
        return last
