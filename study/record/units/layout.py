"""Layouts: all heads of a model, and boolean rows over them, the masks.

A mask is the paper's xi: True (1) where a head is on, False (0) where it is off. Its order is that of
`HeadLayout.heads`: by attention kind, then layer, then index, all counted from 0.

Shapes: `heads` = number of heads of the model, `masks` = number of masks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from study.record.errors import InputError
from study.record.units.address import AttentionKind, Head, Layer


@dataclass(frozen=True)
class HeadLayout:
    """How many heads each attention layer of a model has.

    Attributes:
        counts: heads per layer for each attention kind that the model has; layers may differ (after pruning), and one
            without attention of the kind has 0.
        uses: how many layers of the model share the weights of an attention layer, where they do (ALBERT): a head is on
            or off in all of them.
    """

    counts: Mapping[AttentionKind, Sequence[int]]
    uses: Mapping[Layer, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        ordered = {kind: tuple(self.counts[kind]) for kind in AttentionKind if kind in self.counts}
        object.__setattr__(self, "counts", ordered)

    def __len__(self) -> int:
        return len(self.heads)

    def __str__(self) -> str:
        return " + ".join(f"{sum(counts)} {kind}{self._shared(kind)}" for kind, counts in self.counts.items())

    def _shared(self, kind: AttentionKind) -> str:
        """In words, how many layers of the model share each head of a kind."""
        uses = [self.uses.get((kind, layer), 1) for layer, count in enumerate(self.counts[kind]) if count]
        fewest, most = min(uses, default=1), max(uses, default=1)
        return "" if most == 1 else f", each shared by {most if fewest == most else f'{fewest} to {most}'} layers"

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """All heads in the order of a mask."""
        return tuple(
            Head(kind, layer, index)
            for kind, counts in self.counts.items()
            for layer, count in enumerate(counts)
            for index in range(count)
        )

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """All attention layers that have heads, in the order of a mask."""
        return tuple(
            (kind, layer) for kind, counts in self.counts.items() for layer, count in enumerate(counts) if count
        )

    @cached_property
    def _index(self) -> dict[Head, int]:
        return {head: i for i, head in enumerate(self.heads)}

    def columns(self, kind: AttentionKind, layer: int) -> slice:
        """The columns of a mask that belong to one attention layer."""
        first = sum(sum(counts) for k, counts in self.counts.items() if k.rank < kind.rank)
        first += sum(self.counts[kind][:layer])
        return slice(first, first + self.counts[kind][layer])

    def index(self, head: Head) -> int:
        """The column of a head in a mask.

        Raises:
            InputError: when the model has no such head; says what it has.
        """
        if head not in self._index:
            has = "; ".join(f"{kind}: heads per layer {list(counts)}" for kind, counts in self.counts.items())
            raise InputError(f"no head {head} in this model (counted from 0). It has {has}")
        return self._index[head]

    def full(self) -> Bool[np.ndarray, " heads"]:
        """The full mask: every head on."""
        return np.ones(len(self), dtype=bool)

    @property
    def full_key(self) -> str:
        """Name of the full mask in every file."""
        return mask_key(self.full())

    def without(self, heads: Iterable[Head]) -> Bool[np.ndarray, " heads"]:
        """The mask with these heads off."""
        mask = self.full()
        mask[[self.index(head) for head in heads]] = False
        return mask

    def all_but(self, head: Head) -> Bool[np.ndarray, " heads"]:
        """The mask that leaves this head alone in its layer; other layers are whole."""
        mask = self.without_layer((head.kind, head.layer))
        mask[self.index(head)] = True
        return mask

    def without_layer(self, layer: Layer) -> Bool[np.ndarray, " heads"]:
        """The mask with no head in one attention layer; other layers are whole."""
        mask = self.full()
        mask[self.columns(*layer)] = False
        return mask

    def describe(self, mask: Bool[np.ndarray, " heads"]) -> str:
        """A mask in words: `cross.0.3 off`, `cross.0.3 alone`, `no head in cross.0`, `3 heads off from cross.0.1`."""
        off = self.changed(mask)
        if len(off) == 1:
            return f"{off[0]} off"
        if len({(head.kind, head.layer) for head in off}) == 1:
            left = [head for head in self.heads[self.columns(off[0].kind, off[0].layer)] if head not in off]
            if len(left) <= 1:
                return f"{left[0]} alone" if left else f"no head in {off[0].kind}.{off[0].layer}"
        return f"{off[0]} and {off[1]} off" if len(off) == 2 else f"{len(off)} heads off from {off[0]}"

    def each_off(self, heads: Iterable[Head] | None = None) -> Bool[np.ndarray, "masks heads"]:
        """A mask for each of these heads (all, unless given): this one off."""
        return stack((self.without([head]) for head in (self.heads if heads is None else heads)), self)

    def each_alone(self, heads: Iterable[Head] | None = None) -> Bool[np.ndarray, "masks heads"]:
        """A mask for each of these heads (all, unless given): this one alone in its layer."""
        return stack(map(self.all_but, self.heads if heads is None else heads), self)

    def each_layer_off(self, layers: Iterable[Layer] | None = None) -> Bool[np.ndarray, "masks heads"]:
        """A mask for each of these attention layers (all, unless given): no head in it."""
        return stack(map(self.without_layer, self.layers if layers is None else layers), self)

    def changed(self, mask: Bool[np.ndarray, " heads"]) -> tuple[Head, ...]:
        """The heads that a mask turns off."""
        return tuple(self.heads[i] for i in np.flatnonzero(~mask))

    def to_json(self) -> dict[str, list[int]]:
        """As stored in `setting.json`."""
        return {str(kind): list(counts) for kind, counts in self.counts.items()}

    @classmethod
    def from_json(cls, counts: Mapping[str, Sequence[int]]) -> "HeadLayout":
        """Inverse of `to_json`."""
        return cls({AttentionKind(kind): tuple(layers) for kind, layers in counts.items()})


def mask_key(mask: Bool[np.ndarray, " heads"]) -> str:
    """A mask as text, one character a head: `1` on, `0` off. It names the mask in every file."""
    return np.where(mask, b"1", b"0").astype("S1").tobytes().decode()


def parse_mask(key: str, layout: HeadLayout) -> Bool[np.ndarray, " heads"]:
    """Inverse of `mask_key`.

    Raises:
        InputError: when the text is not a row of 0 and 1 of the model's length.
    """
    if len(key) != len(layout) or set(key) - {"0", "1"}:
        raise InputError(f"'{key}' is no mask of this model: expected {len(layout)} characters 0 or 1 ({layout})")
    return np.frombuffer(key.encode(), dtype="S1") == b"1"


def stack(masks: Iterable[Bool[np.ndarray, " heads"]], layout: HeadLayout) -> Bool[np.ndarray, "masks heads"]:
    """Masks as the rows of one array, also when there are none."""
    return np.array(list(masks), dtype=bool).reshape(-1, len(layout))


def select_layers(layout: HeadLayout, kinds: Sequence[AttentionKind] | None) -> Iterator[Layer]:
    """The attention layers of the kinds asked for; of every kind when `kinds` is None or empty.

    Raises:
        InputError: when the model has none of a kind asked for.
    """
    for kind in kinds or ():
        if kind not in layout.counts:
            raise InputError(f"this model has no {kind} attention: it has {', '.join(layout.counts)}")
    return ((kind, layer) for kind, layer in layout.layers if not kinds or kind in kinds)


def select_heads(layout: HeadLayout, kinds: Sequence[AttentionKind] | None) -> Iterator[Head]:
    """The heads of the kinds asked for, as `select_layers`."""
    layers = set(select_layers(layout, kinds))
    return (head for head in layout.heads if (head.kind, head.layer) in layers)
