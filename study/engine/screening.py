"""Low precision as a draft: bfloat16 decides where the margin is wide, float32 decides the rest, an audit checks it.

A decision needs only the largest of some values: logits of labels, log-likelihoods of choices. The draft's differences
of two values are off by no more than some error; where its margin is above that, float32 would decide alike. How large
the error gets is measured on the subject itself: on a sample before the first block, and on all that float32 decides
afterwards. The *threshold* is that error times a safety factor. Of what the draft decides a random share is computed in
float32 all the same; an error larger than any before raises the threshold, and the block is looked through again. So
the decisions are float32's, but for what neither sample nor audit would show; margins and losses of what the draft
decided are the draft's.

Shapes: P pairs of mask and example, C values of which the largest decides.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from threading import Lock

import numpy as np
from jaxtyping import Bool, Float

from study.engine.precision import Screening

log = logging.getLogger(__name__)

Values = Mapping[str, Float[np.ndarray, "P C"]]
"""What decides, by name where several things are decided; minus infinity where a pair has fewer values than others."""

CALIBRATION_EXAMPLES = 8
"""Fewest examples of the sample: where masks are few there are more."""


class Screen:
    """What is known of a draft's errors, and what is decided by it.

    Attributes:
        screening: how careful it is.
        largest_error: the largest error of a difference of two values, by the name of what is decided.
    """

    def __init__(self, screening: Screening) -> None:
        self.screening = screening
        self.largest_error: dict[str, float] = defaultdict(float)
        self._random = np.random.default_rng(0)
        self._lock = Lock()  # blocks are computed several at a time, and learn from each other
        self._num_sampled = self._num_exact = self._num_audited = self._num_drafted = 0

    def threshold(self, name: str) -> float:
        """Margins up to it are decided in float32."""
        return self.screening.safety * self.largest_error[name]

    def calibrate(
        self, num_masks: int, num_examples: int, both: Callable[[np.ndarray, int], tuple[Values, Values]]
    ) -> None:
        """Measure the draft's error on a few examples under some masks each, once.

        Args:
            num_masks: how many masks there are.
            num_examples: how many examples there are.
            both: gives what the draft says of some masks, by their positions, on the example at a position, and what is
                exact.
        """
        if self._num_sampled >= self.screening.sample:
            return
        at_once = min(num_masks, -(-self.screening.sample // CALIBRATION_EXAMPLES))
        for example in self._random.permutation(num_examples)[: -(-self.screening.sample // at_once)].tolist():
            self._learn(*both(self._random.permutation(num_masks)[:at_once], example))
            self._num_sampled += at_once
        log.info("screening: margins up to %s are decided in float32", self._said(self.threshold))

    def decide(self, draft: Values, compute: Callable[[Bool[np.ndarray, " P"]], Values]) -> Bool[np.ndarray, " P"]:
        """Which pairs are decided in float32: those whose margin is not wide, and an audit.

        Args:
            draft: what the draft says.
            compute: called with the pairs that are open; gives the exact values of these, one after the other.
        """
        exact = {name: values.copy() for name, values in draft.items()}
        number = len(next(iter(draft.values())))
        with self._lock:
            chosen_P = self._random.random(number) < self.screening.audit
            self._num_audited += int(chosen_P.sum())
        exact_P = np.zeros(number, dtype=bool)
        while (open_P := (chosen_P | self._is_close(draft)) & ~exact_P).any():
            for name, values in compute(open_P).items():
                exact[name][open_P] = values
            exact_P |= open_P
            self._learn(*({name: values[exact_P] for name, values in both.items()} for both in (draft, exact)))
        with self._lock:
            self._num_drafted += int((~exact_P).sum())
            self._num_exact += int(exact_P.sum())
        return exact_P

    def report(self) -> None:
        """Say in the log what was decided how."""
        log.info(
            f"screening: {self._num_drafted:,} decided in bfloat16, {self._num_exact:,} in float32 (margins up to "
            f"{self._said(self.threshold)}, {self.screening.safety:g} x the largest error "
            f"{self._said(self.largest_error.__getitem__)}; {self._num_audited:,} at random as an audit)"
        )

    def _is_close(self, draft: Values) -> Bool[np.ndarray, " P"]:
        """Whether anything is decided by a margin that is not above its threshold."""
        return np.any([~(_margins(values) > self.threshold(name)) for name, values in draft.items()], axis=0)

    def _learn(self, draft: Values, exact: Values) -> None:
        """Let thresholds rise with the largest error of a difference of two values: no wrong margin is above them."""
        for name, values in draft.items():
            largest = _largest_error(values, exact[name])
            with self._lock:
                self.largest_error[name] = max(self.largest_error[name], largest)

    def _said(self, number: Callable[[str], float]) -> str:
        """A number of each of what is decided."""
        return ", ".join(f"{number(name):.3f}{name and f' by {name}'}" for name in self.largest_error)


def _margins(values: Float[np.ndarray, "P C"]) -> Float[np.ndarray, " P"]:
    """The largest value less the second; infinite where there is one, NaN where there is no telling."""
    if values.shape[1] == 1:
        return np.where(np.isnan(values[:, 0]), np.nan, np.inf)
    with np.errstate(invalid="ignore"):
        best_P2 = np.sort(values, axis=1)[:, -2:]  # NaN last
        return best_P2[:, 1] - best_P2[:, 0]


def _largest_error(draft: Float[np.ndarray, "P C"], exact: Float[np.ndarray, "P C"]) -> float:
    """The largest error of a difference of two values of one pair; infinite where the draft is no number."""
    with np.errstate(invalid="ignore"):
        error = np.nan_to_num(draft - exact, nan=np.inf, posinf=np.inf, neginf=-np.inf)
        is_there = ~(np.isneginf(draft) & np.isneginf(exact))
        spread = np.where(is_there, error, -np.inf).max(1) - np.where(is_there, error, np.inf).min(1)
    return float(np.nan_to_num(spread, nan=np.inf).max(initial=0.0))
