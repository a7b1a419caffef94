"""The loss that importance differentiates, by name; gradients of two losses are two things and are kept apart."""

from dataclasses import dataclass
from enum import StrEnum

from study.record.errors import InputError


class LossName(StrEnum):
    """Names are what is written on the command line."""

    plain = "plain"
    """Cross entropy of the label, or of each token of the reference: what the paper's code takes."""
    label_smoothed = "label_smoothed"
    """Cross entropy with `epsilon` of the probability spread over other words, as translation models are trained."""


@dataclass(frozen=True)
class Loss:
    """A loss of one example, nats, summed over the tokens of a reference as the paper's code sums it.

    Attributes:
        epsilon: probability that is taken from the gold label or word and spread evenly over the others, as fairseq's
            `label_smoothed_cross_entropy` has it; 0 is the plain loss.
    """

    epsilon: float = 0.0

    def __str__(self) -> str:
        """`plain`, or `label_smoothed_0.1`: as in file names and tables."""
        return f"{LossName.label_smoothed}_{self.epsilon:g}" if self.epsilon else str(LossName.plain)

    @classmethod
    def parse(cls, text: str) -> "Loss":
        """Inverse of `str`."""
        return cls(0.0 if text == LossName.plain else float(text.removeprefix(f"{LossName.label_smoothed}_")))


PLAIN = Loss()

DRAFTED = {"screened": "in bfloat16", "cascade": "to first order"}
"""Precisions whose choices are float32's and whose losses mostly are not, by name: how these are computed."""


def drafted_losses(precision: str) -> str:
    """How most losses and log-likelihoods are computed under a precision, in words; empty where all are float32's.

    Args:
        precision: as a setting has it, with how careful it is: `cascade|sample:100|...`.
    """
    return DRAFTED.get(precision.partition("|")[0], "")


def chosen_loss(name: LossName, epsilon: float) -> Loss:
    """The loss of a measure's options.

    Raises:
        InputError: for an epsilon that takes nothing, or everything, from the gold word.
    """
    if name is LossName.plain:
        return PLAIN
    if not 0 < epsilon < 1:
        raise InputError(f"measure.epsilon={epsilon:g}: label smoothing takes a share between 0 and 1; loss=plain none")
    return Loss(float(f"{epsilon:g}"))


def idle_epsilon(name: LossName) -> dict[str, str]:
    """Why an epsilon has no effect, by option; nothing where it has one."""
    return {"epsilon": "it is of measure.loss=label_smoothed"} if name is LossName.plain else {}
