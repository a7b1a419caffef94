"""The value bias of each head: what attention gives where every hidden state is zero, as its weights sum to 1.

It is seen and not looked up by name: within an attention all projections but the output one are given zeros, so that
the values are their bias, whether one projection makes them or queries, keys and values together.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from study.masking.attention_calls import Answer, AttentionCall, attention_calls
from study.masking.sites import AttentionSite, is_matrix
from study.record.errors import InputError
from study.record.units import Layer

ROUNDING = 1e-5
"""Largest difference between tokens, as a share of the largest value, that rounding may explain."""


@torch.no_grad()
def value_biases(forward: Callable[[], object], sites: Sequence[AttentionSite]) -> dict[Layer, Float[Tensor, "1 H D"]]:
    """The value bias of the heads of each layer.

    Args:
        forward: runs the module on a batch.
        sites: its attention layers.

    Raises:
        InputError: when what attention gives of zeros is not the same at all tokens; names the layers.
    """
    seen = _Seen()
    own = [site for site in sites if site.num_heads]
    with ExitStack() as stack:
        stack.enter_context(attention_calls(seen.answer))
        for site in own:
            for part in site.attention.modules() if site.attention else ():
                if is_matrix(part) and part is not site.projection and not isinstance(part, nn.Embedding):
                    stack.callback(part.register_forward_pre_hook(_zeros).remove)
            stack.callback(site.projection.register_forward_pre_hook(seen.reader(site)).remove)
        forward()
    if unlike := [str(site) for site in own if not _is_constant(seen.found[site.kind, site.layer])]:
        raise InputError(
            f"replacement=value_bias: of hidden states of zero, attention gives other numbers at each token in "
            f"{', '.join(unlike)}: there is no value bias that stands for a head everywhere"
        )
    return {layer: found[:1, 0].clone() for layer, found in seen.found.items()}


def _zeros(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*map(torch.zeros_like, inputs[:1]), *inputs[1:])


def _is_constant(values: Float[Tensor, "R T H D"]) -> bool:
    largest = values.abs().max()
    return bool(((values - values[:1, :1]).abs().max() <= ROUNDING * largest).item()) and bool(largest.isfinite())


@dataclass
class _Seen:
    """What reaches each projection, or the values where an attention function is called."""

    found: dict[Layer, Float[Tensor, "R T H D"]] = field(default_factory=dict)
    _call: AttentionCall | None = None

    def answer(self, call: AttentionCall) -> Answer:
        """Keep a call until a projection reads what it gives."""
        self._call = call
        return call.attend()

    def reader(self, site: AttentionSite) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        """The hook that keeps what belongs to a projection."""

        def read(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if self._call is not None:
                value = self._call.value.repeat_interleave(self._call.num_heads // self._call.num_groups, dim=1)
                found = value.transpose(1, 2)
            else:
                found = inputs[0].movedim(site.batch_dim, 0).unflatten(-1, (site.num_heads, -1))
            self._call = None
            self.found[site.kind, site.layer] = found

        return read
