"""Transformers' own layers, through which a batch grows: no code for any architecture.

Before each layer the rows of masks that part in it are repeated, and the gate turns off in it what each of these masks
turns off. The layer stays as transformers has it. Rows go through it some at a time, so that what it computes within
stays in the caches of a processor, and memory holds little more than the hidden states before and after it.

Shapes: E sequences that a pass starts with, R rows before a layer and N after it, T tokens, d width.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from study.engine.growing.branches import Branches
from study.engine.growth import Growth, RowPlan
from study.masking.gate import Gate


@dataclass
class LayerInputs:
    """What a layer is given, by name.

    Attributes:
        hidden: the hidden states.
        others: all else; what has a row for each sequence of the pass, or the same for all.
    """

    signature: inspect.Signature
    name: str
    hidden: Float[Tensor, "R T d"]
    others: dict[str, Any]

    @classmethod
    def bound(cls, signature: inspect.Signature, args: Sequence[Any], kwargs: dict[str, Any]) -> "LayerInputs":
        """The inputs of a call; hidden states come first."""
        others = signature.bind(*args, **kwargs).arguments
        name = next(iter(others))
        return cls(signature, name, others.pop(name), others)

    def look(self, branches: Branches) -> None:
        """Give the layer the mask of packed sequences."""
        self.others["attention_mask"] = branches.mask(self.others.get("attention_mask"))

    def some(
        self, rows: Int[np.ndarray, " N"], sequences: Int[np.ndarray, " N"], number: int
    ) -> inspect.BoundArguments:
        """The inputs for some rows, whose sequences are these of so many."""
        chosen = torch.from_numpy(sequences)
        others = {name: _rows(value, chosen, number) for name, value in self.others.items()}
        ordered = {name: others.get(name) for name in self.signature.parameters if name in others}
        return inspect.BoundArguments(self.signature, {self.name: _take(self.hidden, rows), **ordered})  # type: ignore[arg-type]


@dataclass
class _Pass:
    """A forward pass under way.

    Attributes:
        plan: how its rows grow.
        xi: the masks.
        pair_masks: the mask of each pair.
        branches: how tokens look at each other; None where sequences are plain.
        row_sequences: the sequence of each row before the next layer.
    """

    plan: RowPlan
    xi: Float[Tensor, "M width"]
    pair_masks: Int[np.ndarray, " P"]
    branches: Branches | None
    row_sequences: Int[np.ndarray, " R"]


class GrowingLayers:
    """The layers of a decoder, and the pass that is under way through them."""

    def __init__(self, layers: Sequence[nn.Module], gate: Gate, product_tokens: int) -> None:
        self._layers, self._gate, self._product_tokens = list(layers), gate, product_tokens
        self._pass: _Pass | None = None

    @contextmanager
    def growing(
        self,
        plan: RowPlan,
        xi: Float[Tensor, "M width"],
        pair_masks: Int[np.ndarray, " P"],
        branches: Branches | None = None,
    ) -> Iterator[None]:
        """Within the block a forward pass over the sequences of a plan gives hidden states of its last rows."""
        self._pass = _Pass(plan, xi, pair_masks, branches, np.arange(len(plan.examples)))
        before = [vars(layer).get("forward") for layer in self._layers]  # accelerate puts its own there
        for number, layer in enumerate(self._layers):
            own = layer.forward
            layer.forward = partial(self._forward, number, own, inspect.signature(own))  # type: ignore[method-assign]
        try:
            yield
        finally:
            self._pass = None
            for layer, own in zip(self._layers, before, strict=True):
                del layer.forward  # that of its class is behind it
                if own is not None:
                    layer.forward = own  # type: ignore[method-assign]

    def _forward(
        self, number: int, own: Callable[..., Any], signature: inspect.Signature, *args: Any, **kwargs: Any
    ) -> Any:
        """A layer's forward pass: as its own, for rows that grow."""
        assert self._pass is not None
        run, growth = self._pass, self._pass.plan.layers[number]
        inputs = LayerInputs.bound(signature, args, kwargs)
        if run.branches is not None:
            inputs.look(run.branches)
        sequences = run.row_sequences[growth.parent]
        at_once = max(1, self._product_tokens // inputs.hidden.shape[1])
        if torch.is_grad_enabled():
            at_once = len(sequences)  # the gate has a row for each
        collected = _Rows(len(sequences))
        for start in range(0, len(sequences), at_once):
            rows = slice(start, start + at_once)
            call = inputs.some(growth.parent[rows], sequences[rows], len(run.plan.examples))
            with self._masked(growth, rows):
                collected.add(own(*call.args, **call.kwargs))
        run.row_sequences = sequences
        return collected.output()

    @contextmanager
    def _masked(self, growth: Growth, rows: slice) -> Iterator[None]:
        """The gate set to what rows after a layer turn off in it; untouched where that is nothing."""
        assert self._pass is not None
        with ExitStack() as stack:
            if not growth.on[rows].all():
                masks = torch.from_numpy(self._pass.pair_masks[growth.first_pair[rows]]).to(self._pass.xi.device)
                stack.enter_context(self._gate.masked(self._pass.xi))
                stack.enter_context(self._gate.part(masks))
            yield


class _Rows:
    """Hidden states of rows that come some at a time, in the form in which the layer gives them."""

    def __init__(self, number: int) -> None:
        self._number, self._filled = number, 0
        self._hidden: Tensor | None = None
        self._rest: tuple[Any, ...] | None = None

    def add(self, output: Any) -> None:
        hidden, self._rest = (output[0], output[1:]) if isinstance(output, tuple) else (output, None)
        if len(hidden) == self._number:
            self._hidden = hidden
            return
        collected = self._hidden if self._hidden is not None else hidden.new_empty(self._number, *hidden.shape[1:])
        collected[self._filled : self._filled + len(hidden)] = hidden
        self._hidden = collected
        self._filled += len(hidden)

    def output(self) -> Any:
        return self._hidden if self._rest is None else (self._hidden, *self._rest)


def _take(hidden: Float[Tensor, "R T d"], rows: Int[np.ndarray, " N"]) -> Float[Tensor, "N T d"]:
    """Some rows; not copied where they stand one after the other."""
    if rows[-1] - rows[0] == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
        return hidden[rows[0] : rows[-1] + 1]
    return hidden.index_select(0, torch.from_numpy(rows).to(hidden.device))


def _rows(value: Any, sequences: Int[Tensor, " N"], number: int) -> Any:
    """What there is for each of so many sequences, for those of some rows; anything else as it is."""
    if isinstance(value, Tensor):
        is_for_each = number > 1 and value.dim() > 0 and len(value) == number
        return value.index_select(0, sequences.to(value.device)) if is_for_each else value
    if isinstance(value, dict):
        return {name: _rows(part, sequences, number) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_rows(part, sequences, number) for part in value)
    return value
