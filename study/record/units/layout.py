"""Layouts: all units of a model, and boolean rows over them, the masks.

A mask is the paper's xi: True (1) where a unit is on, False (0) where it is off. Its order is that of
`HeadLayout.heads`: by attention kind, then layer, then index, all counted from 0. After the heads come the MLPs, where
the model has some that can be masked, in the order of layers. Groups and layers are sets of heads: they are off where
all of their heads are.

Shapes: `heads` = number of heads of the model, `width` = number of heads and MLPs, `masks` = number of masks.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool

from study.record.errors import InputError
from study.record.units.address import AttentionKind, AttentionLayer, Group, Head, Layer, Mlp, Unit, UnitLevel, level_of


@dataclass(frozen=True)
class HeadLayout:
    """How many heads each attention layer of a model has, how they are grouped, and which layers have an MLP.

    Attributes:
        counts: heads per layer for each attention kind that the model has; layers may differ (after pruning), and one
            without attention of the kind has 0.
        uses: how many layers of the model share the weights of an attention layer, where they do (ALBERT): a head is on
            or off in all of them.
        groups: groups of heads that share keys and values, per layer, for each attention kind of which some layer has
            fewer groups than heads. Group g of G has the heads h of H with h // (H / G) = g.
        mlps: the layers whose MLP can be masked, ascending.
    """

    counts: Mapping[AttentionKind, Sequence[int]]
    uses: Mapping[Layer, int] = field(default_factory=dict, compare=False)
    groups: Mapping[AttentionKind, Sequence[int]] = field(default_factory=dict)
    mlps: Sequence[int] = ()

    def __post_init__(self) -> None:
        ordered = {kind: tuple(self.counts[kind]) for kind in AttentionKind if kind in self.counts}
        groups = {kind: tuple(self.groups[kind]) for kind in ordered if kind in self.groups}
        for kind, numbers in groups.items():
            if len(numbers) != len(ordered[kind]) or any(
                bool(heads) != bool(number) or heads % (number or 1)
                for heads, number in zip(ordered[kind], numbers, strict=True)
            ):
                raise ValueError(f"{kind}: {list(ordered[kind])} heads are not in {list(numbers)} equal groups")
        object.__setattr__(self, "counts", ordered)
        object.__setattr__(self, "groups", {kind: some for kind, some in groups.items() if some != ordered[kind]})
        object.__setattr__(self, "mlps", tuple(sorted(set(self.mlps))))

    def __len__(self) -> int:
        """The number of heads."""
        return len(self.heads)

    def __str__(self) -> str:
        heads = [f"{sum(counts)} {kind}{self._shared(kind)}" for kind, counts in self.counts.items()]
        return " + ".join([*heads, f"{len(self.mlps)} mlp"] if self.mlps else heads)

    def _shared(self, kind: AttentionKind) -> str:
        """In words, in how many groups the heads of a kind are, and how many layers of the model share each of them."""
        words = f" in {sum(self.groups[kind])} groups" if kind in self.groups else ""
        uses = [self.uses.get((kind, layer), 1) for layer, count in enumerate(self.counts[kind]) if count]
        fewest, most = min(uses, default=1), max(uses, default=1)
        times = most if fewest == most else f"{fewest} to {most}"
        return words + ("" if most == 1 else f", each shared by {times} layers")

    @property
    def width(self) -> int:
        """The length of a mask: heads and MLPs."""
        return len(self.heads) + len(self.mlps)

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
    def layers(self) -> tuple[AttentionLayer, ...]:
        """All attention layers that have heads, in the order of a mask."""
        return tuple(
            AttentionLayer(kind, layer)
            for kind, counts in self.counts.items()
            for layer, count in enumerate(counts)
            if count
        )

    @cached_property
    def key_groups(self) -> tuple[Group, ...]:
        """All groups of heads that share keys and values, in the order of a mask; none where no two heads do."""
        return tuple(
            Group(kind, layer, index)
            for kind, numbers in self.groups.items()
            for layer, number in enumerate(numbers)
            for index in range(number)
        )

    def units(self, level: UnitLevel) -> tuple[Unit, ...]:
        """All units of a level in the order of a mask; none where the model has none."""
        match level:
            case UnitLevel.head:
                return self.heads
            case UnitLevel.group:
                return self.key_groups
            case UnitLevel.layer:
                return self.layers
            case UnitLevel.mlp:
                return tuple(map(Mlp, self.mlps))

    def members(self, unit: Unit) -> tuple[Head, ...]:
        """The heads of a unit; none of an MLP.

        Raises:
            InputError: when the model has no such unit; says what it has.
        """
        return tuple(self.heads[i] for i in range(*self.span(unit).indices(len(self))))

    def span(self, unit: Unit) -> slice:
        """The columns of a mask that are off where a unit is; those of a unit lie side by side.

        Raises:
            InputError: when the model has no such unit; says what it has.
        """
        if isinstance(unit, Head | Mlp):
            column = self.index(unit)
            return slice(column, column + 1)
        if isinstance(unit, AttentionLayer):
            if unit not in self.layers:
                raise self._missing(unit)
            return self.columns(*unit)
        numbers = self.groups.get(unit.kind, ())
        if not (unit.layer < len(numbers) and unit.index < numbers[unit.layer]):
            raise self._missing(unit)
        size = self.counts[unit.kind][unit.layer] // numbers[unit.layer]
        first = self.columns(unit.kind, unit.layer).start + unit.index * size
        return slice(first, first + size)

    @cached_property
    def _index(self) -> dict[Unit, int]:
        return {unit: i for i, unit in enumerate((*self.heads, *map(Mlp, self.mlps)))}

    def columns(self, kind: AttentionKind, layer: int) -> slice:
        """The columns of a mask that belong to one attention layer."""
        first = sum(sum(counts) for k, counts in self.counts.items() if k.rank < kind.rank)
        first += sum(self.counts[kind][:layer])
        return slice(first, first + self.counts[kind][layer])

    def mlp_column(self, layer: int) -> int:
        """The column of a mask that belongs to the MLP of a layer.

        Raises:
            InputError: when the model has no such MLP; says what it has.
        """
        return self.index(Mlp(layer))

    def index(self, unit: Head | Mlp) -> int:
        """The column of a head or an MLP in a mask.

        Raises:
            InputError: when the model has no such unit; says what it has.
        """
        if unit not in self._index:
            raise self._missing(unit)
        return self._index[unit]

    def _missing(self, unit: Unit) -> InputError:
        """The refusal of a unit that the model has not."""
        match unit:
            case Mlp():
                has = f"MLPs of the layers {list(self.mlps)}" if self.mlps else "no MLP that can be masked"
            case Group():
                named = (f"{kind}: groups per layer {list(numbers)}" for kind, numbers in self.groups.items())
                has = "; ".join(named) or "no groups of one size that share keys and values"
            case _:
                has = "; ".join(f"{kind}: heads per layer {list(counts)}" for kind, counts in self.counts.items())
        what = {Head: "head", Group: "group", AttentionLayer: "attention layer", Mlp: "MLP"}[type(unit)]
        return InputError(f"no {what} {unit} in this model (counted from 0). It has {has}")

    def full(self) -> Bool[np.ndarray, " width"]:
        """The full mask: every unit on."""
        return np.ones(self.width, dtype=bool)

    def key(self, mask: Bool[np.ndarray, " width"]) -> str:
        """A mask as text, one character a head: `1` on, `0` off. It names the mask in every file.

        A character for each MLP follows only where one of them is off, so that a mask of heads has one name whether or
        not the MLPs of its model can be masked.
        """
        written = mask if not mask[len(self) :].all() else mask[: len(self)]
        return np.where(written, b"1", b"0").astype("S1").tobytes().decode()

    @cached_property
    def full_key(self) -> str:
        """Name of the full mask in every file."""
        return self.key(self.full())

    @property
    def key_lengths(self) -> frozenset[int]:
        """How many characters the name of a mask may have."""
        return frozenset((len(self), self.width))

    def without(self, units: Iterable[Unit]) -> Bool[np.ndarray, " width"]:
        """The mask with these units off."""
        mask = self.full()
        for unit in units:
            mask[self.span(unit)] = False
        return mask

    def all_but(self, unit: Head | Group) -> Bool[np.ndarray, " width"]:
        """The mask that leaves this head or group alone in its layer; other layers are whole."""
        mask = self.without_layer((unit.kind, unit.layer))
        mask[self.span(unit)] = True
        return mask

    def without_layer(self, layer: Layer) -> Bool[np.ndarray, " width"]:
        """The mask with no head in one attention layer; other layers are whole."""
        return self.without([AttentionLayer(*layer)])

    def each_off(self, units: Iterable[Unit] | None = None) -> Bool[np.ndarray, "masks width"]:
        """A mask for each of these units (every head, unless given): this one off."""
        return stack((self.without([unit]) for unit in (self.heads if units is None else units)), self)

    def each_alone(self, units: Iterable[Head | Group] | None = None) -> Bool[np.ndarray, "masks width"]:
        """A mask for each of these heads or groups (every head, unless given): this one alone in its layer."""
        return stack(map(self.all_but, self.heads if units is None else units), self)

    def each_layer_off(self, layers: Iterable[Layer] | None = None) -> Bool[np.ndarray, "masks width"]:
        """A mask for each of these attention layers (all, unless given): no head in it."""
        return stack(map(self.without_layer, self.layers if layers is None else layers), self)

    def changed(self, mask: Bool[np.ndarray, " width"]) -> tuple[Head, ...]:
        """The heads that a mask turns off."""
        return tuple(self.heads[i] for i in np.flatnonzero(~mask[: len(self)]))

    def silent_mlps(self, mask: Bool[np.ndarray, " width"]) -> tuple[Mlp, ...]:
        """The MLPs that a mask turns off."""
        return tuple(Mlp(layer) for layer, on in zip(self.mlps, mask[len(self) :], strict=True) if not on)

    def describe(self, mask: Bool[np.ndarray, " width"]) -> str:
        """A mask in words: `cross.0.3 off`, `cross.0.3 alone`, `no head in cross.0`, `3 heads off from cross.0.1`.

        Heads that are whole groups are told as such.
        """
        heads, mlps = self.changed(mask), self.silent_mlps(mask)
        if heads and not mlps and (words := self._in_one_layer(heads)):
            return words
        off = (*self._whole_groups(heads), *mlps)
        if len(off) <= 2:
            return f"{' and '.join(map(str, off)) or 'nothing'} off"
        counts = Counter(map(level_of, off))
        numbers = [f"{count} {level.plural if count > 1 else level.noun}" for level, count in counts.items()]
        return f"{' and '.join(numbers)} off from {off[0]}"

    def _whole_groups(self, heads: tuple[Head, ...]) -> tuple[Unit, ...]:
        """The groups that these heads are, where they are whole groups; else the heads."""
        off = set(heads)
        groups = tuple(group for group in self.key_groups if off.issuperset(self.members(group)))
        are_all = sum(len(self.members(group)) for group in groups) == len(heads)
        return groups if are_all and len(groups) < len(heads) else heads

    def _in_one_layer(self, off: tuple[Head, ...]) -> str:
        """What is off, or left on, where that is a head, a group or all of one layer; else nothing."""
        layer = AttentionLayer(off[0].kind, off[0].layer)
        if any((head.kind, head.layer) != layer for head in off):
            return ""
        groups = (unit for unit in self.key_groups if (unit.kind, unit.layer) == layer)
        named = {self.members(unit): unit for unit in (*groups, *self.members(layer))}
        left = tuple(head for head in self.members(layer) if head not in off)
        if not left and len(off) > 1:
            return f"no head in {layer}"
        return f"{named[off]} off" if off in named else f"{named[left]} alone" if left in named else ""

    def to_json(self) -> dict[str, Any]:
        """As stored in `setting.json`: `heads`; `groups` and `mlps` only where there are any."""
        groups = {str(kind): list(numbers) for kind, numbers in self.groups.items()}
        heads = {str(kind): list(counts) for kind, counts in self.counts.items()}
        return {
            "heads": heads,
            **({"groups": groups} if groups else {}),
            **({"mlps": list(self.mlps)} if self.mlps else {}),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "HeadLayout":
        """Inverse of `to_json`; other fields may stand beside its own."""
        counts, groups = (
            {AttentionKind(kind): tuple(layers) for kind, layers in numbers.items()}
            for numbers in (stored["heads"], stored.get("groups", {}))
        )
        return cls(counts, groups=groups, mlps=tuple(stored.get("mlps", ())))

    def knowing(self, other: "HeadLayout") -> "HeadLayout":
        """This layout, with the groups and MLPs of another of the same heads where it says none itself."""
        return replace(self, groups=self.groups or other.groups, mlps=self.mlps or other.mlps)


def parse_mask(key: str, layout: HeadLayout) -> Bool[np.ndarray, " width"]:
    """Inverse of `HeadLayout.key`.

    Raises:
        InputError: when the text is not a row of 0 and 1 of the model's length.
    """
    if len(key) not in layout.key_lengths or set(key) - {"0", "1"}:
        lengths = " or ".join(map(str, sorted(layout.key_lengths)))
        raise InputError(f"'{key}' is no mask of this model: expected {lengths} characters 0 or 1 ({layout})")
    mask = layout.full()
    mask[: len(key)] = np.frombuffer(key.encode(), dtype="S1") == b"1"
    return mask


def stack(masks: Iterable[Bool[np.ndarray, " width"]], layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
    """Masks as the rows of one array, also when there are none."""
    rows = list(masks)
    return np.array(rows, dtype=bool).reshape(len(rows), layout.width)


def select_layers(layout: HeadLayout, kinds: Sequence[AttentionKind] | None) -> Iterator[AttentionLayer]:
    """The attention layers of the kinds asked for; of every kind when `kinds` is None or empty.

    Raises:
        InputError: when the model has none of a kind asked for.
    """
    for kind in kinds or ():
        if kind not in layout.counts:
            raise InputError(f"this model has no {kind} attention: it has {', '.join(layout.counts)}")
    return (layer for layer in layout.layers if not kinds or layer.kind in kinds)


def select_heads(layout: HeadLayout, kinds: Sequence[AttentionKind] | None) -> Iterator[Head]:
    """The heads of the kinds asked for, as `select_layers`."""
    layers = set(select_layers(layout, kinds))
    return (head for head in layout.heads if (head.kind, head.layer) in layers)


def select_units(layout: HeadLayout, level: UnitLevel, kinds: Sequence[AttentionKind] | None) -> tuple[Unit, ...]:
    """The units of a level, those of the attention kinds asked for.

    Raises:
        InputError: when the model has no unit of this level, or none of a kind asked for, and for MLPs of a kind.
    """
    layers = set(select_layers(layout, kinds))
    if level is UnitLevel.mlp and kinds:
        raise InputError(f"an MLP belongs to no attention: kinds={','.join(kinds)} goes with unit=head, group or layer")
    units = layout.units(level)
    found = tuple(unit for unit in units if isinstance(unit, Mlp) or (unit.kind, unit.layer) in layers)
    if not found:
        raise InputError(f"unit={level}: {_WHY_NONE.get(level, 'this model has none')}; it has {layout}")
    return found


_WHY_NONE = {
    UnitLevel.group: "no two heads of this model share keys and values, in groups of one size: a group is a head",
    UnitLevel.mlp: "this model has no MLP that can be masked",
}
