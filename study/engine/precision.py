"""How numbers are computed: what a job chooses, and a part of its setting's identity."""

from dataclasses import dataclass
from enum import StrEnum

from study.record.errors import InputError


class Precision(StrEnum):
    """How numbers are computed; part of a setting's identity. Names are what is written on the command line."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    screened = "screened"
    cascade = "cascade"


@dataclass(kw_only=True)
class Screening:
    """How careful `precision=screened` is, see `study.engine.screening`; part of a setting's identity.

    Attributes:
        sample: decisions on which the draft's error is measured before the first block.
        safety: the threshold is the largest error seen times this.
        audit: share of what the draft decides that float32 decides all the same.
    """

    sample: int = 512
    safety: float = 2.0
    audit: float = 0.01

    def __post_init__(self) -> None:
        if self.sample < 1 or self.safety < 1 or not 0 <= self.audit <= 1:
            raise InputError(
                f"screening: sample={self.sample} must be 1 or more, safety={self.safety} 1 or more, "
                f"audit={self.audit} between 0 and 1"
            )


@dataclass(kw_only=True)
class Cascade:
    """How careful `precision=cascade` is, see `study.engine.cascade`; part of a setting's identity.

    Attributes:
        sample: examples that are computed exactly under every mask, by which thresholds are set.
        safety: a threshold is the largest error seen times this.
        bound: the largest share of wrong decisions, of those that are not exact, that the audit is to exclude.
        confidence: that of the audit, all of its rounds together.
        purposive: decisions that are looked at before the audit, where errors are likely.
    """

    sample: int = 100
    safety: float = 2.0
    bound: float = 0.001
    confidence: float = 0.95
    purposive: int = 200

    def __post_init__(self) -> None:
        for name, least in (("sample", 1), ("safety", 1), ("purposive", 0)):
            if not getattr(self, name) >= least:
                raise InputError(f"cascade.{name}={getattr(self, name):g} must be {least} or more")
        for name in ("bound", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"cascade.{name}={getattr(self, name):g} must be between 0 and 1")
