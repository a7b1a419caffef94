"""An order that someone has written down."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from study.measures.measure import MaskRequest
from study.measures.orders.order import Order, Removal
from study.record.errors import InputError
from study.record.files import file_digest
from study.record.heads import Head
from study.record.orders import read_order

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


@dataclass(kw_only=True)
class FileOrder(Order):
    """Heads as a file names them.

    Attributes:
        file: one head address a line, or a stored curve; every head that may go, once.
        reverse: whether the first of the file go last.
    """

    name: str = "file"
    file: str | None = None
    reverse: bool = False

    def check(self, removal: Removal) -> None:
        """Refuse a file that does not name every head once."""
        self._read(removal)

    def request(self, removal: Removal, evaluator: "Evaluator") -> MaskRequest:
        """One curve, of the file as it is now."""
        path, order = self._read(removal)
        options = {**self.options(removal), "reverse": self.reverse, "file": path.name, "digest": file_digest(path)}
        return removal.complete(removal.curve(self.name, order[::-1] if self.reverse else order, options))

    def _read(self, removal: Removal) -> tuple[Path, list[Head]]:
        if not self.file:
            raise InputError("measure.order=file needs measure.file=PATH: one head address a line, first to go first")
        return Path(self.file), read_order(Path(self.file), removal.heads)
