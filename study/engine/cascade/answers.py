"""Answers: outcomes of pairs of mask and example, and the values whose largest decides; how far a draft's are off.

Shapes: P pairs, C values that are compared, minus infinity where a pair has fewer.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from study.engine.blocks import Columns
from study.engine.cascade.tangent import Tangent
from study.engine.engine import Engine
from study.engine.pairs import Pairs
from study.subjects.subject import TokenRow


@dataclass(frozen=True)
class Comparison:
    """What is compared by one notion of the largest: logits, or what a metric makes of a choice's log-likelihoods.

    Attributes:
        values: the values.
        unit: for each pair, by what a difference of its values is multiplied, so that one threshold will do for all
            that choices are compared by: sums, sums by characters, by tokens.
    """

    values: Float[np.ndarray, "P C"]
    unit: Float[np.ndarray, " P"]

    @property
    def decisions(self) -> Int[np.ndarray, " P"]:
        """The largest of each pair; of equal ones the first."""
        return self.values.argmax(1)

    def leads(self, best: Int[np.ndarray, " P"]) -> Float[np.ndarray, "P C"]:
        """By how much the chosen value of each pair is above every one; infinite above itself and what is not there."""
        chosen_P1 = np.take_along_axis(self.values, best[:, None], 1)
        with np.errstate(invalid="ignore"):
            leads_PC = (chosen_P1 - self.values) * self.unit[:, None]
        leads_PC[np.isneginf(self.values)] = np.inf
        np.put_along_axis(leads_PC, best[:, None], np.inf, 1)
        return leads_PC


@dataclass(frozen=True)
class Answers:
    """What was computed of pairs.

    Attributes:
        columns: their outcomes.
        compared: what decides, a notion each.
    """

    columns: Columns
    compared: Sequence[Comparison]

    @property
    def margins(self) -> Float[np.ndarray, " P"]:
        """The smallest lead by any notion; infinite where there is nothing to choose, NaN where a value is NaN."""
        return np.min([one.leads(one.decisions).min(1) for one in self.compared], axis=0)

    def errors(self, exact: "Answers") -> Float[np.ndarray, " P"]:
        """By how much the lead of the chosen value is overestimated most, by any notion; infinite where there is none.

        A decision is another one only where its margin is at most that. The error of a screening
        (`study.engine.screening`) is that of any two values, and larger: it has one threshold for all masks.
        """
        found = [np.zeros(len(self.compared[0].values))]
        for own, other in zip(self.compared, exact.compared, strict=True):
            best = own.decisions
            with np.errstate(invalid="ignore"):
                too_much_PC = own.leads(best) - other.leads(best)
            too_much_PC[np.isinf(own.leads(best)) & np.isinf(other.leads(best))] = 0.0
            found.append(np.where(np.isnan(too_much_PC), np.inf, too_much_PC).max(1))
        return np.max(found, axis=0)


class Decider(ABC):
    """What is decided by a kind of subject, and how its values change to first order.

    Attributes:
        backward_passes: backward passes that tangents take beside one forward pass.
        knows_full: whether the values of a tangent are all that an outcome with every unit on needs.
    """

    backward_passes: float
    knows_full = False

    @abstractmethod
    def tangents(self, rows: Sequence[TokenRow]) -> list[Tangent]:
        """The tangents of examples, in their order."""

    @abstractmethod
    def drafted(self, tangents: Sequence[Tangent], rows: Sequence[TokenRow], pairs: Pairs) -> Answers:
        """The answers to first order; margins stand in their columns."""

    @abstractmethod
    def answers(self, engine: Engine, rows: Sequence[TokenRow], pairs: Pairs) -> Answers:
        """The answers of an engine to pairs of one of its blocks."""


def with_margins(answers: Answers) -> Answers:
    """Drafts have as their margin the smallest by any notion."""
    return Answers({**answers.columns, "margin": answers.margins.astype(np.float32)}, answers.compared)
