"""What a user may choose about correlations, and the random numbers that follow from the seed."""

import zlib
from dataclasses import dataclass

import numpy as np

from analysis.defaults import DEFAULTS
from study.record.errors import InputError


@dataclass(frozen=True, kw_only=True)
class CorrelationOptions:
    """How correlations are computed.

    Attributes:
        level: probability that intervals hold.
        splits: number of splits of each domain into halves, for the noise ceiling.
        resamples: number of draws of each null, and of the interval over heads.
        seed: seed of all random numbers; 0 is a seed.
        largest: up to how many heads of largest effect are left out.
        leading: numbers of most important heads whose overlap is counted.
    """

    level: float = 1 - DEFAULTS["alpha"]
    splits: int = DEFAULTS["splits"]
    resamples: int = DEFAULTS["resamples"]
    seed: int = DEFAULTS["seed"]
    largest: int = 20
    leading: tuple[int, ...] = (5, 10, 20)

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise InputError(f"level must be above 0 and below 1 (.95 for 95 % intervals), not {self.level}")
        least = {"splits": 1, "resamples": 19, "seed": 0, "largest": 0}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise InputError(f"{name} must be at least {lowest}, not {getattr(self, name)}")

    def generator(self, *names: str) -> np.random.Generator:
        """Random numbers for a purpose and a domain, the same whatever else is analysed beside it."""
        return np.random.default_rng([self.seed, zlib.crc32("\n".join(names).encode())])
