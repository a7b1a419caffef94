"""What a layer of the upward pass asks of a GPU: floating-point operations, and bytes between its memory and the chip.

Nothing is computed: tensors that have a shape and no numbers go through the engine's own pass, by the ways that it
takes on a GPU, and every operator is noted. That the pass runs so proves too that it never waits for a number from the
device (it would stop there). What is told is arithmetic, not speed.

    python -m benchmarks.counted.traffic
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import unwrap
from typing import Any
from unittest.mock import patch

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from benchmarks.engine.sweeps import single_heads_off
from benchmarks.sizes import Shape
from study.engine.bottom_up import forward_pass
from study.engine.bottom_up.forward_pass import BottomUpPass
from study.engine.growth import plan_rows
from study.engine.memory import GPU_PRODUCT
from study.engine.pairs import Pairs
from study.engine.prefixes import attention_stages
from study.engine.weights import linear as linear_module
from study.engine.weights.classifier import ClassifierLayer, ClassifierWeights
from study.engine.weights.linear import Linear
from study.masking.stand_ins import Zero
from study.record.units import AttentionKind, HeadLayout

SHAPES: Mapping[str, Shape] = {
    "MiniLM": Shape(6, 12, 384, 1536),
    "BERT-base": Shape(12, 12, 768, 3072),
    "an encoder of WMT's big shape": Shape(6, 16, 1024, 4096),
}
LABELS = 3

ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda query, key, value, *_, **__: sdpa_flop_count(
        query, key, value
    )
}
"""The fused kernel by the name that it has where there is no GPU; it reads and writes what the GPU's does."""

PRODUCTS = {"addmm", "mm", "bmm"}
PICKING = {"index", "index_select"}
"""Operators that read of their source no more than they write."""
NOTHING = {"device", "empty", "new_empty"}
"""Operators that touch no number."""


@dataclass(frozen=True)
class Traffic:
    """What a pass asks for.

    Attributes:
        flops: floating-point operations of its matrix products, two for each multiply-add.
        product_bytes: bytes that these read and write.
        other_bytes: bytes that all else reads and writes: attention's own kernel, norms, sums, activations, copies.
    """

    flops: int
    product_bytes: int
    other_bytes: int


class _Bytes(TorchDispatchMode):
    """Counts what operators read and write, each tensor once an operator; views cost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.products = self.others = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if func.is_view or name in NOTHING:
            return made
        written, read = _bytes(made), _bytes(args[1:] if name == "copy_" else args)
        if name in PICKING:
            read = written + _bytes(args[1:])
        if name in PRODUCTS:
            self.products += written + read
        else:
            self.others += written + read
        return made


def _bytes(tree: Any) -> int:
    return sum(x.numel() * x.element_size() for x in tree_leaves(tree) if isinstance(x, Tensor))


def traffic(shape: Shape, examples: int, length: int, dtype: torch.dtype = torch.float32) -> Traffic:
    """What an upward pass of all single heads off asks of a GPU.

    Args:
        shape: the model; nothing is counted of its embeddings.
        examples: examples of a block.
        length: tokens of each.
        dtype: the type of its products.
    """
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (shape.heads,) * shape.layers})
    plan = plan_rows(Pairs.every(single_heads_off(layout), examples), attention_stages(layout))
    with _shapes_only():
        upward = BottomUpPass(_weights(shape, dtype), GPU_PRODUCT)
        ids = torch.empty(examples, length, dtype=torch.long)
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=ATTENTION) as flops, _Bytes() as moved:
            unwrap(BottomUpPass.logits)(upward, ids, None, plan, Zero())
    return Traffic(flops.get_total_flops(), moved.products, moved.others)


@contextmanager
def _shapes_only() -> Iterator[None]:
    """Tensors have no numbers, and what depends on the device goes as on a GPU."""
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        patch.object(linear_module, "_packing_pays", lambda *_: False),
        patch.object(forward_pass, "_fused_attention_pays", lambda _: True),
    ):
        yield


def _weights(shape: Shape, dtype: torch.dtype) -> ClassifierWeights:
    d, f, heads, size = shape.width, shape.inner, shape.heads, shape.width // shape.heads

    def empty(*sizes: int, dtype: torch.dtype = dtype) -> Tensor:
        return torch.empty(*sizes, dtype=dtype)

    def linear(out: int, into: int, activation: str | None = None, dtype: torch.dtype = dtype) -> Linear:
        return Linear(empty(out, into, dtype=dtype), empty(out, dtype=dtype), activation)

    whole = torch.float32
    layer = ClassifierLayer(
        num_heads=heads,
        qkv=linear(3 * d, d),
        query=linear(d, d, dtype=whole),
        key_weight=empty(heads, size, d, dtype=whole),
        value_weight=empty(heads, size, d, dtype=whole),
        value_bias=empty(heads, 1, size, dtype=whole),
        out=linear(d, d),
        out_by_head=empty(heads, size, d),
        out_bias=empty(d, dtype=whole),
        attention_norm=nn.LayerNorm(d),
        up=linear(f, d, "gelu"),
        down=linear(d, f),
        output_norm=nn.LayerNorm(d),
    )
    head = linear(LABELS, d, dtype=whole)
    return ClassifierWeights(lambda ids, _: empty(*ids.shape, d, dtype=whole), [layer] * shape.layers, head, d)


def formula(shape: Shape, examples: int, length: int) -> int:
    """Operations of the same pass by hand, see `design/engine.md`; R rows before a layer, N after it."""
    d, f, heads, size = shape.width, shape.inner, shape.heads, shape.width // shape.heads
    total = 0
    for number in range(shape.layers - 1):
        before, after = examples * (1 + number * heads), examples * (1 + (number + 1) * heads)
        shared = before * length * (4 * d * d + 2 * length * d)  # queries, keys, values, output; attention
        off = (after - before) * length * size * d  # what one head adds, taken away
        total += shared + off + after * length * 2 * d * f
    before, after = examples * (1 + (shape.layers - 1) * heads), examples * (1 + shape.layers * heads)
    first = before * (3 * d * d + 2 * heads * length * d) + after * (d * d + 2 * d * f)
    return 2 * (total + first + after * d * LABELS)


def main() -> None:
    """Show every shape in both types."""
    table = Table("shape", "type", "TFLOP", "GB, products", "GB, all else", "flops a byte")
    for name, shape, dtype in ((n, s, t) for n, s in SHAPES.items() for t in (torch.float32, torch.bfloat16)):
        found = traffic(shape, EXAMPLES, LENGTH, dtype)
        moved = found.product_bytes + found.other_bytes
        table.add_row(
            name,
            str(dtype).removeprefix("torch."),
            f"{found.flops / 1e12:.3f}",
            f"{found.product_bytes / 1e9:.1f}",
            f"{found.other_bytes / 1e9:.1f}",
            f"{found.flops / moved:.0f}",
        )
    Console().print(f"All single heads off, {EXAMPLES} examples of {LENGTH} tokens")
    Console().print(table)


EXAMPLES, LENGTH = 32, 39

if __name__ == "__main__":
    main()
