"""Pruning curves as stored: which masks, in which order, form the curve of which order of removal.

    results/<model>/<data>/<setting id>/curves/<id>.json

The scores are not here: they follow from the outcomes of the masks. The id is that of what the order is (options and
data), not of what came out, so that an order computed anew takes the place of the old one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from study.record.documents import Documents
from study.record.errors import StudyError
from study.record.files import short_hash
from study.record.units import UnitLevel

FOLDER = "curves"

KEPT = "kept"
"""The order of a curve whose second point is the heads that gates keep: a set, and no sequence within it."""

CurveOptions = Mapping[str, str | int | float | bool]
"""What determines an order besides its name, and the points of its curve; as stored."""


class CurveError(StudyError):
    """A file of a curve that cannot be read."""


@dataclass(frozen=True)
class Curve:
    """One curve.

    Attributes:
        order: how the order was made: `importance`, `random` ...
        options: what else determines it (estimator, seed, the data of the order ...).
        kinds: attention kinds whose units go; all when empty.
        heads: how many heads, or other units, the shares are of.
        removed: how many of them are off at each point, from 0 on.
        masks: the mask of each point, by key.
        examples: how many examples of the data of the order it was made of.
        sequence: addresses of the units, the first to go first; where several go at once, in the order of a mask.
        unit: what goes as a whole.
    """

    order: str
    options: CurveOptions
    kinds: tuple[str, ...]
    heads: int
    removed: tuple[int, ...]
    masks: tuple[str, ...]
    examples: int
    sequence: tuple[str, ...]
    unit: UnitLevel = UnitLevel.head

    @property
    def id(self) -> str:
        """Hash of what determines the order, not of what came out."""
        return short_hash([self.order, dict(self.options), list(self.kinds), *self._unit_unless_head.values()])

    @property
    def _unit_unless_head(self) -> dict[str, str]:
        """What goes as a whole, unless it is a head, as in all that was stored before there were other units."""
        return {} if self.unit is UnitLevel.head else {"unit": str(self.unit)}

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        every = asdict(self)
        del every["unit"]
        return every | self._unit_unless_head


def _parsed(stored: Mapping[str, Any]) -> Curve:
    kinds, removed, masks, sequence = (tuple(stored[name]) for name in ("kinds", "removed", "masks", "sequence"))
    order, options, heads, examples = (stored[name] for name in ("order", "options", "heads", "examples"))
    unit = UnitLevel(stored.get("unit", UnitLevel.head))
    return Curve(order, options, kinds, heads, removed, masks, examples, sequence, unit)


CURVES = Documents(FOLDER, "pruning curve", CurveError, _parsed, anywhere=True)


def write_curve(curve: Curve, folder: Path) -> None:
    """Keep a curve in a setting's folder; does nothing where it is kept as it is."""
    if not keeps_curve(curve, folder):
        CURVES.write(curve, folder)


def keeps_curve(curve: Curve, folder: Path) -> bool:
    """Whether a setting's folder has this curve, whole."""
    return CURVES.kept(curve, folder) == curve


def read_curve(path: Path) -> Curve:
    """One curve, wherever its file lies.

    Raises:
        CurveError: for a file that is none.
    """
    return CURVES.read(path)


def read_curves(folder: Path) -> tuple[list[Curve], list[str]]:
    """Every curve of a setting's folder, by order and options; and what is wrong with the files that are none."""
    curves, wrong = CURVES.read_all(folder)
    curves.sort(key=lambda curve: (curve.order, json.dumps(curve.options, sort_keys=True), curve.kinds, curve.unit))
    return curves, wrong
