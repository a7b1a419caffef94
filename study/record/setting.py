"""Settings: everything that determines an outcome except the mask and the example.

The hash of a setting names its folder, `results/<model>/<data>/<setting id>/`. What does not change an outcome
(device, batch size, launcher, versions, code revision) is provenance and stands with each part, not here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from study.record.errors import StudyError
from study.record.heads import HeadLayout
from study.record.metrics.statistics import MetricName
from study.record.sealed import short_hash, unsealed

OUTCOME_SCHEMA = 1
"""Version of what an outcome row means. It rises only when outcomes change."""

SETTING_FILE = "setting.json"

ANEW = "run the study again, with the command that made it, and it is written anew"
"""The cure of a file that follows from the configuration."""


class SettingError(StudyError):
    """A results folder holds another setting than the one asked for."""


class DamagedSettingError(SettingError):
    """A setting's file cannot be read; all that it says is known to the jobs of this setting, which write it anew."""


@dataclass(frozen=True)
class Moment:
    """Which checkpoint of which training a model is. Its weights are what determines outcomes, so it is no identity.

    Attributes:
        training: name that all checkpoints and seeds of a training share.
        epoch: passes over the training data that are behind it.
        seed: of the training; None where it is not known.
    """

    training: str
    epoch: float
    seed: int | None = None


@dataclass(frozen=True)
class Setting:
    """What a set of outcomes was computed with.

    Attributes:
        model: short name of the model, as in conf/model; names the folder, is no part of the identity.
        data: short name of the data set, as in conf/data; likewise.
        metric: which statistics are stored.
        subject: identity of the model side (weights, text processing, decoding, precision), as JSON values.
        examples: identity of the data side (digest of ids, texts and targets), as JSON values.
        statistic: signature of the metric.
        moment: where the model is a checkpoint of a training, which; no part of the identity.
    """

    model: str
    data: str
    metric: MetricName
    subject: Mapping[str, Any]
    examples: Mapping[str, Any]
    statistic: str
    moment: Moment | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """All that the id is a hash of."""
        return {
            "schema": OUTCOME_SCHEMA,
            "subject": dict(self.subject),
            "examples": dict(self.examples),
            "metric": str(self.metric),
            "statistic": self.statistic,
        }

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the identity's sha256."""
        return short_hash(self.identity)

    @property
    def subject_id(self) -> str:
        """Likewise of the model side and metric alone: settings that share it are one subject on several domains."""
        return short_hash({**self.identity, "examples": None})

    def folder(self, results: Path) -> Path:
        """Where the outcomes of this setting are kept."""
        return results / self.model / self.data / self.id

    def to_json(self, layout: HeadLayout) -> dict[str, Any]:
        """As written to `setting.json`."""
        return {
            "id": self.id,
            "subject_id": self.subject_id,
            "model": self.model,
            "data": self.data,
            "identity": self.identity,
            "heads": layout.to_json(),
            **({"moment": asdict(self.moment)} if self.moment else {}),
        }


def differences(expected: Any, found: Any) -> list[str]:
    """Where two JSON values differ, one line a place: `subject.weights: expected ..., found ...`."""
    return [
        f"{place}: expected {json.dumps(one)}, found {json.dumps(other)}"
        for place, one, other in different_fields(expected, found)
    ]


def different_fields(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The place (`subject.weights`) and both values of each field in which two JSON values differ."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in sorted(set(a) | set(b)):
            yield from different_fields(a.get(key), b.get(key), f"{path}.{key}")
    elif a != b:
        yield path.lstrip("."), a, b


def read_setting(folder: Path) -> dict[str, Any]:
    """The stored setting of a results folder.

    Raises:
        DamagedSettingError: when the file is not there or not whole.
        SettingError: when it is of another outcome schema.
    """
    path = folder / SETTING_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        schema = stored["identity"]["schema"]
        stored = unsealed(stored) if schema == OUTCOME_SCHEMA else stored
    except OSError as error:
        raise DamagedSettingError(f"{path} cannot be read ({error.strerror}): {ANEW}") from error
    except (ValueError, KeyError, TypeError) as error:  # not text, not JSON, not of this form
        raise DamagedSettingError(f"{path} is not a setting file ({error}): {ANEW}") from error
    if schema != OUTCOME_SCHEMA:
        raise SettingError(
            f"{folder} was written with outcome schema {schema}, this program reads {OUTCOME_SCHEMA}: "
            f"read it with the version that wrote it, or choose another results folder"
        )
    return stored
