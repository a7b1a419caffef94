"""Donors: other examples, and what the units of the un-masked model give in them.

Shapes: R rows of a batch, T tokens, H heads, D size of a head.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from study.masking.stand_ins import OfRows, Place, StandIn
from study.record.errors import InputError
from study.record.units import AttentionKind, Layer
from study.replacement.draws import example_generator
from study.replacement.readings import readings
from study.subjects.subject import Subject, TokenRow
from study.subjects.tokens.passage import Passage


class Donors(StandIn):
    """What the units give in the donor of each row, the same for all masks and units.

    Positions behind the end of a donor have what its last token has: where the reference set has no donor that is as
    long as an example, and while a translation is written, as nobody knows before how long it becomes. Where tokens are
    drawn, words behind the reference translation have the last one drawn, whatever else is in the batch.
    """

    is_of_rows = True

    def __init__(self, subject: Subject, donor: Callable[[TokenRow], TokenRow], *, seed: int | None = None) -> None:
        """Take donors of a subject's examples.

        Args:
            subject: a certified model.
            donor: gives the donor of a row.
            seed: where each token of the donor stands for one drawn at random, the seed of the draw.

        Raises:
            InputError: when layers share weights, so that a head gives several things at a token.
        """
        if shared := [f"{kind} {layer}" for (kind, layer), uses in subject.layout.uses.items() if uses > 1]:
            raise InputError(f"replacement=resample: several layers share the weights of {', '.join(shared)}")
        self._subject, self._donor, self._seed = subject, donor, seed
        self._lock = Lock()
        self._last: tuple[list[TokenRow], OfRows] | None = None

    def for_rows(self, rows: Sequence[Any]) -> OfRows:
        """See `StandIn`; the donors of a batch are read once, whatever the masks."""
        with self._lock:  # blocks are computed several at a time
            if self._last is None or self._last[0] != list(rows):
                self._last = list(rows), self._read(rows)
            return self._last[1]

    def heads(self, layer: Layer, place: Place) -> Tensor:  # noqa: ARG002
        """It stands in rows alone, see `for_rows`."""
        raise AssertionError("a donor belongs to a row: see Subject.standing")

    def _read(self, rows: Sequence[TokenRow]) -> OfRows:
        passages = [longest_passage(self._subject, self._donor(row)) for row in rows]
        index = {kind: self._tokens(rows, passages, kind) for kind in self._subject.layout.counts}
        parts: dict[Any, list[tuple[int, Tensor]]] = {}
        for chosen, reading in readings(self._subject, passages):
            found = {layer: uses[0] for layer, uses in reading.heads.items()} | reading.mlps
            for unit, values in found.items():
                own = index[_kind(unit)]
                for place, row in enumerate(chosen):
                    parts.setdefault(unit, []).append((row, values[place][own[row].to(values.device)]))
        whole = {unit: torch.stack([values for _, values in sorted(some, key=_first)]) for unit, some in parts.items()}
        return OfRows(
            {unit: values for unit, values in whole.items() if isinstance(unit, tuple)},
            {unit: values for unit, values in whole.items() if not isinstance(unit, tuple)},
        )

    def _tokens(self, rows: Sequence[TokenRow], passages: Sequence[Passage], kind: AttentionKind) -> Int[Tensor, "R T"]:
        """Which token of its donor stands for each token of a row."""
        lengths = [len(passage.queries(kind)) for passage in passages]
        if self._seed is None:
            return torch.stack([torch.arange(max(lengths)).clamp(max=length - 1) for length in lengths])
        known = [max(self._subject.reach(row)) for row in rows]
        drawn = [
            np.pad(example_generator(self._seed, row.example).random(own) * length, (0, max(known) - own), "edge")
            for row, own, length in zip(rows, known, lengths, strict=True)
        ]
        return torch.from_numpy(np.stack(drawn).astype(np.int64))


def longest_passage(subject: Subject, row: TokenRow) -> Passage:
    """What is read of a donor: its text, or the longest window of it."""
    return max(subject.passages(row), key=lambda passage: passage.lengths)


def _first(pair: tuple[int, Tensor]) -> int:
    return pair[0]


def _kind(unit: Layer | int) -> AttentionKind:
    """The kind of attention whose tokens a unit reads."""
    return unit[0] if isinstance(unit, tuple) else AttentionKind.DECODER_SELF
