"""What a layer asks of a GPU: counted operator by operator, against the formula by hand."""

import pytest
import torch

from benchmarks.counted.traffic import SHAPES, formula, traffic
from benchmarks.sizes import Shape


@pytest.mark.parametrize("shape", [*SHAPES.values(), Shape(3, 4, 8, 20)])
def test_operations_are_those_of_the_formula(shape: Shape) -> None:
    assert traffic(shape, examples=4, length=16).flops == formula(shape, examples=4, length=16)


def test_low_precision_moves_fewer_bytes_for_the_same_operations() -> None:
    shape = Shape(2, 4, 128, 512)
    float32, bfloat16 = (traffic(shape, 8, 16, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert float32.flops == bfloat16.flops
    assert 0.5 <= bfloat16.product_bytes / float32.product_bytes < 0.75
