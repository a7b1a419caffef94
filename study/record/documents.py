"""Documents: what stands beside the rows of a setting and is no row, each a file of sealed JSON named by its id.

    results/<model>/<data>/<setting id>/<folder>/<id>.json

The id is that of what determines a document, not of what came out, so that one that is made anew takes the place of the
old one; the file says whose it is, so that none is read in the folder of another setting.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from study.record.errors import StudyError
from study.record.files import read_sealed, write_sealed
from study.record.setting import ANEW

SETTING = "setting"
"""Entry of a file: the id of the setting in whose folder it lies."""


class Document(Protocol):
    """What is kept in a file of its own."""

    @property
    def id(self) -> str:
        """Hash of what determines it."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        ...


D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Documents(Generic[D]):
    """All documents of one kind.

    Attributes:
        folder: name of the folder in which they are, within that of a setting.
        noun: what one of them is called in messages.
        error: what is raised for a file that is none.
        parse: gives a document from the content of its file; raises ValueError, KeyError, TypeError or AttributeError
            where it is not of that form.
        cure: what to do about a file that is none.
        anywhere: whether a file may say no setting, as earlier versions wrote those of curves.
    """

    folder: str
    noun: str
    error: type[StudyError]
    parse: Callable[[Mapping[str, Any]], D]
    cure: str = ANEW
    anywhere: bool = False

    def path(self, id_: str, setting: Path) -> Path:
        """The file of a document in the folder of a setting."""
        return setting / self.folder / f"{id_}.json"

    def paths(self, setting: Path) -> list[Path]:
        """The files in the folder of a setting, by name."""
        return sorted((setting / self.folder).glob("*.json"))

    def write(self, document: D, setting: Path) -> Path:
        """Keep a document in the folder of a setting; one of the same id gives way.

        Raises:
            WriteError: when the folder cannot be written.
        """
        path = self.path(document.id, setting)
        write_sealed(path, {**document.to_json(), SETTING: setting.name})
        return path

    def read(self, path: Path, setting: str = "") -> D:
        """One document.

        Args:
            path: its file.
            setting: id of the setting in whose folder it lies; empty where the file may lie anywhere.

        Raises:
            StudyError: the own one of the kind, for a file that is none, or that of another document or setting.
        """
        try:
            stored = read_sealed(path)
            own = stored.pop(SETTING, setting if self.anywhere else "")
            document = self.parse(stored)
            if setting and (document.id, own) != (path.stem, setting):
                raise ValueError(f"it is that of another {self.noun} or setting")
            return document
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise self.error(f"{path} is not a whole {self.noun} ({error}): {self.cure}") from error

    def kept(self, document: D, setting: Path) -> D | None:
        """What stands under the name of a document in the folder of a setting, if that is whole."""
        try:
            return self.read(self.path(document.id, setting), setting.name)
        except self.error:
            return None

    def read_all(self, setting: Path) -> tuple[list[D], list[str]]:
        """Every document in the folder of a setting, by name; and what is wrong with the files that are none."""
        found, wrong = [], []
        for path in self.paths(setting):
            try:
                found.append(self.read(path, setting.name))
            except self.error as error:
                wrong.append(str(error))
        return found, wrong
