"""Gradient rows: the derivative of a loss with respect to the gate of every unit.

gradients-<time>-<digest>.parquet                       the plain loss
gradients_label_smoothed_0.1-<time>-<digest>.parquet    another one; rows of two losses never meet
"""

from dataclasses import dataclass
from typing import ClassVar

from study.record.loss import PLAIN, Loss
from study.record.tables.table import Table


@dataclass(frozen=True)
class Gradients(Table):
    """Gradients: (mask, example, loss, two numbers for each unit, tokens).

    Attributes:
        loss: what was differentiated.
    """

    kind: ClassVar[str] = "gradients"
    label: ClassVar[str] = "gradients"
    own: ClassVar[tuple[str, ...]] = ("loss", "gradient", "token_gradient", "source_tokens", "target_tokens")
    passes: ClassVar[float] = 2.0
    """A backward pass counts as one, as weights take no gradient."""

    loss: Loss = PLAIN

    @property
    def option(self) -> str:
        """The loss, unless it is the plain one."""
        return "" if self.loss == PLAIN else str(self.loss)

    @classmethod
    def parse(cls, option: str) -> "Gradients":
        """Inverse of `option`."""
        return cls(Loss.parse(option) if option else PLAIN)


GRADIENTS = Gradients()
"""Gradients of the plain loss."""
