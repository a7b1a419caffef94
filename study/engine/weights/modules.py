"""Weights of single modules: linear layers and layer norms, and the error for what the engines cannot compute."""

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
"""Activations of `weights.linear` by the modules of torch and transformers that they are."""


class UnsupportedModelError(StudyError):
    """No fast engine has a forward pass for a model; the message says why."""


@dataclass(frozen=True)
class Norm:
    """A layer norm."""

    weight: Float[Tensor, " d"]
    bias: Float[Tensor, " d"]
    eps: float

    def __call__(self, x: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        """The normalised rows."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


def linear_weights(linear: nn.Module | None, name: str) -> tuple[Float[Tensor, "out in"], Float[Tensor, " out"]]:
    """Weight and bias of a linear layer, zeros where it has none.

    Raises:
        UnsupportedModelError: when the part of this name is no linear layer.
    """
    if not isinstance(linear, nn.Linear):
        raise UnsupportedModelError(f"{name} is a {type(linear).__name__}, not a Linear")
    weight = linear.weight.detach()
    return weight, weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.detach()


def layer_norm(norm: nn.Module | None, name: str) -> Norm:
    """A layer norm.

    Raises:
        UnsupportedModelError: when the part of this name is none, or one without weight and bias.
    """
    if not isinstance(norm, nn.LayerNorm) or norm.weight is None or norm.bias is None:
        raise UnsupportedModelError(f"{name} is a {type(norm).__name__}, not a LayerNorm with weight and bias")
    return Norm(norm.weight.detach(), norm.bias.detach(), norm.eps)
