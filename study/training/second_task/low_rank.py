"""Low-rank updates of the attention's projections, a control of teaching free heads (LoRA, Hu et al. 2022).

peft makes and trains them. What a task keeps are the projections with its updates added, whole, in its own file: a task
is then loaded as any other, without peft.
"""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from jaxtyping import Float
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import PreTrainedModel

from study.record.units import Head
from study.reuse.options import LowRank
from study.subjects.tasks.head_parts import HeadParts, Parts
from study.training.second_task.method import Method

ADAPTER = "later"
"""The name by which peft has the updates."""


class LowRankMethod(Method):
    """Moves updates of low rank, one beside each projection of each attention layer.

    Attributes:
        rank: rank of the updates, known once it has begun.
    """

    rank: int

    def __init__(self, reuse: LowRank) -> None:
        """The rank is given, or follows from the free heads."""
        super().__init__()
        self._reuse = reuse

    def begin(self, model: PreTrainedModel, heads: HeadParts, free: Collection[Head]) -> None:
        """See `Method.begin`."""
        names, reuse = heads.projections(), self._reuse
        self.rank = reuse.rank or nearest_rank(model, names, heads.parts(free))
        settings: dict[str, Any] = {
            "r": self.rank,
            "lora_alpha": 2 * self.rank if reuse.alpha is None else reuse.alpha,
            "target_modules": [name.removesuffix(".weight") for name in names],
        }
        inject_adapter_in_model(LoraConfig(**settings), model, ADAPTER)
        for layer in _updated(model).values():
            _let_hooks_stand_before(layer)

    def moved(self, model: PreTrainedModel) -> frozenset[str]:
        """See `Method.moved`: the projections, in which the updates end up."""
        others = {name for name in super().moved(model) if ".lora_" not in name}
        return frozenset(others | {f"{path}.weight" for path in _updated(model)})

    def state(self, model: PreTrainedModel) -> Mapping[str, Tensor]:
        """See `Method.state`; the updates are added."""
        plain = {name: tensor for name, tensor in super().state(model).items() if ".lora_" not in name}
        found = {name.replace(".base_layer.", "."): tensor for name, tensor in plain.items()}
        return found | {f"{path}.weight": _with_update(layer) for path, layer in _updated(model).items()}


def nearest_rank(model: nn.Module, names: Collection[str], parts: Parts) -> int:
    """The rank of updates that have about as many numbers as parts of tensors; at least 1.

    Args:
        model: has the tensors.
        names: the weights that have an update each, of rows + columns numbers a rank.
        parts: the parts whose numbers are counted.
    """
    of_rank_1 = sum(sum(model.get_parameter(name).shape) for name in names)
    numbers = sum(part.read(model.get_parameter(name)).numel() for name, part in parts.items())
    return max(1, round(numbers / of_rank_1))


def _updated(model: nn.Module) -> dict[str, LoraLayer]:
    """The projections that have an update, by their path."""
    return {path: part for path, part in model.named_modules() if isinstance(part, LoraLayer)}


def _let_hooks_stand_before(layer: Any) -> None:
    """Let what stands before a projection, as the gate of its heads does, stand before its update too."""
    hooks = layer.get_base_layer()._forward_pre_hooks
    for hook in hooks.values():
        layer.register_forward_pre_hook(hook)
    hooks.clear()


@torch.no_grad()
def _with_update(layer: Any) -> Float[Tensor, "rows columns"]:
    """The weight of a projection with its update."""
    return layer.get_base_layer().weight + layer.get_delta_weight(ADAPTER)
