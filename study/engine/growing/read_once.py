"""Tokens that are read once for all masks: those before the first one on which masks act.

Every unit is on at them, so each layer computes them once for a sequence. Rows that grow have the tokens behind them
alone, and look back at their keys and values, which are seen and put in where the attention function is called.

Shapes: E sequences, R rows, P tokens that are read once, T tokens, G key/value groups, D size of a head, d width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.engine.growing.layer_inputs import LayerInputs
from study.engine.growing.row_axes import RowAxis
from study.engine.weights.modules import UnsupportedModelError
from study.masking.attention_calls import Answer, AttentionCall, attention_calls
from study.masking.gate import Gate


class ReadOnce:
    """The tokens of a pass that are read once, on their way through the layers.

    Attributes:
        number: P, how many there are: the first of each sequence.
    """

    def __init__(self, number: int, axes: Sequence[Sequence[int | None]], gate: Gate) -> None:
        """Begin before the first layer.

        Args:
            number: P.
            axes: for each layer, where its inputs have a number for each token.
            gate: it does not act on them.
        """
        self.number, self._axes, self._gate = number, axes, gate
        self._hidden: Float[Tensor, "E P d"] | None = None
        self._seen: list[AttentionCall] = []

    def step(
        self, layer: int, own: Callable[..., Any], inputs: LayerInputs, row_axes: Sequence[RowAxis | None]
    ) -> LayerInputs:
        """Go through a layer.

        Args:
            layer: its number.
            own: its forward pass.
            inputs: what it is given; before the first layer the hidden states of all tokens, later of those behind.
            row_axes: where inputs have rows for a sequence.

        Returns:
            The inputs for the tokens behind.

        Raises:
            UnsupportedModelError: when the layer does not call one attention function, once.
        """
        first, behind = slice(0, self.number), slice(self.number, None)
        hidden = inputs.hidden
        if self._hidden is None:
            self._hidden, hidden = hidden[:, first], hidden[:, behind]
        every = np.arange(len(self._hidden))
        call = inputs.at(first, first, self._axes[layer], self._hidden).some(every, every, row_axes)
        self._seen.clear()
        with self._gate.masked(None), attention_calls(self._keep):
            output = own(*call.args, **call.kwargs)
        if len(self._seen) != 1:
            raise UnsupportedModelError(f"layer {layer} calls {len(self._seen)} attention functions, and not one")
        self._hidden = output[0] if isinstance(output, tuple) else output
        return inputs.at(behind, slice(None), self._axes[layer], hidden)

    def _keep(self, call: AttentionCall) -> Answer:
        self._seen.append(call)
        return call.attend()

    @contextmanager
    def before(self, sequences: Int[np.ndarray, " R"]) -> Iterator[None]:
        """Within the block, rows of these sequences see the tokens in the layer that was gone through last."""
        with attention_calls(partial(self._look_back, torch.from_numpy(sequences))):
            yield

    def _look_back(self, sequences: Int[Tensor, " R"], call: AttentionCall) -> Answer:
        (kept,) = self._seen
        rows = sequences.to(call.value.device)
        return call.behind(kept.key[rows], kept.value[rows]).attend()
