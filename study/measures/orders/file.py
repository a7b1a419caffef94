"""An order that someone has written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.measures.orders.order import Order, Removal
from study.record.curves import Curve
from study.record.errors import InputError
from study.record.files import file_digest
from study.record.orders import read_order


@dataclass(kw_only=True)
class FileOrder(Order):
    """Units as a file names them.

    Attributes:
        file: one address a line, or a stored curve; every unit that may go, once.
        reverse: whether the first of the file go last.
    """

    name: str = "file"
    file: str | None = None
    reverse: bool = False

    def check(self, removal: Removal) -> None:
        """Refuse a file that does not name every unit once."""
        self.curves(removal)

    def curves(self, removal: Removal) -> Sequence[Curve]:
        """One, of the file as it is now."""
        if not self.file:
            raise InputError("measure.order=file needs measure.file=PATH: one address a line, first to go first")
        path = Path(self.file)
        order = read_order(path, removal.units)
        options = {**self.options(removal), "reverse": self.reverse, "file": path.name, "digest": file_digest(path)}
        return [self.curve(removal, order[::-1] if self.reverse else order, options)]
