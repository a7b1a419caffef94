"""Parts of tensors that move while the rest of them is still.

The numbers that are still are a buffer, those that move the only parameter: an optimizer has no state for the others,
and no weight decay reaches them.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from study.record.errors import InputError
from study.subjects.tasks.head_parts import Part, Parts

NAMED = 5
"""Tensors named in an error."""


class FreeSlice(nn.Module):
    """A tensor of which some rows or columns are a parameter, as a parametrisation of torch.

    Attributes:
        dim: axis along which they are counted.
        index: their places there.
        still: the tensor as it was; in the place of what moves its numbers play no part.
    """

    index: Tensor
    still: Tensor

    def __init__(self, whole: Float[Tensor, "..."], part: Part) -> None:
        """A tensor, and which part of it moves."""
        super().__init__()
        self.dim = part.dim
        self.register_buffer("index", part.index.to(whole.device), persistent=False)
        self.register_buffer("still", whole.detach().clone())

    def forward(self, free: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The whole tensor."""
        return self.still.index_copy(self.dim, self.index, free)

    def right_inverse(self, whole: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What moves of a tensor."""
        return whole.index_select(self.dim, self.index)


def free_slices(module: nn.Module, parts: Parts) -> None:
    """Let only these parts of a module's tensors move, in place; what else moves is as before.

    Args:
        module: the module; the weights of these tensors are then `parametrizations` of torch.
        parts: what moves, by the names of tensors in the module's state.
    """
    for name, part in parts.items():
        path, _, own = name.rpartition(".")
        around = module.get_submodule(path)
        whole = around.get_parameter(own)
        parametrize.register_parametrization(around, own, FreeSlice(whole, part))
        around.get_parameter(f"parametrizations.{own}.original").requires_grad_()


def plain_state(module: nn.Module) -> dict[str, Tensor]:
    """All tensors of a module by the names that they have without parametrisations, whole and without gradients."""
    stored: Mapping[str, Tensor] = module.state_dict()
    state = {name: tensor for name, tensor in stored.items() if ".parametrizations." not in f".{name}"}
    for path, part in module.named_modules():
        if parametrize.is_parametrized(part):
            names: nn.ModuleDict = part.parametrizations  # pyright: ignore[reportAssignmentType] so torch has it
            state |= {f"{path}.{name}".lstrip("."): getattr(part, name) for name in names}
    return {name: tensor.detach() for name, tensor in state.items()}


def require_still(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], parts: Parts, moved: frozenset[str]
) -> None:
    """Refuse a model in which a number has moved that was to be still.

    Args:
        before: its tensors before the first step.
        after: its tensors now.
        parts: which parts of tensors may have moved.
        moved: names of tensors that may have moved as a whole.

    Raises:
        InputError: names the tensors.
    """
    wrong = [name for name in before if name not in moved and not _is_still(before[name], after[name], parts.get(name))]
    if wrong:
        named = ", ".join(wrong[:NAMED]) + (f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else "")
        raise InputError(
            f"frozen weights have moved: {named}. Earlier tasks would not be kept to the last bit, so nothing is saved"
        )


def _is_still(before: Tensor, after: Tensor, part: Part | None) -> bool:
    """Whether a tensor has the same bits outside a part of it."""
    expected = before.to(after.device)
    if part is not None:
        expected = part.put(expected, part.read(after))
    return torch.equal(_bits(expected), _bits(after))


def _bits(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().flatten().view(torch.uint8)
