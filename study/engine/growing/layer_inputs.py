"""What a layer of a decoder is given, for some of its rows and tokens.

Shapes: R rows, N chosen ones, T tokens, d width.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.engine.growing.branches import Branches
from study.engine.growing.row_axes import RowAxis, chosen_rows, chosen_tokens
from study.subjects.subject import to_device


@dataclass
class LayerInputs:
    """What a layer is given, by name.

    Attributes:
        hidden: the hidden states.
        others: all else; what has rows for each sequence of the pass, or the same for all.
        mask: that of packed sequences, a row for each of them; None where sequences are plain.
    """

    signature: inspect.Signature
    name: str
    hidden: Float[Tensor, "R T d"]
    others: dict[str, Any]
    mask: Tensor | None = None

    @classmethod
    def bound(cls, signature: inspect.Signature, args: Sequence[Any], kwargs: dict[str, Any]) -> "LayerInputs":
        """The inputs of a call; hidden states come first."""
        others = signature.bind(*args, **kwargs).arguments
        name = next(iter(others))
        return cls(signature, name, others.pop(name), others)

    def look(self, branches: Branches) -> None:
        """Give the layer the mask of packed sequences, made of the one that it was given."""
        self.mask = branches.mask(self.others.pop("attention_mask", None))

    def at(
        self, tokens: slice, seen: slice, axes: Sequence[int | None], hidden: Float[Tensor, "R t d"]
    ) -> "LayerInputs":
        """The inputs of packed sequences at some tokens, that see some; `axes` tell where inputs count tokens."""
        assert self.mask is not None
        others = chosen_tokens(self.others, axes, tokens)
        return LayerInputs(self.signature, self.name, hidden, others, self.mask[..., tokens, seen])

    def some(
        self, rows: Int[np.ndarray, " N"], sequences: Int[np.ndarray, " N"], axes: Sequence[RowAxis | None]
    ) -> inspect.BoundArguments:
        """The inputs for some rows, given the sequence of each, and where inputs have rows for a sequence."""
        chosen = torch.from_numpy(sequences)
        others = chosen_rows(self.others, axes, chosen)
        if self.mask is not None:
            others["attention_mask"] = chosen_rows(self.mask, [RowAxis()], chosen)
        ordered = {name: others.get(name) for name in self.signature.parameters if name in others}
        return inspect.BoundArguments(self.signature, {self.name: _take(self.hidden, rows), **ordered})  # type: ignore[arg-type]


def _take(hidden: Float[Tensor, "R T d"], rows: Int[np.ndarray, " N"]) -> Float[Tensor, "N T d"]:
    """Some rows; not copied where they stand one after the other."""
    if rows[-1] - rows[0] == len(rows) - 1 and bool((np.diff(rows) == 1).all()):
        return hidden[rows[0] : rows[-1] + 1]
    return hidden.index_select(0, to_device(torch.from_numpy(rows), hidden.device))
