"""An order that someone has written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

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

    takes_examples: ClassVar[bool] = False

    name: str = "file"
    file: str | None = None
    reverse: bool = False

    def identity(self) -> dict[str, Any]:
        """See `Order.identity`; whatever the file is called."""
        try:
            return {**super().identity(), "file": file_digest(self._path)}
        except OSError as error:
            raise InputError(f"cannot read the order in {self._path}: {error}") from error

    def check(self, removal: Removal) -> None:
        """Refuse a file that does not name every unit once."""
        self.curves(removal)

    def curves(self, removal: Removal) -> Sequence[Curve]:
        """One, of the file as it is now."""
        path = self._path
        order = [unit for unit in read_order(path, removal.every_unit) if unit in removal.units]
        options = {**self.options(removal), "reverse": self.reverse, "file": path.name, "digest": file_digest(path)}
        return [self.curve(removal, order[::-1] if self.reverse else order, options)]

    @property
    def _path(self) -> Path:
        if not self.file:
            raise InputError("measure.order=file needs measure.file=PATH: one address a line, first to go first")
        return Path(self.file)
