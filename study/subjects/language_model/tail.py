"""The tail of a language model: what its module makes of last hidden states, wherever they come from.

The output matrix is only a part of it: Gemma caps logits, Cohere and Granite scale them. So the module's own code runs,
with a stand-in for its layers that hands on the hidden states it is given. Words are then computed where they are
scored, and nowhere else.

Shapes: R rows, T tokens, d width, N hidden states anywhere, V words.
"""

from collections.abc import Callable
from copy import copy
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from study.record.errors import InputError

ROUNDING = 1e-4
"""Largest difference from the whole module, as a share of its largest logit, that rounding may explain."""


class Tail:
    """A module in two parts that together are the whole: layers, and what comes behind them.

    Attributes:
        layers: the part that reads tokens and gives hidden states.
    """

    def __init__(self, module: PreTrainedModel, ids: Int[Tensor, "R T"]) -> None:
        """Find the two parts, and prove on some tokens that they are the whole.

        Raises:
            InputError: when they are not.
        """
        self.layers = _called_part(module, ids)
        output = self.layers(input_ids=ids, use_cache=False)
        self._shell = with_stand_in(module, self.layers, _StandIn(self.layers, type(output)))
        whole, parts = module(input_ids=ids, use_cache=False).logits, self(output.last_hidden_state.flatten(0, 1))
        difference = (parts - whole.flatten(0, 1)).abs().max() / (whole.abs().max() or 1.0)
        if not difference <= ROUNDING:
            raise InputError(f"the logits of {type(module).__name__} do not follow from its last hidden states alone")

    def hidden(self, ids: Int[Tensor, "R T"]) -> Float[Tensor, "R T d"]:
        """The last hidden states."""
        return self.layers(input_ids=ids, use_cache=False).last_hidden_state

    def __call__(self, hidden: Float[Tensor, "N d"]) -> Float[Tensor, "N V"]:
        """The logits after each of some hidden states."""
        return self._shell(inputs_embeds=hidden[None]).logits[0]


class _StandIn(nn.Module):
    """Stands for the layers of a model: its output is the input, all else is theirs."""

    def __init__(self, layers: nn.Module, output: Callable[..., Any]) -> None:
        super().__init__()
        self._layers, self._output = (layers,), output  # no part of this module

    def __getattr__(self, name: str) -> Any:
        """What the module around asks its layers for (Falcon-H1 has a factor there)."""
        return getattr(self._layers[0], name)

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> Any:
        """A call like that of the part whose place it takes."""
        return self._output(last_hidden_state=inputs_embeds)


def _called_part(module: PreTrainedModel, ids: Int[Tensor, "R T"]) -> nn.Module:
    """The layers that a module's own forward pass calls: its base model, or what that consists of (OPT)."""
    candidates = [module.base_model, module.get_decoder()]
    called: list[nn.Module] = []
    hooks = [part.register_forward_pre_hook(lambda part, _: called.append(part)) for part in candidates]
    try:
        module(input_ids=ids, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    part = next((part for part in candidates if part is not module and any(part is one for one in called)), None)
    if part is None:
        raise InputError(f"{type(module).__name__} has no part that gives its last hidden states")
    return part


def with_stand_in(module: nn.Module, part: nn.Module, stand_in: nn.Module) -> nn.Module:
    """A module that shares all with another, but has a stand-in where that has a part; the other stays as it is."""
    shell = copy(module)
    vars(shell).pop("forward", None)  # accelerate puts one there that runs the other module
    shell._modules = {
        name: stand_in
        if child is part
        else with_stand_in(child, part, stand_in)
        if child and _has(child, part)
        else child
        for name, child in module._modules.items()
    }
    return shell


def _has(module: nn.Module, part: nn.Module) -> bool:
    return any(one is part for one in module.modules())
