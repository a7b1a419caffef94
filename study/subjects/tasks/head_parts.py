"""Which numbers of a model are a head's: rows of queries, keys and values, and columns of the output projection.

With grouped queries, keys and values of a group are heads' numbers only where all heads of the group are meant.

Shapes: H heads, G groups, D size of a head.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from study.masking.sites import AttentionSite
from study.record.errors import InputError
from study.record.units import Head
from study.subjects.pruned.remove import FUSED, find_projections, head_numbers, separate_names, unknown_projections


@dataclass(frozen=True)
class Part:
    """Some rows or columns of a tensor.

    Attributes:
        dim: axis along which they are counted.
        index: their places there, ascending.
    """

    dim: int
    index: Int[Tensor, " some"]

    def read(self, tensor: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Their numbers."""
        return tensor.index_select(self.dim, self.index.to(tensor.device))

    def put(self, tensor: Float[Tensor, "..."], numbers: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The tensor with other numbers there; it stays as it is, and gradients reach the numbers."""
        return tensor.index_copy(self.dim, self.index.to(tensor.device), numbers)

    def silence(self, tensor: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The tensor with zeros there; it stays as it is."""
        return tensor.index_fill(self.dim, self.index.to(tensor.device), 0.0)


Parts = Mapping[str, Part]
"""Parts of a model's tensors, by their names in its state."""


@dataclass(frozen=True)
class _Layer:
    """Where the numbers of an attention layer's heads are.

    Attributes:
        site: the layer, as it was when it was looked at.
        size: D.
        groups: G, key/value groups, each of as many heads.
        names: tensors of queries, keys and values by their name, or of all three in one: the axis of their outputs.
        output: name of the output projection's weights, and the axis of its inputs.
        unknown: why its heads cannot be told apart; empty where they can.
    """

    site: AttentionSite
    size: int
    groups: int
    names: Sequence[Mapping[str, int]]
    output: tuple[str, int]
    unknown: str = ""

    def parts(self, own: Collection[int]) -> Iterator[tuple[str, Part]]:
        """The numbers of some of its heads."""
        rows, each = head_numbers(sorted(own), self.size), self.site.num_heads // self.groups
        whole = [group for group in range(self.groups) if set(range(group * each, (group + 1) * each)) <= set(own)]
        if len(self.names) == 1:
            wide = self.site.num_heads * self.size
            numbers = [[row + third * wide for third in range(3) for row in rows]]
        else:
            shared = head_numbers(whole, self.size)
            numbers = [rows, shared, shared]
        for names, places in zip(self.names, numbers, strict=True):
            yield from ((name, Part(dim, torch.tensor(places))) for name, dim in names.items() if places)
        yield self.output[0], Part(self.output[1], torch.tensor(rows))


class HeadParts:
    """The numbers of each head of a model, by the names that its tensors have in its state."""

    def __init__(self, module: nn.Module, sites: Sequence[AttentionSite]) -> None:
        """Look for them in a module as it is before any change; `sites` are its attention layers."""
        self._owner = type(module).__name__
        self._layers = [_look(module, site) for site in sites if site.num_heads]

    def parts(self, heads: Collection[Head], *, biases: bool = True) -> dict[str, Part]:
        """The numbers of some heads together.

        Args:
            heads: the heads.
            biases: whether the biases of their queries, keys and values are among them. The bias of an output
                projection is no head's.

        Raises:
            InputError: when the projections of a layer are not known by name, or are of another size than its heads.
        """
        found: dict[str, Part] = {}
        for layer in self._layers:
            kind, number = layer.site.kind, layer.site.layer
            own = {head.index for head in heads if (head.kind, head.layer) == (kind, number)}
            if own and layer.unknown:
                raise InputError(f"the heads of {self._owner} cannot be told apart: {layer.unknown}")
            found |= dict(layer.parts(own)) if own else {}
        return {name: part for name, part in found.items() if biases or not name.endswith(".bias")}

    def projections(self) -> list[str]:
        """The weights of all projections of all heads, of their outputs too."""
        found = [name for layer in self._layers for names in (*layer.names, [layer.output[0]]) for name in names]
        return [name for name in found if not name.endswith(".bias")]

    def outputs(self, heads: Collection[Head]) -> dict[str, Part]:
        """Their columns of the output projections alone."""
        names = {layer.output[0] for layer in self._layers}
        return {name: part for name, part in self.parts(heads).items() if name in names}


def _look(module: nn.Module, site: AttentionSite) -> _Layer:
    """Where the numbers of a layer's heads are, or why that is not known."""
    groups, size = site.num_groups or site.num_heads, site.head_size
    output = f"{site.name}.weight", 1 if isinstance(site.projection, nn.Linear) else 0
    attention = find_projections(module, site)
    if attention is None:
        return _Layer(site, size, groups, (), output, unknown_projections(site))
    path = next(name for name, part in module.named_modules() if part is attention)
    roles, wide = separate_names(attention) or (FUSED,), site.num_heads * size
    expected = dict(zip(roles, (wide, groups * size, groups * size) if len(roles) > 1 else (3 * wide,), strict=True))
    names, unknown = [], ""
    for role in roles:
        projection = attention.get_submodule(role)
        weight, dim = projection.get_parameter("weight"), 0 if isinstance(projection, nn.Linear) else 1
        if weight.shape[dim] != expected[role]:
            unknown = f"{site}: {role} gives {weight.shape[dim]} numbers, and its heads have {expected[role]}"
        has_bias = getattr(projection, "bias", None) is not None
        names.append({f"{path}.{role}.weight": dim, **({f"{path}.{role}.bias": 0} if has_bias else {})})
    return _Layer(site, size, groups, names, output, unknown)
