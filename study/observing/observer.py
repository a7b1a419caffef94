"""Observers: each takes what one table needs from the patterns of a pass, and nothing of these outlives the pass."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.masking.sites import AttentionSite
from study.observing.batch import Batch
from study.observing.patterns import Pattern
from study.record.units import AttentionKind, HeadLayout
from study.subjects.subject import TokenRow
from study.subjects.tokens.passage import Passage


@dataclass(frozen=True)
class Pass:
    """One forward pass over some passages.

    Attributes:
        passages: what is read, a passage a row.
        owners: position of the example that each belongs to.
        examples: the example of each passage.
        device: where tensors are.
    """

    passages: Sequence[Passage]
    owners: Int[Tensor, " R"]
    examples: Sequence[TokenRow]
    device: torch.device
    _batches: dict[AttentionKind, Batch] = field(default_factory=dict)

    def batch(self, kind: AttentionKind) -> Batch:
        """Its tokens, as attention of a kind reads them."""
        if kind not in self._batches:
            self._batches[kind] = Batch(self.passages, kind, self.device)
        return self._batches[kind]


class Observer(ABC):
    """Takes what a table needs."""

    def __init__(self, num_rows: int, layout: HeadLayout) -> None:
        """Take the number of examples and the heads."""
        self.num_rows, self.layout = num_rows, layout

    def fits(self, passages: int, queries: int, keys: int) -> bool:  # noqa: ARG002
        """Whether so many passages of so many tokens may stand in one pass."""
        return True

    @abstractmethod
    def see(self, pattern: Pattern, now: Pass) -> None:
        """Take a pattern."""

    def see_heads(self, site: AttentionSite, heads: Float[Tensor, "R T H D"], now: Pass) -> None:  # noqa: B027
        """Take what an output projection reads, after all patterns of that attention."""

    def finish(self, now: Pass) -> None:  # noqa: B027
        """Take the end of a pass."""

    @abstractmethod
    def columns(self) -> Mapping[str, Any]:
        """What was computed: tensors or lists with an entry for each example, by name."""

    def place(self, site: AttentionSite) -> slice:
        """The columns of a site's heads among all."""
        return self.layout.columns(site.kind, site.layer)
