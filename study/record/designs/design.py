"""A design: which units each of its masks leaves on, and what the masks are together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from jaxtyping import Bool

from study.record.designs.bits import packed, unpacked
from study.record.designs.looks import Looks
from study.record.files import short_hash
from study.record.units import HeadLayout, Unit, UnitLevel, parse_unit

DesignOptions = Mapping[str, str | int | float | bool]
"""What determines a design besides its kind, its units and its seed; as stored."""


class DesignKind(StrEnum):
    """What the masks of a design are together."""

    SINGLE = "single"
    """One unit is off."""
    ALONE = "alone"
    """One unit is left on in its layer."""
    PAIR = "pair"
    """Two units are off."""
    COALITION = "coalition"
    """The units that are on are a random sample of sets, or all sets."""
    STEP = "step"
    """One set after the other, each found from what came out for those before."""
    SET = "set"
    """Sets by name, chosen by what came out for others, to be judged beside each other."""


@dataclass(frozen=True, eq=False)
class Design:
    """Masks, and what they mean. All that is no unit of the design is on in every mask.

    Attributes:
        kind: what the masks are together.
        unit: level of the units.
        units: addresses of the units that may be off, in the order of a mask: the players of a game.
        on: which of the units each mask leaves on; the same row may stand several times, where it was drawn so.
        options: what else determines it.
        seed: what its random numbers were drawn with; None where there are none.
        names: what each mask is called, where masks have names; else none.
        examples: ids of the examples whose outcomes decided which masks there are; none where no outcome did.
        looks: where outcomes decide how many masks there are: the numbers at which it was looked, or will be.
    """

    kind: DesignKind
    unit: UnitLevel
    units: tuple[str, ...]
    on: Bool[np.ndarray, "masks units"]
    options: DesignOptions
    seed: int | None = None
    names: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    looks: Looks | None = None

    def __len__(self) -> int:
        """The number of masks."""
        return len(self.on)

    @property
    def id(self) -> str:
        """Hash of what determines the design, not of how many masks it has so far, nor of what came out."""
        return short_hash([self.kind, self.unit, list(self.units), dict(self.options), self.seed])

    def parsed(self) -> list[Unit]:
        """The units that may be off."""
        return list(map(parse_unit, self.units))

    def off(self, number: int) -> tuple[str, ...]:
        """Addresses of the units that one of the masks turns off."""
        return tuple(unit for unit, on in zip(self.units, self.on[number], strict=True) if not on)

    def masks(self, layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
        """The masks over all units of the model.

        Raises:
            InputError: when the model has no such unit.
        """
        masks = np.ones((len(self), layout.width), dtype=bool)
        for column, unit in enumerate(self.parsed()):
            masks[:, layout.span(unit)] &= self.on[:, column, None]
        return masks

    def keys(self, layout: HeadLayout) -> list[str]:
        """The name of each mask in every file."""
        return list(map(layout.key, self.masks(layout)))

    def first(self, count: int) -> "Design":
        """Its first masks alone."""
        return replace(self, on=self.on[:count], names=self.names[:count])

    def begins_with(self, other: "Design") -> bool:
        """Whether another design is this one, or its first masks."""
        told = [(each.id, each.names[: len(other)], each.examples) for each in (self, other)]
        return told[0] == told[1] and np.array_equal(self.on[: len(other)], other.on)

    def holds(self, other: "Design") -> bool:
        """Whether it begins with another design, and includes that one's looks; a sample without any needs none."""
        known = self.looks is None or other.looks is None or self.looks.include(other.looks)
        return self.begins_with(other) and known

    def joined(self, earlier: "Design") -> "Design":
        """The longer of two of which one begins with the other, with the looks of both; else itself."""
        looks = self.looks.joined(earlier.looks) if self.looks else earlier.looks
        for longer, shorter in ((self, earlier), (earlier, self)):
            if longer.begins_with(shorter):
                return replace(longer, looks=looks)
        return self

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        return {
            "kind": str(self.kind),
            "unit": str(self.unit),
            "units": list(self.units),
            "options": dict(self.options),
            "seed": self.seed,
            "names": list(self.names),
            "examples": list(self.examples),
            **({"looks": asdict(self.looks)} if self.looks else {}),
            "masks": packed(self.on),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Design":
        """Inverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: when it is not of that form.
        """
        looks = stored.get("looks")
        return cls(
            kind=DesignKind(stored["kind"]),
            unit=UnitLevel(stored["unit"]),
            units=tuple(stored["units"]),
            on=unpacked(stored["masks"], len(stored["units"])),
            options=stored["options"],
            seed=stored["seed"],
            names=tuple(stored["names"]),
            examples=tuple(stored["examples"]),
            looks=None if looks is None else Looks(tuple(looks["at"]), looks["width"]),
        )


def rows_without(off: Sequence[Sequence[int]], number: int) -> Bool[np.ndarray, "masks units"]:
    """A row for each set of units, by their positions among so many, in which these are off."""
    on = np.ones((len(off), number), dtype=bool)
    for row, places in zip(on, off, strict=True):
        row[list(places)] = False
    return on
