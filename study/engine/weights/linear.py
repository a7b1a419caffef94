"""Linear layers that run on the fastest exact product of this machine, found by a short calibration.

On a CPU torch hands float32 products to one library (MKL) and low precision to another (oneDNN). oneDNN is the faster
for both where the weights are packed beforehand, by 1.1 to 2 times depending on the processor, and takes the activation
into the product. Its packed product is not a public function of torch, so it is used where it exists and is faster.
Both add up the same products in another order: they agree within rounding.
"""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from study.engine.blocks import worker_pool
from study.engine.memory import cpu_workers

CALIBRATION_ROWS = 512
CALIBRATION_ROUNDS = 6

ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
"""Largest difference of two right products, as a share of the largest value."""

Activation = Callable[[Tensor], Tensor]
FUSED: dict[str, tuple[str, str]] = {"relu": ("relu", ""), "gelu": ("gelu", "none"), "gelu_tanh": ("gelu", "tanh")}
"""Activations that oneDNN takes into the product: its name and variant of each."""
PLAIN: dict[str, Activation] = {
    "relu": functional.relu_,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
}


class Linear:
    """y = activation(x W' + b) for rows x, with fixed weights."""

    def __init__(
        self, weight: Float[Tensor, "out in"], bias: Float[Tensor, " out"] | None, activation: str | None = None
    ) -> None:
        """Pack the weights where that pays; their type is that of the products, the activation is one of `PLAIN`."""
        self.weight, self.bias = weight.contiguous(), None if bias is None else bias.contiguous()
        self.activation = activation
        pays = _packing_pays(tuple(weight.shape), activation, weight.dtype, weight.device)
        self._packed = _pack(self.weight) if pays else None

    def __call__(self, x: Float[Tensor, "rows in"]) -> Float[Tensor, "rows out"]:
        """The product."""
        if self._packed is not None:
            return _packed_product(x, self._packed, self.bias, self.activation)
        return _own_product(x, self.weight, self.bias, self.activation)


def _own_product(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
    y = functional.linear(x, weight, bias)
    return PLAIN[activation](y) if activation else y


def _packed_product(x: Tensor, packed: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
    name, variant = FUSED[activation] if activation else ("none", "")
    return torch.ops.mkldnn._linear_pointwise(x, packed, bias, name, [], variant)


def _pack(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight, CALIBRATION_ROWS)


@lru_cache(maxsize=256)
def _packing_pays(shape: tuple[int, int], activation: str | None, dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the packed product is there, right, and faster than torch's own on these shapes."""
    if device.type != "cpu" or not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    generator = torch.Generator().manual_seed(0)
    weight, bias, x = (
        torch.randn(size, generator=generator).to(dtype) for size in (shape, shape[:1], (CALIBRATION_ROWS, shape[1]))
    )
    try:
        packed = _pack(weight)
        found = _packed_product(x, packed, bias, activation).float()
    except (AttributeError, RuntimeError):  # another version of torch, another processor
        return False
    expected = _own_product(x, weight, bias, activation).float()
    if not torch.allclose(found, expected, rtol=0, atol=ROUNDING[dtype] * expected.abs().max().item()):
        return False
    ways = (
        lambda: _packed_product(x, packed, bias, activation),
        lambda: _own_product(x, weight, bias, activation),
    )
    with worker_pool(cpu_workers()) as pool:  # as blocks are computed, on one worker's share of the threads
        packed_time, own_time = pool.submit(_seconds, ways).result()
    return packed_time < own_time


def _seconds(ways: Sequence[Callable[[], object]]) -> list[float]:
    """Processor seconds of each way at its best, in turns; what else runs on the machine counts less in them."""

    def seconds(way: Callable[[], object]) -> float:
        start = time.process_time()
        way()
        return time.process_time() - start

    times = [[seconds(way) for way in ways] for _ in range(CALIBRATION_ROUNDS)]
    return [min(column) for column in zip(*times, strict=True)]
