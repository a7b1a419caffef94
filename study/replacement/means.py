"""Means of what the units of the un-masked model give over a reference set, everywhere or by position.

A mean has a sampling error of its own; results are conditional on it. Sums are in float64, whatever the weights are in.

Shapes: R rows of a pass, T tokens, H heads, D size of a head, d width of the model.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from study.masking.stand_ins import Constant
from study.observing.batch import padded
from study.record.errors import InputError
from study.record.units import AttentionKind, Layer
from study.replacement.options import Alike, LeaveOut, Mean, MeanByPosition
from study.replacement.readings import readings
from study.subjects.language_model.requests import LanguageRow
from study.subjects.subject import Subject, TokenRow
from study.subjects.tokens.passage import Passage

Options = Mean | MeanByPosition


def means(subject: Subject, rows: Sequence[TokenRow], options: Options) -> Constant:
    """The means over reference examples.

    Args:
        subject: a certified model.
        rows: the examples as it reads them.
        options: which means.

    Raises:
        InputError: when no token counts, or a mean is not a number.
    """
    read = [(owner, one) for owner, row in enumerate(rows) for one in read_of(row, options)]
    passages = [(owner, passage) for owner, one in read for passage in subject.passages(one)]
    weights = {kind: _weights(passages, kind, options) for kind in subject.layout.counts}
    heads, mlps = _Sums(isinstance(options, MeanByPosition)), _Sums(isinstance(options, MeanByPosition))
    for chosen, reading in readings(subject, [passage for _, passage in passages]):
        own = {kind: padded([some[i] for i in chosen]) for kind, some in weights.items()}
        for layer, uses in reading.heads.items():
            for context in uses:
                heads.add(layer, context, own[layer[0]])
        for number, output in reading.mlps.items():
            mlps.add((AttentionKind.DECODER_SELF, number), output, own[AttentionKind.DECODER_SELF])
    return Constant(heads.means(), {number: mean for (_, number), mean in mlps.means().items()})


def read_of(row: TokenRow, options: Options) -> list[TokenRow]:
    """What is read of a reference example: of a choice by position every alternative, else the right one."""
    if isinstance(options, MeanByPosition) and isinstance(row, LanguageRow) and row.choices:
        return [replace(row, target=number) for number in range(row.choices)]
    return [row]


def _weights(
    passages: Sequence[tuple[int, Passage]], kind: AttentionKind, options: Options
) -> list[Float[np.ndarray, " T"]]:
    """How much each token of each passage counts; passages of one example have the same number before them."""
    counted = [_counted(passage, kind, options) for _, passage in passages]
    if isinstance(options, MeanByPosition):
        texts = Counter(owner for owner, passage in passages if passage.answer is not None)
        return [own / texts.get(owner, 1) for (owner, _), own in zip(passages, counted, strict=True)]
    if options.count_alike is not Alike.examples:
        return counted
    totals = defaultdict[int, float](float)
    for (owner, _), own in zip(passages, counted, strict=True):
        totals[owner] += own.sum()
    return [own / max(totals[owner], 1.0) for (owner, _), own in zip(passages, counted, strict=True)]


def _counted(passage: Passage, kind: AttentionKind, options: Options) -> Float[np.ndarray, " T"]:
    """1 for each token that counts: each token of a text once, though windows read some twice."""
    tokens = passage.queries(kind)
    place = np.arange(len(tokens))
    counts = place >= (passage.first_query if passage.target is None else 0)
    if isinstance(options, Mean):
        if options.leave_out in (LeaveOut.first, LeaveOut.first_and_special):
            counts &= place > 0
        if options.leave_out in (LeaveOut.special, LeaveOut.first_and_special):
            counts &= ~tokens.special
    return counts.astype(np.float64)


@dataclass
class _Sums:
    """Weighted sums of what the units of layers give, and the sums of the weights.

    Attributes:
        by_position: whether each position has its own.
    """

    by_position: bool

    def __post_init__(self) -> None:
        self._sums: dict[Layer, Tensor] = {}
        self._weights: dict[Layer, Tensor] = {}

    def add(self, layer: Layer, values: Float[Tensor, "R T *unit"], weights: Float[Tensor, "R T"]) -> None:
        """Take what the units of a layer gave in a pass."""
        flat = values.detach().cpu().double().flatten(2)
        axes = "rt,rtu->tu" if self.by_position else "rt,rtu->u"
        total = torch.einsum(axes, weights, flat).view(-1, *values.shape[2:])
        weight = weights.sum(0) if self.by_position else weights.sum()[None]
        self._sums[layer] = _sum(self._sums.get(layer), total)
        self._weights[layer] = _sum(self._weights.get(layer), weight)

    def means(self) -> Mapping[Layer, Float[Tensor, "T *unit"]]:
        """Sums through weights.

        Raises:
            InputError: when no token counts, or a mean is not a number.
        """
        found = {}
        for (kind, number), total in self._sums.items():
            weight = self._weights[kind, number]
            if not weight.all():
                raise InputError("the reference set has no token that counts: see replacement.leave_out")
            mean = total / weight.view(-1, *[1] * (total.dim() - 1))
            if not mean.isfinite().all():
                raise InputError(
                    f"the mean of {kind} layer {number} over the reference set is not a number: the model itself "
                    f"computes none there, as half precision does where it overflows. Take model.dtype=float32"
                )
            found[kind, number] = mean.float()
        return found


def _sum(before: Tensor | None, more: Tensor) -> Tensor:
    """A sum by position, of as many positions as the longer has."""
    if before is None:
        return more
    longer, shorter = (before, more) if len(before) >= len(more) else (more, before)
    longer = longer.clone()
    longer[: len(shorter)] += shorter
    return longer
