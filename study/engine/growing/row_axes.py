"""Where what a layer is given has rows for each sequence: learned from passes over one sequence and over two.

Most inputs have one row for a sequence, or the same for all. Some (BLOOM's biases of positions) have one for each head
of it, and some (MPT's) one for each head of all, which only passes of different sizes tell apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from study.subjects.subject import to_device


@dataclass(frozen=True)
class RowAxis:
    """Where a tensor has its rows.

    Attributes:
        axis: the axis that counts them.
        each: how many there are for a sequence, one after the other.
    """

    axis: int = 0
    each: int = 1


def tensor_shapes(value: Any) -> list[torch.Size]:
    """The shapes of all tensors in a value, first to last."""
    shapes: list[torch.Size] = []

    def note(tensor: Tensor) -> Tensor:
        shapes.append(tensor.shape)
        return tensor

    _each_tensor(value, note)
    return shapes


def row_axes(one: Sequence[torch.Size], two: Sequence[torch.Size]) -> list[RowAxis | None]:
    """Where tensors have rows, given their shapes for one sequence and for two; None where they are the same for all.

    Raises:
        ValueError: when it is not told by these: several axes grow, or one by something else than rows.
    """
    return [_row_axis(*shapes) for shapes in zip(one, two, strict=True)]


def _row_axis(one: torch.Size, two: torch.Size) -> RowAxis | None:
    if one == two:
        return None
    grown = [axis for axis, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
    if len(grown) > 1 or two[grown[0]] != 2 * one[grown[0]]:
        raise ValueError(f"a layer is given {list(one)} numbers for one sequence, and {list(two)} for two")
    return RowAxis(grown[0], one[grown[0]])


def token_axes(longer: Sequence[torch.Size], shorter: Sequence[torch.Size]) -> list[int | None]:
    """Where tensors have a number for each token, given their shapes for a sequence and one shorter by a token.

    Raises:
        ValueError: when several axes of a tensor grow.
    """
    return [_token_axis(*shapes) for shapes in zip(longer, shorter, strict=True)]


def _token_axis(longer: torch.Size, shorter: torch.Size) -> int | None:
    grown = [axis for axis, (a, b) in enumerate(zip(longer, shorter, strict=True)) if a != b]
    if len(grown) > 1:
        raise ValueError(f"a layer is given {list(longer)} numbers for a sequence, {list(shorter)} for a shorter one")
    return grown[0] if grown else None


def chosen_tokens(value: Any, axes: Sequence[int | None], tokens: slice) -> Any:
    """What a layer is given for some tokens, of what it is given for all; arguments as of `chosen_rows`."""
    at = iter(axes)

    def choose(tensor: Tensor) -> Tensor:
        axis = next(at)
        return tensor if axis is None else tensor.movedim(axis, 0)[tokens].movedim(0, axis)

    return _each_tensor(value, choose)


def chosen_rows(value: Any, axes: Sequence[RowAxis | None], sequences: Int[Tensor, " N"]) -> Any:
    """What some sequences are given, of what all are.

    A single row for a single sequence is shown as often as it is wanted, and not copied.

    Args:
        value: a tensor, or a dict, list or tuple with tensors in it; anything else stays as it is.
        axes: where each tensor has its rows, first to last.
        sequences: the sequences, any of them as often as wanted.
    """
    at = iter(axes)

    def choose(tensor: Tensor) -> Tensor:
        place = next(at)
        if place is None:
            return tensor
        if tensor.shape[place.axis] == place.each == 1:
            return tensor.expand(*tensor.shape[: place.axis], len(sequences), *tensor.shape[place.axis + 1 :])
        rows = (sequences[:, None] * place.each + torch.arange(place.each)).flatten()
        return tensor.index_select(place.axis, to_device(rows, tensor.device))

    return _each_tensor(value, choose)


def _each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A value with its tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: _each_tensor(part, change) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_each_tensor(part, change) for part in value)
    return value
