"""Files of designs: JSON with a seal, the masks packed into bits.

A design that grows, as a sample of coalitions does, keeps its name: the file holds the longest one asked for so far.
"""

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from study.record.designs.design import Design, DesignKind
from study.record.designs.looks import Looks
from study.record.designs.standard import standard_designs
from study.record.errors import StudyError
from study.record.files import locked, read_sealed, write_sealed
from study.record.setting import ANEW
from study.record.units import HeadLayout, UnitLevel

FOLDER = "designs"


class DesignError(StudyError):
    """A file of a design that cannot be read."""


def write_design(design: Design, folder: Path) -> None:
    """Keep a design in a setting's folder; does nothing where it is kept, or a longer one that begins with it.

    Raises:
        WriteError: when the folder cannot be written.
    """
    if keeps_design(design, folder):
        return
    path = _path(design, folder)
    with locked(path):  # of two jobs that let it grow neither makes it shorter
        kept = kept_design(design, folder)
        if kept is None or not kept.holds(design):
            grown = design if kept is None else design.joined(kept)
            write_sealed(path, {**grown.to_json(), "masks": _packed(grown.on), "setting": folder.name})


def keeps_design(design: Design, folder: Path) -> bool:
    """Whether a setting's folder has this design, or a longer one that begins with it."""
    kept = kept_design(design, folder)
    return kept is not None and kept.holds(design)


def kept_design(design: Design, folder: Path) -> Design | None:
    """What stands under the name of a design, if that is whole: as far as any job has let it grow."""
    try:
        return read_design(_path(design, folder), folder.name)
    except DesignError:
        return None


def _path(design: Design, folder: Path) -> Path:
    return folder / FOLDER / f"{design.id}.json"


def read_design(path: Path, setting: str = "") -> Design:
    """One design.

    Args:
        path: its file.
        setting: id of the setting in whose folder it lies; empty where the file may lie anywhere.

    Raises:
        DesignError: for a file that is none, or that of another design or setting.
    """
    try:
        stored = read_sealed(path)
        design = Design(
            kind=DesignKind(stored["kind"]),
            unit=UnitLevel(stored["unit"]),
            units=tuple(stored["units"]),
            on=_unpacked(stored["masks"], len(stored["units"])),
            options=stored["options"],
            seed=stored["seed"],
            names=tuple(stored["names"]),
            examples=tuple(stored["examples"]),
            looks=_looks(stored.get("looks")),
        )
        if setting and (design.id, stored["setting"]) != (path.stem, setting):
            raise ValueError("it is that of another design or setting")
        return design
    except (ValueError, KeyError, TypeError, OSError, zlib.error) as error:
        raise DesignError(f"{path} is not a whole design ({error}): {ANEW}") from error


def read_designs(folder: Path, layout: HeadLayout) -> tuple[list[Design], list[str]]:
    """What the masks in a setting's folder mean: the designs that need no file, then those that are stored, by kind.

    Returns:
        The designs, and what is wrong with the files that are none.
    """
    stored, wrong = [], []
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            stored.append(read_design(path, folder.name))
        except DesignError as error:
            wrong.append(str(error))
    kinds = list(DesignKind)
    return [*standard_designs(layout), *sorted(stored, key=lambda design: (kinds.index(design.kind), design.id))], wrong


def _looks(stored: dict[str, Any] | None) -> Looks | None:
    return None if stored is None else Looks(tuple(stored["at"]), stored["width"])


def _packed(on: Bool[np.ndarray, "masks units"]) -> dict[str, Any]:
    """Rows of bits as text: row after row, eight units a byte, deflated."""
    bits = base64.b64encode(zlib.compress(np.packbits(on, axis=1).tobytes())).decode()
    return {"count": len(on), "bits": bits}


def _unpacked(stored: dict[str, Any], units: int) -> Bool[np.ndarray, "masks units"]:
    """Inverse of `_packed`.

    Raises:
        ValueError: when there are not so many bits.
    """
    content = zlib.decompress(base64.b64decode(stored["bits"], validate=True))
    rows = np.frombuffer(content, dtype=np.uint8).reshape(stored["count"], -(-units // 8))
    return np.unpackbits(rows, axis=1, count=units).astype(bool)
