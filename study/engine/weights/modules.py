"""Weights of single modules: linear layers and layer norms, and the error for what the engines cannot compute."""

from jaxtyping import Float
from torch import Tensor, nn

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


def linear_weights(linear: nn.Module | None, name: str) -> tuple[Float[Tensor, "out in"], Float[Tensor, " out"]]:
    """Weight and bias of a linear layer, zeros where it has none.

    Raises:
        UnsupportedModelError: when the part of this name is no linear layer.
    """
    if not isinstance(linear, nn.Linear):
        raise UnsupportedModelError(f"{name} is a {type(linear).__name__}, not a Linear")
    weight = linear.weight.detach()
    return weight, weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.detach()


def layer_norm(norm: nn.Module | None, name: str) -> nn.LayerNorm:
    """The part of this name as a layer norm.

    Raises:
        UnsupportedModelError: when it is none, or one without weight and bias.
    """
    if not isinstance(norm, nn.LayerNorm) or norm.weight is None or norm.bias is None:
        raise UnsupportedModelError(f"{name} is a {type(norm).__name__}, not a LayerNorm with weight and bias")
    return norm
