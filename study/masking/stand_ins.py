"""What stands in a masked unit's place: the r of xi * c + (1 - xi) * r.

The paper's r is zero, and costs nothing. Others are numbers that the gate adds where a unit is off. They stand where
the gate acts, at the input of the attention's output projection (whose bias stays), or are the output of an MLP; a mean
of this pass's values stands where attention gives its contexts, before a model's own output gate.

Shapes: R rows of a pass, T tokens that look, S that are looked at, H heads, G key/value groups, D size of a head.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from study.record.units import Layer


def replaced(
    values: Float[Tensor, "..."], xi: Float[Tensor, "..."], instead: Float[Tensor, "..."] | None
) -> Float[Tensor, "..."]:
    """Values where a unit is on, something instead where it is off: zero when None."""
    return values * xi if instead is None else values * xi + instead * (1 - xi)


@dataclass(frozen=True)
class Place:
    """Where numbers are to stand: at every token of the rows of a pass.

    Attributes:
        examples: for each row, the place of its example among those that the stand-in was made for.
        positions: position of each token in its own row; r is 1 where that is the same in all rows.
    """

    examples: slice | Int[Tensor, " R"]
    positions: Int[Tensor, "r T"]


class StandIn:
    """What stands in the place of units that are off."""

    is_seen_at_calls = False
    """Whether it is made of the values of a pass, see `contexts`."""

    is_of_rows = False
    """Whether it depends on the rows of a batch, see `for_rows`."""

    def for_rows(self, rows: Sequence[Any]) -> "StandIn":  # noqa: ARG002
        """What stands in for the rows of a batch, as the subject reads them: itself, unless it depends on them."""
        return self

    def heads(self, layer: Layer, place: Place) -> Float[Tensor, "r t H D"] | None:  # noqa: ARG002
        """What stands for the contexts of a layer's heads at the projection; r and t may be 1. Nothing when None."""
        return None

    def mlp(self, layer: int, place: Place) -> Float[Tensor, "r t d"] | None:  # noqa: ARG002
        """What stands for the output of a feed-forward block; r and t may be 1. Nothing when None."""
        return None

    def contexts(
        self, value: Float[Tensor, "R G S D"], visible: Bool[Tensor, "r T S"], num_heads: int
    ) -> Float[Tensor, "R T H D"]:
        """What stands for the contexts of heads, given the values and which tokens each token may look at."""
        raise NotImplementedError


class Zero(StandIn):
    """Nothing: the unit's output is zero, as in Michel et al. (2019)."""


@dataclass
class Constant(StandIn):
    """Numbers that do not depend on the row: a mean, or a value bias.

    Attributes:
        of_heads: what stands for the contexts of a layer's heads; T is 1 where all positions have the same.
        of_mlps: what stands for the output of an MLP, by layer.
    """

    of_heads: Mapping[Layer, Float[Tensor, "T H D"]]
    of_mlps: Mapping[int, Float[Tensor, "T d"]] = field(default_factory=dict)

    def heads(self, layer: Layer, place: Place) -> Float[Tensor, "r t H D"]:
        """See `StandIn`."""
        return _at(self.of_heads[layer], place)

    def mlp(self, layer: int, place: Place) -> Float[Tensor, "r t d"] | None:
        """See `StandIn`."""
        return _at(self.of_mlps[layer], place) if layer in self.of_mlps else None

    def to(self, device: torch.device) -> "Constant":
        """A copy on a device."""
        return Constant(
            {layer: values.to(device) for layer, values in self.of_heads.items()},
            {layer: values.to(device) for layer, values in self.of_mlps.items()},
        )


def _at(values: Float[Tensor, "T ..."], place: Place) -> Float[Tensor, "r t ..."]:
    """Values of the positions of tokens, those behind the last have its values; or the one that all have."""
    if len(values) == 1:
        return values[None]
    return values[place.positions.clamp(max=len(values) - 1)]


@dataclass
class OfRows(StandIn):
    """Numbers of its own for each row of a batch: what the units give in a donor.

    Attributes:
        of_heads: what stands for the contexts of a layer's heads; tokens behind the last have its values.
        of_mlps: what stands for the output of an MLP, by layer.
    """

    is_of_rows = True

    of_heads: Mapping[Layer, Float[Tensor, "R T H D"]]
    of_mlps: Mapping[int, Float[Tensor, "R T d"]] = field(default_factory=dict)

    def heads(self, layer: Layer, place: Place) -> Float[Tensor, "r t H D"]:
        """See `StandIn`."""
        return _at_rows(self.of_heads[layer], place)

    def mlp(self, layer: int, place: Place) -> Float[Tensor, "r t d"] | None:
        """See `StandIn`."""
        return _at_rows(self.of_mlps[layer], place) if layer in self.of_mlps else None


def _at_rows(values: Float[Tensor, "R T ..."], place: Place) -> Float[Tensor, "r t ..."]:
    """Values of the positions of tokens in their rows."""
    positions = place.positions.clamp(max=values.shape[1] - 1)
    rows = torch.arange(len(values), device=values.device)[place.examples]
    return values[rows[:, None], positions]


class Uniform(StandIn):
    """Uniform attention: the mean of this pass's values over all positions that the model's own mask allows."""

    is_seen_at_calls = True

    def contexts(
        self, value: Float[Tensor, "R G S D"], visible: Bool[Tensor, "r T S"], num_heads: int
    ) -> Float[Tensor, "R T H D"]:
        """See `StandIn`."""
        share = visible.to(value)
        mean = (share / share.sum(-1, keepdim=True).clamp(min=1.0))[:, None] @ value
        return mean.repeat_interleave(num_heads // value.shape[1], dim=1).transpose(1, 2)
