"""Gates over the steps of a training: how open each is, how many are, and how many are decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float
from scipy.special import expit

from analysis.gates.kept_heads import HARD_CONCRETE, SUBSET
from analysis.gates.trials import Training
from study.record.errors import InputError
from study.record.training.gates import DECIDED, GATES_FILE, read_course, read_gates

COURSE = {
    **dict.fromkeys(["training", "training_id", "method", "scope", "amount"], pl.String),
    **dict.fromkeys(["seed", "updates", "step", "gates", "kept", "settled", "undecided"], pl.Int64),
    **dict.fromkeys(["open", "penalty"], pl.Float64),
}


@dataclass(frozen=True, eq=False)
class Course:
    """The gates of one training over its steps.

    Attributes:
        training: the training.
        heads: addresses of the heads that have gates.
        steps: updates behind each moment.
        open: probability that each gate is not 0; of a subset, its value without noise.
        log_alpha: the parameter of each gate; of a subset, its weight.
        penalties: what the penalty adds to the loss of a batch at each moment, nats; None where there is none.
        options: options of the gates.
    """

    training: Training
    heads: tuple[str, ...]
    steps: tuple[int, ...]
    open: Float[np.ndarray, "steps heads"]
    log_alpha: Float[np.ndarray, "steps heads"]
    penalties: tuple[float | None, ...]
    options: Mapping[str, Any]

    @property
    def kept(self) -> Bool[np.ndarray, "steps heads"]:
        """Whether each gate would be 1 if the training ended there.

        Hard Concrete gates are where that is more likely than 0, or those of the largest log alpha where `top` says how
        many; of a subset, the heads of the largest weights are, the largest of each kind before all others where
        `one_a_kind` asks for it.
        """
        number = self.options.get("keep" if self.training.gates["name"] == SUBSET else "top")
        if number is not None:
            values = self.log_alpha
            if self.options.get("one_a_kind"):
                kinds = np.array([head.partition(".")[0] for head in self.heads])
                first = np.stack([_first_of_each(row, kinds) for row in values])
                values = np.where(first, np.inf, values)
            rank = (-values).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
            return rank < number
        zero, one = self._ends()
        return one > zero

    @property
    def undecided(self) -> Bool[np.ndarray, "steps heads"] | None:
        """Whether each gate is neither 0 nor 1 with a probability of `DECIDED`; None of other than Hard Concrete."""
        return None if self.training.gates["name"] != HARD_CONCRETE else np.maximum(*self._ends()) < DECIDED

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        return end_chances(self.log_alpha, *(float(self.options[name]) for name in ("beta", "gamma", "zeta")))

    def rows(self) -> list[dict[str, Any]]:
        """A row for each moment, see `course_table`."""
        training, kept, undecided = self.training, self.kept, self.undecided
        about = {
            "training": training.run.model,
            "training_id": training.folder.name,
            "method": str(training.method),
            "scope": training.scope,
            "amount": training.amount,
            "seed": training.seed,
            "updates": training.updates,
            "gates": len(self.heads),
        }
        return [
            about
            | {
                "step": step,
                "kept": int(kept[at].sum()),
                "settled": int((kept[at] & kept[-1]).sum()),
                "undecided": None if undecided is None else int(undecided[at].sum()),
                "open": float(self.open[at].sum()),
                "penalty": self.penalties[at],
            }
            for at, step in enumerate(self.steps)
        ]


def _first_of_each(values: np.ndarray, kinds: np.ndarray) -> Bool[np.ndarray, " heads"]:
    """Whether a head has the largest value of its kind, the first of equals."""
    best = [np.flatnonzero(kinds == kind)[values[kinds == kind].argmax()] for kind in np.unique(kinds)]
    return np.isin(np.arange(len(values)), best)


def end_chances(log_alpha: np.ndarray, beta: float, gamma: float, zeta: float) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities that Hard Concrete gates are 0, and that they are 1 (Louizos et al. 2018, equation 12)."""
    zero = expit(beta * np.log(-gamma / zeta) - log_alpha)
    one = expit(log_alpha - beta * np.log((1 - gamma) / (zeta - 1)))
    return zero, one


def courses(trainings: Sequence[Training]) -> tuple[list[Course], list[str]]:
    """The gates of each training that learned any, and what could not be read, in words."""
    found, wrong = [], []
    for training in trainings:
        try:
            course = _course(training)
        except InputError as error:
            wrong.append(str(error))
            continue
        found += [] if course is None else [course]
    return found, wrong


def _course(training: Training) -> Course | None:
    moments = read_course(training.folder)
    if not moments or not (training.folder / GATES_FILE).is_file():
        return None
    record = read_gates(training.folder / GATES_FILE)
    return Course(
        training,
        record.heads,
        tuple(moment.step for moment in moments),
        np.array([moment.open for moment in moments]),
        np.array([moment.log_alpha for moment in moments]),
        tuple(moment.penalty for moment in moments),
        record.options,
    )


def course_table(every: Sequence[Course]) -> pl.DataFrame:
    """How many gates are open at each moment of each training.

    Returns:
        Columns training (family), training_id, method, scope, amount, seed, updates (of the whole training), gates
        (heads that have one), step (updates so far); kept: gates that would be 1 if the training ended there; settled:
        how many of these are 1 at the end;
        undecided: gates that are neither 0 nor 1 with a probability of .9, null of a subset; open: the sum of the
        probabilities that gates are not 0, of a subset of their values; penalty: what it adds to the loss of a batch,
        nats.
    """
    return pl.DataFrame([row for course in every for row in course.rows()], schema=COURSE)
