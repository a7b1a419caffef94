"""What one pass of a model shows of its sites: the shapes that they read or give, and groups of keys and values."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from study.masking.attention_calls import Answer, AttentionCall, attention_calls
from study.masking.mlp_sites import MlpSite
from study.masking.sites import AttentionSite


@dataclass
class OnePass:
    """What was seen, by the names of sites.

    Attributes:
        inputs: shapes of what each projection read, call by call.
        outputs: shape of what each MLP gave first.
        calls: the last call of an attention function before a projection read, where there was one.
    """

    inputs: dict[str, list[torch.Size]] = field(default_factory=dict)
    outputs: dict[str, torch.Size] = field(default_factory=dict)
    calls: dict[str, AttentionCall] = field(default_factory=dict)
    _calls: list[AttentionCall] = field(default_factory=list)

    def watch(self, forward: Callable[[], object], sites: Sequence[AttentionSite], mlps: Sequence[MlpSite]) -> None:
        """Run a model and see."""
        with ExitStack() as stack:
            stack.enter_context(attention_calls(self._answer))
            for site in sites:
                stack.enter_context(site.projection.register_forward_pre_hook(self._reader(site)))
            for mlp in mlps:
                stack.enter_context(mlp.output.register_forward_hook(self._giver(mlp)))
            forward()

    def _answer(self, call: AttentionCall) -> Answer:
        self._calls.append(call)
        return call.attend()

    def _reader(self, site: AttentionSite) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def read(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self.inputs.setdefault(site.name, []).append(inputs[0].shape)
            if self._calls:
                self.calls[site.name] = self._calls[-1]
            self._calls.clear()

        return read

    def _giver(self, mlp: MlpSite) -> Callable[[nn.Module, Any, Any], None]:
        def give(_: nn.Module, __: Any, output: Any) -> None:
            self.outputs.setdefault(mlp.name, (output[0] if isinstance(output, tuple) else output).shape)

        return give
