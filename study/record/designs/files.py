"""Files of designs: documents that grow.

A design that grows, as a sample of coalitions does, keeps its name: the file holds the longest one asked for so far.
"""

from pathlib import Path

from study.record.designs.design import Design, DesignKind
from study.record.designs.standard import standard_designs
from study.record.documents import Documents
from study.record.errors import StudyError
from study.record.files import locked
from study.record.units import HeadLayout

FOLDER = "designs"


class DesignError(StudyError):
    """A file of a design that cannot be read."""


DESIGNS = Documents(FOLDER, "design", DesignError, Design.from_json)


def write_design(design: Design, folder: Path) -> None:
    """Keep a design in a setting's folder; does nothing where it is kept, or a longer one that begins with it.

    Raises:
        WriteError: when the folder cannot be written.
    """
    if keeps_design(design, folder):
        return
    with locked(DESIGNS.path(design.id, folder)):  # of two jobs that let it grow neither makes it shorter
        kept = kept_design(design, folder)
        if kept is None or not kept.holds(design):
            DESIGNS.write(design if kept is None else design.joined(kept), folder)


def keeps_design(design: Design, folder: Path) -> bool:
    """Whether a setting's folder has this design, or a longer one that begins with it."""
    kept = kept_design(design, folder)
    return kept is not None and kept.holds(design)


def kept_design(design: Design, folder: Path) -> Design | None:
    """What stands under the name of a design, if that is whole: as far as any job has let it grow."""
    return DESIGNS.kept(design, folder)


def read_design(path: Path, setting: str = "") -> Design:
    """One design.

    Args:
        path: its file.
        setting: id of the setting in whose folder it lies; empty where the file may lie anywhere.

    Raises:
        DesignError: for a file that is none, or that of another design or setting.
    """
    return DESIGNS.read(path, setting)


def read_designs(folder: Path, layout: HeadLayout) -> tuple[list[Design], list[str]]:
    """What the masks in a setting's folder mean: the designs that need no file, then those that are stored, by kind.

    Returns:
        The designs, and what is wrong with the files that are none.
    """
    stored, wrong = DESIGNS.read_all(folder)
    kinds = list(DesignKind)
    return [*standard_designs(layout), *sorted(stored, key=lambda design: (kinds.index(design.kind), design.id))], wrong
