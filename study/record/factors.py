"""Factors: where a setting stands on the axes along which settings are compared (model family, data, seed, epoch ...).

A setting may stand at several places: the end of a training is its last checkpoint, and models of equal weights are one
setting. Factors stand beside a setting's identity in `setting.json` and are no part of it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

Value = str | int | float | None
"""That a place has on an axis; None: none, or not known."""

ZERO = "zero"
"""What stands in the place of a masked unit where nothing else is said, as in the paper."""

NO_GATES = "none"
"""The gates of a training where nothing else is said."""

NO_REUSE = "none"
"""What a training keeps of earlier tasks where nothing else is said."""

OWN = "own"
"""What an identity calls a reference set that is the data under study, which the identity has already."""

CHECKPOINT_NAME = re.compile(r"(?P<family>.+)-seed(?P<seed>\d+)-epoch(?P<epoch>\d+(?:\.\d+)?)")
"""Names of models that are checkpoints of a training, in folders that say it in no other way."""


@dataclass(frozen=True)
class Factors:
    """One place on the axes: a value for each factor, None where a setting has none or it is not known.

    Attributes:
        family: name that all seeds and checkpoints of a model share.
        data: short name of the data set.
        precision: how numbers are computed, as in the identity.
        seed: seed of the model's training.
        epoch: passes over the training data that are behind the model.
        task: what the data set tests, where it is one of several that test it; None: itself.
        weights_seed: seed of the weights that were random before training, where it was given besides.
        order_seed: seed of the order of the training data, and of dropout, where it was given besides.
        untrained: seed of the weights of a model that was never trained, the control of one that was; it is no axis.
        initial: short digest of the weights that the heads' training started from. Heads of two models are the same
            heads only where it is the same; it is no axis.
        replacement: what stands in the place of a masked unit, in words that tell two such settings apart: `mean`,
            `mean of snli`, `zero at scored tokens`; None: zero, everywhere.
        gates: gates of the training, in words that tell two of them apart: `hard concrete 0.05`, `subset 12`, `kept by
            importance 12`; None: no gates.
        reuse: how a later task was taught to the model, in words that tell two such trainings apart: `free heads 0.4 by
            importance`; None: it has one task.
        taught: which of its tasks a model that has several does here; None: it has one.
    """

    family: str
    data: str
    precision: str
    seed: int | None = None
    epoch: float | None = None
    initial: str | None = None
    task: str | None = None
    weights_seed: int | None = None
    order_seed: int | None = None
    untrained: int | None = None
    replacement: str | None = None
    gates: str | None = None
    reuse: str | None = None
    taught: str | None = None

    def at(self, axis: str) -> Value:
        """Its value on an axis; where none is said, a data set is its own task, zero stands in, there is one task."""
        said = getattr(self, axis)
        usual = {"task": self.data, "replacement": ZERO, "gates": NO_GATES, "reuse": NO_REUSE}
        return usual.get(axis) if said is None else said

    def to_json(self) -> dict[str, Any]:
        """The factors that have a value, as stored in `setting.json`."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Factors":
        """Inverse of `to_json`; factors that only later versions know are passed over."""
        return cls(**{known.name: stored[known.name] for known in fields(cls) if known.name in stored})

    def includes(self, other: "Factors") -> bool:
        """Whether it says all that another place says, and perhaps more; to say nothing of what stands in says zero."""
        return other.replacement == self.replacement and other.to_json().items() <= self.to_json().items()


AXES = tuple(known.name for known in fields(Factors) if known.name not in ("initial", "untrained", "taught"))
"""Names of the axes along which settings are compared: every factor but what the weights started from."""


def merge(places: Iterable[Factors]) -> tuple[Factors, ...]:
    """The places without those that another includes, in an order that does not depend on who wrote first."""
    distinct = set(places)
    kept = [one for one in distinct if not any(other.includes(one) for other in distinct - {one})]
    return tuple(sorted(kept, key=lambda one: str(one.to_json())))


def checkpoint(model: str, places: Iterable[Factors]) -> Factors | None:
    """The place of a model that is named as one of several checkpoints of a training; None of any other model."""
    return next((one for one in places if one.epoch is not None and one.family != model), None)


def derive(model: str, data: str, precision: str, moment: Mapping[str, Any] | None) -> Factors:
    """The place of a setting that was stored without factors.

    `moment` has the training, epoch and perhaps seed of a checkpoint, as they were stored before factors were.
    """
    if moment is not None:
        return Factors(moment["training"], data, precision, moment.get("seed"), moment["epoch"])
    found = CHECKPOINT_NAME.fullmatch(model)
    if found is None:
        return Factors(model, data, precision)
    return Factors(found["family"], data, precision, int(found["seed"]), float(found["epoch"]))
