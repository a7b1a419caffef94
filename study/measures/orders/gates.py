"""The order that gates have learned: heads that they do not keep go first, those of least log alpha before others."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from study.measures.measure import MaskRequest
from study.measures.orders.order import Order, Removal
from study.record.curves import Curve
from study.record.errors import InputError, listed
from study.record.factors import NO_GATES
from study.record.files import file_digest
from study.record.training.gates import GatesRecord, kept_mask, read_gates
from study.record.units import Head, HeadLayout, UnitLevel

if TYPE_CHECKING:
    from study.engine.evaluator import Evaluator


@dataclass(kw_only=True)
class GatesOrder(Order):
    """Heads by the gates that were learned with the model under study, or with another of the same heads.

    Attributes:
        gates: file of the gates of another model (`gates.json` of a checkpoint); those of the model under study when
            empty.
    """

    takes_examples: ClassVar[bool] = False

    name: str = "gates"
    gates: str = ""

    def identity(self) -> dict[str, Any]:
        """See `Order.identity`; wherever the file is."""
        try:
            return {**super().identity(), "gates": file_digest(Path(self.gates).expanduser()) if self.gates else ""}
        except OSError as error:
            raise InputError(f"cannot read the gates in {self.gates}: {error}") from error

    def learned(self) -> GatesRecord | None:
        """See `Order.learned`."""
        return read_gates(Path(self.gates).expanduser()) if self.gates else None

    def check(self, removal: Removal) -> None:
        """Refuse other units than heads, and a file that does not give every one of them a place."""
        if removal.unit is not UnitLevel.head:
            raise InputError(
                f"measure.order=gates is of heads, and here {removal.unit.plural} go: take measure.unit=head"
            )
        if record := self.learned():
            self._curve(record, removal)

    def check_gates(self, gates: Callable[[], GatesRecord]) -> None:
        """Refuse a model whose gates were not learned."""
        if not self.gates:
            _require_learned(gates())

    def request(self, removal: Removal, evaluator: "Evaluator") -> MaskRequest:
        """The points of one curve."""
        record = self.learned() or evaluator.gates()
        return removal.points(self._curve(record, removal))

    def _curve(self, record: GatesRecord, removal: Removal) -> Curve:
        """The curve along the heads of a record.

        Raises:
            InputError: when its gates were not learned, are of another model, or not of every head that may go.
        """
        _require_learned(record)
        sequence = learned_sequence(record, removal.layout)
        if lacking := [str(head) for head in removal.units if head not in sequence]:
            kinds = ",".join(dict.fromkeys(head.kind.name for head in sequence))
            raise InputError(
                f"no gate was learned for {listed(lacking)}: measure.kinds=[{kinds}] removes heads that have gates"
            )
        order = [head for head in sequence if head in removal.units]
        made = {"method": record.method, "training": record.training, "updates": record.step}
        return self.curve(removal, order, {**self.options(removal), **made})


def _require_learned(record: GatesRecord) -> None:
    if record.log_alpha is None:
        how = "had none" if record.method == NO_GATES else "had given ones"
        raise InputError(f"measure.order=gates goes by gates that were learned, and training {record.training} {how}")


def learned_sequence(record: GatesRecord, layout: HeadLayout) -> list[Head]:
    """The heads that have a gate, those first that do not stay; by log alpha among these and among the others.

    Raises:
        InputError: when the gates are of another model.
    """
    if not record.heads:
        return []
    mask = kept_mask(record, layout)
    heads = [Head.parse(address) for address in record.heads]
    places = record.log_alpha or (0.0,) * len(heads)
    by_place = sorted(zip(places, heads, strict=True), key=lambda pair: (bool(mask[layout.index(pair[1])]), pair[0]))
    return [head for _, head in by_place]
