"""What a later task is taught to, beside its own output layer: one class a method of `conf/reuse`."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping

from torch import Tensor, nn
from transformers import PreTrainedModel

from study.record.units import Head
from study.reuse.options import FreeHeads
from study.subjects.tasks.head_parts import HeadParts, Parts
from study.training.second_task.free_slices import free_slices, plain_state


class Method(ABC):
    """A way to teach a later task to a model.

    Attributes:
        parts: parts of shared tensors that move.
    """

    parts: Parts

    def __init__(self) -> None:
        """Nothing moves yet."""
        self.parts = {}

    @abstractmethod
    def begin(self, model: PreTrainedModel, heads: HeadParts, free: Collection[Head]) -> None:
        """Let what it teaches require gradients; when it is called, nothing of the model does.

        Args:
            model: the model, which it may change in place as long as it computes the same.
            heads: where the numbers of its heads are.
            free: the free heads.
        """

    def moved(self, model: PreTrainedModel) -> frozenset[str]:
        """Names, as `state` has them, of tensors that move as a whole: the later task has them for itself."""
        named = model.named_parameters(remove_duplicate=False)  # also the second names of what parts share
        return frozenset(name for name, parameter in named if parameter.requires_grad)

    def state(self, model: PreTrainedModel) -> Mapping[str, Tensor]:
        """All tensors as the model computes with them, by the names that it had for them before `begin`."""
        return plain_state(model)


class FreeHeadsMethod(Method):
    """Moves the numbers of free heads."""

    def __init__(self, reuse: FreeHeads) -> None:
        """Which of their numbers move is an option."""
        super().__init__()
        self._reuse = reuse

    def begin(self, model: PreTrainedModel, heads: HeadParts, free: Collection[Head]) -> None:
        """See `Method.begin`."""
        self.parts = heads.parts(free, biases=self._reuse.biases)
        free_slices(model, self.parts)

    def moved(self, model: PreTrainedModel) -> frozenset[str]:
        """See `Method.moved`."""
        return frozenset(name for name in super().moved(model) if ".parametrizations." not in f".{name}")


class OutputLayerMethod(Method):
    """Moves nothing beside the output layer."""

    def begin(self, model: PreTrainedModel, heads: HeadParts, free: Collection[Head]) -> None:
        """See `Method.begin`."""


class BiasesAndNormsMethod(Method):
    """Moves biases and norms, which are vectors."""

    def begin(self, model: PreTrainedModel, heads: HeadParts, free: Collection[Head]) -> None:  # noqa: ARG002
        """See `Method.begin`."""
        for parameter in _body(model):
            parameter.requires_grad_(parameter.ndim <= 1)


class AllWeightsMethod(Method):
    """Moves all weights, of which none is kept for earlier tasks but their output layers."""

    def begin(self, model: PreTrainedModel, heads: HeadParts, free: Collection[Head]) -> None:  # noqa: ARG002
        """See `Method.begin`."""
        for parameter in _body(model):
            parameter.requires_grad_()


def _body(model: PreTrainedModel) -> Iterator[nn.Parameter]:
    """The weights below the output layer."""
    yield from model.base_model.parameters()
