"""Parts that every model taken apart is made of, and the error for what the engine cannot take apart."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from study.record.errors import StudyError

ACTIVATIONS = {
    "ReLU": "relu",
    "GELUActivation": "gelu",
    "NewGELUActivation": "gelu_tanh",
    "GELUTanh": "gelu_tanh",
    "PytorchGELUTanh": "gelu_tanh",
}
"""Activation modules of torch and transformers that the engine has."""


class UnsplittableError(StudyError):
    """A model is not of a form that the engine can take apart; the message says why."""


@dataclass(frozen=True)
class Norm:
    """A layer norm."""

    weight: Float[Tensor, " d"]
    bias: Float[Tensor, " d"]
    eps: float

    def __call__(self, x: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        """The normalised rows."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


def weights_of(linear: nn.Module | None, name: str) -> tuple[Float[Tensor, "out in"], Float[Tensor, " out"]]:
    """Weight and bias of a linear layer, zeros where it has none.

    Raises:
        UnsplittableError: when the part of this name is no linear layer.
    """
    if not isinstance(linear, nn.Linear):
        raise UnsplittableError(f"{name} is a {type(linear).__name__}, not a Linear")
    weight = linear.weight.detach()
    return weight, weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.detach()


def norm_of(norm: nn.Module | None, name: str) -> Norm:
    """A layer norm.

    Raises:
        UnsplittableError: when the part of this name is none, or one without weight and bias.
    """
    if not isinstance(norm, nn.LayerNorm) or norm.weight is None or norm.bias is None:
        raise UnsplittableError(f"{name} is a {type(norm).__name__}, not a LayerNorm with weight and bias")
    return Norm(norm.weight.detach(), norm.bias.detach(), norm.eps)
