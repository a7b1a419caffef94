"""Transformers' own layers, through which a batch grows: no code for any architecture.

Before each layer the rows of masks that part in it are repeated, and the gate turns off in it what each of these masks
turns off. The layer stays as transformers has it. Rows go through it some at a time, so that what it computes within
stays in the caches of a processor, and memory holds little more than the hidden states before and after it.

Shapes: E sequences that a pass starts with, R rows before a layer and N after it, T tokens, d width.
"""

import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from study.engine.growing.branches import Branches
from study.engine.growing.layer_inputs import LayerInputs
from study.engine.growing.read_once import ReadOnce
from study.engine.growing.row_axes import RowAxis, row_axes, tensor_shapes, token_axes
from study.engine.growth import Growth, RowPlan
from study.masking.gate import Gate
from study.subjects.subject import to_device

LOOKED_BACK = 8
"""Tokens looked back at that weigh as much as one that goes through a layer, where rows go through some at a time."""

Forward = Callable[[Mapping[str, Tensor]], Tensor]
"""A forward pass over tokens, to hidden states."""


@dataclass
class _Pass:
    """A forward pass under way.

    Attributes:
        plan: how its rows grow.
        xi: the masks.
        pair_masks: the mask of each pair.
        examples: for each sequence the place of its example among those that what stands in was made for.
        branches: how tokens look at each other; None where sequences are plain.
        axes: for each layer where its inputs have rows for a sequence.
        row_sequences: the sequence of each row before the next layer.
        keeps: whether the model goes on behind the last layer with rows and tokens of the sequences alone.
        read_once: the tokens that are read once for all rows; None where there are none.
        last: all rows behind the last layer, where it does.
    """

    plan: RowPlan
    xi: Float[Tensor, "M width"]
    pair_masks: Int[np.ndarray, " P"]
    examples: Int[np.ndarray, " E"]
    branches: Branches | None
    axes: Sequence[Sequence[RowAxis | None]]
    row_sequences: Int[np.ndarray, " R"]
    keeps: bool
    read_once: ReadOnce | None
    last: Tensor | None = None


class GrowingLayers:
    """The layers of a decoder, and the pass that is under way through them."""

    def __init__(self, layers: Sequence[nn.Module], gate: Gate, product_tokens: int) -> None:
        self._layers, self._gate, self._product_tokens = list(layers), gate, product_tokens
        self._pass: _Pass | None = None
        self._axes: dict[Hashable, Sequence[Sequence[RowAxis | None]]] = {}
        self._takes_rows: bool | None = None
        self._rests: list[tuple[Any, ...] | None] = []

    def grown(
        self,
        plan: RowPlan,
        xi: Float[Tensor, "M width"],
        pair_masks: Int[np.ndarray, " P"],
        examples: Int[np.ndarray, " E"],
        forward: Forward,
        inputs: Mapping[str, Tensor],
        branches: Branches | None = None,
    ) -> Float[Tensor, "R T d"]:
        """The last hidden states of all rows of a plan.

        Args:
            plan: how rows grow.
            xi: masks.
            pair_masks: the mask of each pair.
            examples: for each sequence the place of its example among those that what stands in was made for.
            forward: the forward pass of the model that the layers are in, up to its last hidden states.
            inputs: what it reads, a row for each sequence.
            branches: how tokens look at each other; None where sequences are plain.
        """
        axes = self._row_axes(forward, inputs, packed=branches is not None)
        if self._takes_rows is None:
            self._takes_rows = self._tries_rows(forward, inputs)
        sequences = np.arange(len(plan.examples))
        once = None
        if branches is not None and branches.read_once:
            once = ReadOnce(branches.read_once, self._token_axes(forward, inputs), self._gate)
        keeps = once is not None or not self._takes_rows
        run = self._pass = _Pass(plan, xi, pair_masks, examples, branches, axes, sequences, keeps, once)
        try:
            with self._replaced(self._forward):
                hidden = forward(inputs)
        finally:
            self._pass = None
        return hidden if run.last is None else self._ended(forward, inputs, run.last, run.row_sequences)

    def _row_axes(
        self, forward: Forward, inputs: Mapping[str, Tensor], *, packed: bool
    ) -> Sequence[Sequence[RowAxis | None]]:
        """Where the inputs of each layer have rows for a sequence, learned once for each length.

        Hidden states go through these passes as they are: only what else layers are given is looked at.
        """
        shape = (packed, *(value.shape[1] for value in inputs.values()))
        if shape not in self._axes:
            seen: list[list[list[torch.Size]]] = []
            for number in (1, 2):
                seen.append([])
                with self._replaced(partial(self._look, seen[-1], packed)), torch.no_grad():
                    forward({name: value[:1].expand(number, *value.shape[1:]) for name, value in inputs.items()})
            self._axes[shape] = [row_axes(*shapes) for shapes in zip(*seen, strict=True)]
        return self._axes[shape]

    def _token_axes(self, forward: Forward, inputs: Mapping[str, Tensor]) -> Sequence[Sequence[int | None]]:
        """Where the inputs of each layer have a number for each token of a packed sequence."""
        seen: list[list[list[torch.Size]]] = []
        for shorter in (0, 1):
            seen.append([])
            with self._replaced(partial(self._look, seen[-1], True)), torch.no_grad():
                forward({name: value[:1, : value.shape[1] - shorter] for name, value in inputs.items()})
        return [token_axes(*shapes) for shapes in zip(*seen, strict=True)]

    def _tries_rows(self, forward: Forward, inputs: Mapping[str, Tensor]) -> bool:
        """Whether the model takes more rows from its layers than it gave them (GPT-BigCode does not)."""

        def double(number: int, _: Callable[..., Any], signature: inspect.Signature, *args: Any, **kwargs: Any) -> Any:
            hidden = LayerInputs.bound(signature, args, kwargs).hidden
            return self._output(number, hidden if number else torch.cat([hidden, hidden]))

        try:
            with self._replaced(double), torch.no_grad():
                return len(forward(inputs)) == 2 * len(inputs["input_ids"])
        except RuntimeError:
            return False

    def _ended(
        self, forward: Forward, inputs: Mapping[str, Tensor], last: Float[Tensor, "R T d"], sequences: np.ndarray
    ) -> Float[Tensor, "R T d"]:
        """What the model makes of rows behind its last layer, where it wants to have been given as many."""
        at_once, parts = max(1, self._product_tokens // last.shape[1]), []
        for start in range(0, len(last), at_once):
            rows = slice(start, start + at_once)

            def hand(number: int, *_: Any, rows: slice = rows, **__: Any) -> Any:
                return self._output(number, last[rows])

            chosen = to_device(torch.from_numpy(sequences[rows]), last.device)
            with self._replaced(hand):
                own = {name: value[chosen.to(value.device), -last.shape[1] :] for name, value in inputs.items()}
                parts.append(forward(own))
        return torch.cat(parts)

    @contextmanager
    def _replaced(self, forward: Callable[..., Any]) -> Iterator[None]:
        """Within the block each layer is called by this, which is given its number and own forward pass first."""
        before = [vars(layer).get("forward") for layer in self._layers]  # accelerate puts its own there
        for number, layer in enumerate(self._layers):
            own = layer.forward
            layer.forward = partial(forward, number, own, inspect.signature(own))  # type: ignore[method-assign]
        try:
            yield
        finally:
            for layer, own in zip(self._layers, before, strict=True):
                del layer.forward  # that of its class is behind it
                if own is not None:
                    layer.forward = own  # type: ignore[method-assign]

    def _look(
        self,
        shapes: list[list[torch.Size]],
        packed: bool,
        number: int,
        own: Callable[..., Any],
        signature: inspect.Signature,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """A layer that computes only where it is not known yet what it gives besides hidden states."""
        inputs = LayerInputs.bound(signature, args, kwargs)
        if packed:
            inputs.others.pop("attention_mask", None)
        shapes.append(tensor_shapes(inputs.others))
        if number == len(self._rests):
            with self._gate.masked(None):  # rows of a mask are for other sequences
                output = own(*args, **kwargs)
            self._rests.append(output[1:] if isinstance(output, tuple) else None)
        return self._output(number, inputs.hidden)

    def _output(self, number: int, hidden: Tensor) -> Any:
        """Hidden states in the form in which a layer gives them."""
        rest = self._rests[number]
        return hidden if rest is None else (hidden, *rest)

    def _forward(
        self, number: int, own: Callable[..., Any], signature: inspect.Signature, *args: Any, **kwargs: Any
    ) -> Any:
        """A layer's forward pass: as its own, for rows that grow."""
        assert self._pass is not None
        run, growth = self._pass, self._pass.plan.layers[number]
        inputs = LayerInputs.bound(signature, args, kwargs)
        if run.branches is not None:
            inputs.look(run.branches)
        if run.read_once is not None:
            inputs = run.read_once.step(number, own, inputs, run.axes[number])
        sequences = run.row_sequences[growth.parent]
        looked_back = 0 if run.read_once is None else run.read_once.number // LOOKED_BACK
        at_once = max(1, self._product_tokens // max(inputs.hidden.shape[1], looked_back))
        if torch.is_grad_enabled():
            at_once = len(sequences)  # the gate has a row for each
        collected = _Rows(len(sequences))
        for start in range(0, len(sequences), at_once):
            rows = slice(start, start + at_once)
            call = inputs.some(growth.parent[rows], sequences[rows], run.axes[number])
            with self._masked(growth, rows, sequences[rows]), self._looking_back(sequences[rows]):
                collected.add(own(*call.args, **call.kwargs))
        run.row_sequences = sequences
        if run.keeps and number == len(self._layers) - 1:
            run.last = collected.hidden
            before = 0 if run.branches is None else run.branches.read_once
            kept = functional.pad(collected.hidden[: len(run.plan.examples)], (0, 0, before, 0))
            return self._output(number, kept)
        return collected.output()

    @contextmanager
    def _masked(self, growth: Growth, rows: slice, sequences: Int[np.ndarray, " n"]) -> Iterator[None]:
        """The gate set to what rows after a layer turn off in it; untouched where that is nothing."""
        assert self._pass is not None
        run = self._pass
        with ExitStack() as stack:
            if not growth.on[rows].all():
                masks, examples, chosen = (
                    to_device(torch.from_numpy(places), run.xi.device)
                    for places in (run.pair_masks[growth.first_pair[rows]], run.examples[sequences], sequences)
                )
                positions = None if run.branches is None else run.branches.positions[chosen, run.branches.read_once :]
                stack.enter_context(self._gate.masked(run.xi))
                stack.enter_context(self._gate.part(masks, examples=examples, positions=positions))
            yield

    def _looking_back(self, sequences: Int[np.ndarray, " n"]) -> AbstractContextManager[None]:
        """Within the block these rows see the tokens of their sequences that are read once."""
        assert self._pass is not None
        once = self._pass.read_once
        return nullcontext() if once is None else once.before(sequences)


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

    @property
    def hidden(self) -> Tensor:
        assert self._hidden is not None
        return self._hidden

    def output(self) -> Any:
        return self._hidden if self._rest is None else (self._hidden, *self._rest)
