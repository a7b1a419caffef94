"""An audit: drafts that stand, drawn at random and computed exactly, so that the others can be spoken for.

The population is the drafts of a job's masks and examples that stand under the thresholds at hand; the sample is drawn
from it without replacement, with a seed that was fixed before. All that is drawn is stored exactly, right or wrong, so
that what is left unknown is the population without the sample. Where none is wrong the round is passed. Else thresholds
rise, what they open is computed, and the next round draws afresh from what then stands, at half of the probability of
error. Since thresholds only rise, and what leaves a population is exact, the number of wrong drafts that an audit has
allowed for holds for whatever is left of its population.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from study.record.cascade.limits import wrong_limit
from study.record.files import short_hash


@dataclass(frozen=True)
class MaskSample:
    """What an audit saw of one mask, or of several together.

    Attributes:
        population: drafts that stood when the sample was drawn.
        sample: how many of them were drawn.
        wrong: how many of these decide otherwise than what is exact.
    """

    population: int
    sample: int
    wrong: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.wrong <= self.sample <= self.population:
            raise ValueError(f"{self.wrong} wrong of {self.sample} drawn of {self.population} is no count")

    @property
    def left(self) -> int:
        """Drafts that nobody has looked at."""
        return self.population - self.sample

    def unseen(self, alpha: float) -> int:
        """The upper limit of the number of wrong drafts among those left, at confidence 1 - alpha."""
        if not self.left:
            return 0
        return wrong_limit(self.wrong, self.sample, self.population, alpha) - self.wrong


@dataclass(frozen=True)
class PartialRequest:
    """Masks of which a job needed some examples of its share alone, as a search does.

    Attributes:
        masks: the masks, by key.
        examples: the places of these examples in the setting's file.
    """

    masks: tuple[str, ...]
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Audit:
    """One round of an audit.

    Attributes:
        round: its number among those of its share, whatever their masks, from 1: each spends half of what is left.
        seed: what its sample is drawn by.
        share: number of the share of the examples that the job computes, from 0.
        shards: how many shares there are.
        examples: how many examples the view has of which this is a share: the first ones of the setting.
        bound: the largest share of wrong decisions to be excluded.
        confidence: that of all rounds of all shares together.
        alpha: the probability of error that this round may spend.
        masks: what was seen of each mask, by key, of all masks of the job that have drafts.
        drawn: the sample: of each mask (by key) the places of its examples in the setting's file.
        flips: how many of the sample are exactly decided otherwise than under the full mask.
        wrong_flips: how many of these were drafted wrong.
        stages: how many decisions of the job were taken at each stage, by its name.
        purposive: what the audit that looks where errors are likely has counted, by name; no bound follows from it.
        passed: whether none was wrong, so that the bound holds; None as long as the sample is not computed.
        seconds: how long it took.
        partly: the masks that the job asked on some examples of its share alone; it speaks for no draft of others.
    """

    round: int
    seed: int
    share: int
    shards: int
    examples: int
    bound: float
    confidence: float
    alpha: float
    masks: Mapping[str, MaskSample]
    drawn: Mapping[str, tuple[int, ...]]
    flips: int = 0
    wrong_flips: int = 0
    stages: Mapping[str, int] = field(default_factory=dict)
    purposive: Mapping[str, float] = field(default_factory=dict)
    passed: bool | None = None
    seconds: float = 0.0
    partly: tuple[PartialRequest, ...] = ()

    def __post_init__(self) -> None:
        if not (self.round >= 1 and 0 <= self.share < self.shards and 0 < self.alpha < 1):
            raise ValueError(f"round {self.round} of share {self.share} of {self.shards} at alpha {self.alpha}")
        if not 0 <= self.wrong_flips <= min(self.flips, self.together.wrong):
            raise ValueError(f"{self.wrong_flips} wrong of {self.flips} flips, {self.together.wrong} wrong in all")
        if {mask: looked.sample for mask, looked in self.masks.items() if looked.sample} != {
            mask: len(set(own)) for mask, own in self.drawn.items() if own
        }:
            raise ValueError("the sample is not as large as its masks say")

    @property
    def id(self) -> str:
        """Hash of what determines the audit, not of what came out."""
        return short_hash([sorted(self.masks), self.examples, self.share, self.shards, self.round])

    @property
    def together(self) -> MaskSample:
        """All masks in one."""
        counts = [(one.population, one.sample, one.wrong) for one in self.masks.values()]
        return MaskSample(*map(sum, zip(*counts, strict=True))) if counts else MaskSample(0, 0)

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        return {
            **vars(self),
            "masks": {mask: [one.population, one.sample, one.wrong] for mask, one in self.masks.items()},
            "drawn": {mask: list(own) for mask, own in self.drawn.items()},
            "stages": dict(self.stages),
            "purposive": dict(self.purposive),
            "partly": [[list(one.masks), list(one.examples)] for one in self.partly],
            "population": self.together.population,
            "sample": self.together.sample,
            "wrong": self.together.wrong,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Audit":
        """Inverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: when it is not of that form.
        """
        names = ("round", "seed", "share", "shards", "examples", "bound", "confidence", "alpha", "flips", "wrong_flips")
        audit = cls(
            **{name: stored[name] for name in (*names, "passed", "seconds")},
            masks={mask: MaskSample(*counts) for mask, counts in stored["masks"].items()},
            drawn={mask: tuple(own) for mask, own in stored["drawn"].items()},
            stages=stored["stages"],
            purposive=stored["purposive"],
            partly=tuple(PartialRequest(tuple(masks), tuple(examples)) for masks, examples in stored.get("partly", [])),
        )
        if audit.passed and audit.together.wrong:
            raise ValueError("it is passed, and not all of its sample is right")
        return audit
