"""The options of inference: how intervals, p values and equivalence of effects are made."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.inference.multiplicity import Correction, check_correction
from analysis.inference.sample import AUTO
from analysis.inference.significance import PairedTest
from analysis.read import Domain
from study.errors import InputError
from study.statistics import MetricName


class Interval(StrEnum):
    """How the interval of an effect is made."""

    percentile = "percentile"
    bca = "bca"
    flips = "flips"
    conditional = "conditional"

    @property
    def needs_bootstrap(self) -> bool:
        """Whether it is made of effects on bootstrap resamples."""
        return self in (Interval.percentile, Interval.bca)


@dataclass(frozen=True, kw_only=True)
class Inference:
    """How sure one can be of an effect: the options. Why the defaults are what they are: design/statistics.md.

    Attributes:
        alpha: intervals hold the truth with probability 1 - alpha; corrected p values up to alpha are significant.
        resamples: bootstrap resamples, and swaps.
        seed: of both; any number of 0 or more.
        groups: what is resampled: `auto` (premise, document), `example`, or a column of the examples.
        interval: how it is made; of accuracy, an effect of fewer than 20 flips has one from the flips in place of a
            bootstrap's.
        test: of one mask against the base.
        correction: over the heads of one measure on one domain; None: max-T, or Holm where a test makes no joint draws.
        margin: effects within it do not matter, in the unit of the effects; None: `MARGINS` of `equivalence`.
    """

    alpha: float = 0.05
    resamples: int = 10_000
    seed: int = 0
    groups: str = AUTO
    interval: Interval = Interval.percentile
    test: PairedTest = PairedTest.randomisation
    correction: Correction | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 0.5:
            raise InputError(f"alpha is the chance of an error, above 0 and at most 0.5; got {self.alpha:g}")
        fewest = int(np.ceil(2 / self.alpha - 1e-9)) - 1
        if self.resamples < fewest:
            raise InputError(
                f"{self.resamples} resamples are too few for alpha = {self.alpha:g}: take {fewest} or more"
            )
        if self.seed < 0:
            raise InputError(f"a seed is 0 or more; got {self.seed}")
        if self.margin is not None and not 0 < self.margin < np.inf:
            raise InputError(f"a margin is a size of effect, above 0; got {self.margin:g}")
        check_correction(self.corrects_by, self.test, 0, self.resamples, self.alpha)

    @property
    def corrects_by(self) -> Correction:
        """The correction that is taken."""
        return self.correction or (Correction.max_t if self.test.is_joint else Correction.holm)


def check_interval(interval: Interval, domain: Domain) -> None:
    """Refuse an interval from flips for anything but accuracy.

    Raises:
        InputError: in words.
    """
    if not interval.needs_bootstrap and domain.metric.name is not MetricName.ACCURACY:
        allowed = ", ".join(name for name in Interval if name.needs_bootstrap)
        raise InputError(
            f"an interval from flips is of right and wrong examples; {domain.data} is scored by {domain.metric.name}: "
            f"take {allowed}"
        )
