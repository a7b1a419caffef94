"""The options of inference: how intervals, p values and equivalence of effects are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np

from analysis.defaults import DEFAULTS
from analysis.inference.multiplicity import Correction, check_correction
from analysis.inference.significance import PairedTest
from analysis.results.domain import Domain
from study.record.errors import InputError
from study.record.metrics import METRICS, Metric


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
    """How sure one can be of an effect: the options. Why the defaults are what they are: `defaults.yaml`.

    Attributes:
        alpha: intervals hold the truth with probability 1 - alpha; corrected p values up to alpha are significant.
        resamples: bootstrap resamples, and swaps.
        seed: seed of both; any number of 0 or more.
        groups: what is resampled: `auto` (premise, document), `example`, or a column of the examples.
        interval: how it is made; of accuracy, an effect of fewer than 20 flips has one from the flips in place of a
            bootstrap's.
        test: the test of one mask against the base.
        correction: over the heads of one measure on one domain; None: max-T, or Holm where a test makes no joint draws.
        margin: effects within it do not matter, in the unit of the effects; by metric, or one for any.
    """

    alpha: float = DEFAULTS["alpha"]
    resamples: int = DEFAULTS["resamples"]
    seed: int = DEFAULTS["seed"]
    groups: str = DEFAULTS["groups"]
    interval: Interval = Interval[DEFAULTS["interval"]]
    test: PairedTest = PairedTest[DEFAULTS["test"]]
    correction: Correction | None = DEFAULTS["correction"] and Correction[DEFAULTS["correction"]]
    margin: Mapping[str, float] | float = field(default_factory=lambda: DEFAULTS["margin"])

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Inference":
        """From options by name, among others; those that are names may be texts.

        Raises:
            InputError: when one cannot be.
        """
        own = {field.name: options[field.name] for field in fields(cls)}
        named: dict[str, type[StrEnum]] = {"interval": Interval, "test": PairedTest, "correction": Correction}
        for name, names in named.items():
            if own[name] is not None and own[name] not in list(names):
                raise InputError(f"{name} '{own[name]}' is none of {', '.join(names)}")
            own[name] = own[name] and names(own[name])
        return cls(**own)

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
        if isinstance(self.margin, Mapping) and (unknown := [name for name in self.margin if name not in METRICS]):
            raise InputError(f"a margin is for a metric, and '{unknown[0]}' is none: there are {', '.join(METRICS)}")
        for margin in self.margin.values() if isinstance(self.margin, Mapping) else [self.margin]:
            if not 0 < margin < np.inf:
                raise InputError(f"a margin is a size of effect, above 0; got {margin:g}")
        check_correction(self.corrects_by, self.test, 0, self.resamples, self.alpha)

    def margin_of(self, metric: Metric) -> float:
        """The margin of effects on a metric: its own, where no other is given."""
        return self.margin.get(metric.name, metric.margin) if isinstance(self.margin, Mapping) else self.margin

    @property
    def corrects_by(self) -> Correction:
        """The correction that is taken."""
        return self.correction or (Correction.max_t if self.test.is_joint else Correction.holm)


def check_interval(interval: Interval, domain: Domain) -> None:
    """Refuse an interval from flips for anything but accuracy of examples that count alike.

    Raises:
        InputError: in words.
    """
    if not interval.needs_bootstrap and not domain.has_flips:
        allowed = ", ".join(name for name in Interval if name.needs_bootstrap)
        why = "has weights" if domain.weighted else f"is scored by {domain.metric.label}"
        raise InputError(
            f"an interval from flips is of right and wrong examples that count alike; {domain.data} {why}: "
            f"take {allowed}"
        )
