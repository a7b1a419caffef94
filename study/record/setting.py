"""Settings: everything that determines an outcome except the mask and the example.

The hash of a setting names its folder, `results/<model>/<data>/<setting id>/`. What does not change an outcome
(device, batch size, launcher, versions, code revision) is provenance and stands with each part, not here.
"""

import json
import logging
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from study.record.errors import StudyError
from study.record.factors import Factors, checkpoint, derive, merge
from study.record.files import locked, short_hash, unsealed, write_sealed
from study.record.metrics import METRICS, Answers, Metric, NoScore, metric
from study.record.units import HeadLayout

log = logging.getLogger(__name__)

OUTCOME_SCHEMA = 1
"""Version of what an outcome row means. It rises only when outcomes change."""

SETTING_FILE = "setting.json"

ANEW = "run the study again, with the command that made it, and it is written anew"
"""The cure of a file that follows from the configuration."""

STANDS_IN = ("masked_by", "replacement")
"""Fields of a subject that say what stands in the place of masked units, and nothing of the model."""

FLOAT32 = "float32"
"""The precision of a setting that says none."""

TOLERANCE = 1e-4
"""Largest difference of two floats, and smallest margin of a decision, for two computations to agree in float32."""

LOW_PRECISION_TOLERANCE = 0.5
"""The tolerance of numbers in bfloat16, which other processors round at other places."""


class SettingError(StudyError):
    """A results folder holds another setting than the one asked for."""


class DamagedSettingError(SettingError):
    """A setting's file cannot be read; all that it says is known to the jobs of this setting, which write it anew."""


@dataclass(frozen=True)
class Setting:
    """What a set of outcomes was computed with.

    Attributes:
        model: short name of the model, as in conf/model; names the folder, is no part of the identity.
        data: short name of the data set, as in conf/data; names the folder, is no part of the identity.
        metric: name of the metric whose columns are stored.
        subject: identity of the model side (weights, text processing, decoding, precision), as JSON values.
        examples: identity of the data side (digest of ids, texts and targets), as JSON values.
        statistic: signature of the metric.
        factors: the places at which it stands on the axes; no part of the identity.
        scored_by: name of the metric that scores the outcomes, where it is another one; no part of the identity.
        positive: the label that this metric is about, where it is about one; no part of the identity.
    """

    model: str
    data: str
    metric: str
    subject: Mapping[str, Any]
    examples: Mapping[str, Any]
    statistic: str
    factors: tuple[Factors, ...] = ()
    scored_by: str = ""
    positive: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """All that the id is a hash of."""
        return {
            "schema": OUTCOME_SCHEMA,
            "subject": dict(self.subject),
            "examples": dict(self.examples),
            "metric": self.metric,
            "statistic": self.statistic,
        }

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the identity's sha256."""
        return short_hash(self.identity)

    @property
    def subject_id(self) -> str:
        """Hash of the model side and metric alone: settings that share it are one subject on several domains."""
        return short_hash({**self.identity, "examples": None})

    @property
    def model_id(self) -> str:
        """Hash of what reads the texts: the same under every metric and whatever stands in the place of masked units.

        What is read, with every unit on, so meets all that is scored.
        """
        return short_hash({name: value for name, value in self.subject.items() if name not in ("tokenize", *STANDS_IN)})

    @property
    def stands_in(self) -> dict[str, Any]:
        """What its identity says of what stands in the place of masked units."""
        return {name: value for name, value in self.subject.items() if name in STANDS_IN}

    @property
    def draws(self) -> int:
        """How often each example is studied, each time with another donor in the place of masked units."""
        return int((self.subject.get("replacement") or {}).get("draws", 1))

    @property
    def is_scored(self) -> bool:
        """Whether there are outcomes; texts that are only read have none."""
        return self.metric != NoScore.name

    @property
    def precision(self) -> str:
        """How numbers are computed."""
        return str(self.subject.get("precision", FLOAT32))

    @property
    def tolerance(self) -> float:
        """Within what two computations of an outcome agree."""
        return TOLERANCE if self.precision == FLOAT32 else LOW_PRECISION_TOLERANCE

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names of a classifier, in the order of its outputs."""
        return tuple(map(str, self.subject.get("labels", ())))

    @property
    def target_language(self) -> str:
        """Code of the language that a translator writes; empty where it is not known."""
        return str(self.subject.get("text", {}).get("target_lang", ""))

    @property
    def answers(self) -> Answers:
        """What a metric must know of the answers in the outcomes."""
        tokens = re.search(r"\|tok:([\w-]+)", self.statistic)
        return Answers(
            task=metric(self.metric).tasks[0],
            labels=self.labels,
            merged=self.examples.get("merged", {}),
            positive=self.positive,
            language=self.target_language,
            tokenize=tokens and tokens[1],
        )

    @property
    def scoring(self) -> Metric:
        """The metric that scores the outcomes."""
        return metric(self.scored_by or self.metric, self.answers)

    @property
    def checkpoint(self) -> Factors | None:
        """The place of a model that is named as one of several checkpoints; None of any other model."""
        return checkpoint(self.model, self.factors)

    def folder(self, results: Path) -> Path:
        """Where the outcomes of this setting are kept."""
        return results / self.model / self.data / self.id

    def with_layout(self, layout: HeadLayout) -> "StoredSetting":
        """The setting as it is stored once the heads of its model are known."""
        return StoredSetting(**vars(self), layout=layout)


@dataclass(frozen=True)
class StoredSetting(Setting):
    """A setting as a results folder has it.

    Attributes:
        layout: the heads of the model.
    """

    layout: HeadLayout = field(kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """The content of `setting.json`."""
        return {
            "id": self.id,
            "subject_id": self.subject_id,
            "model": self.model,
            "data": self.data,
            "identity": self.identity,
            **self.layout.to_json(),
            "factors": [place.to_json() for place in self.factors],
            **({"score": {"metric": self.scored_by, "positive": self.positive}} if self.scored_by else {}),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "StoredSetting":
        """Inverse of `to_json`, also for what was stored before there were factors.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: when it is not of that form.
        """
        identity, score = stored["identity"], stored.get("score", {})
        unknown = sorted({identity["metric"], score.get("metric", identity["metric"])} - {*METRICS, NoScore.name})
        if unknown:
            raise ValueError(f"there is no metric {unknown[0]}")
        setting = cls(
            model=stored["model"],
            data=stored["data"],
            metric=identity["metric"],
            subject=dict(identity["subject"]),
            examples=dict(identity["examples"]),
            statistic=identity["statistic"],
            scored_by=score.get("metric", ""),
            positive=score.get("positive", ""),
            layout=HeadLayout.from_json(stored),
        )
        if setting.identity != identity:
            raise ValueError("its identity is of another form")
        if stored.get("factors"):
            return replace(setting, factors=tuple(map(Factors.from_json, stored["factors"])))
        return replace(setting, factors=(derive(setting.model, setting.data, setting.precision, stored.get("moment")),))


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


def read_setting(folder: Path) -> StoredSetting:
    """The stored setting of a results folder.

    Raises:
        DamagedSettingError: when the file is not there or not whole.
        SettingError: when it is of another outcome schema.
    """
    path = folder / SETTING_FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        schema = stored["identity"]["schema"]
        if schema == OUTCOME_SCHEMA:
            return StoredSetting.from_json(unsealed(stored))
    except OSError as error:
        raise DamagedSettingError(f"{path} cannot be read ({error.strerror}): {ANEW}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # not text, not JSON, not of this form
        raise DamagedSettingError(f"{path} is not a setting file ({error}): {ANEW}") from error
    raise SettingError(
        f"{folder} was written with outcome schema {schema}, this program reads {OUTCOME_SCHEMA}: "
        f"read it with the version that wrote it, or choose another results folder"
    )


def kept_setting(setting: StoredSetting, folder: Path) -> StoredSetting | None:
    """This setting as a folder has it; None where it does not say what it holds, or not whole.

    Raises:
        SettingError: when the folder holds another setting; says where they differ.
    """
    try:
        found = read_setting(folder)
    except DamagedSettingError:
        return None
    unlike = differences(_knowing(setting, found).to_json(), _knowing(_as_now(found, setting), setting).to_json())
    if not unlike:
        return found
    cure = (
        f"Move the folder away; or, where {SETTING_FILE} alone got there by mistake, delete it, and it is written "
        f"anew: {shlex.join(['rm', str(folder / SETTING_FILE)])}"
    )
    raise SettingError("\n  ".join([f"{folder} holds another setting:", *unlike, cure]))


def is_described(setting: StoredSetting, folder: Path) -> bool:
    """Whether a folder says that it holds this setting, how it is scored, and all that is known of its units.

    Raises:
        SettingError: when it holds another setting.
    """
    found = kept_setting(setting, folder)
    return found is not None and _is_told(found, setting)


def _as_now(found: StoredSetting, setting: StoredSetting) -> StoredSetting:
    """A stored setting with all of another that is no part of the identity."""
    return replace(found, factors=setting.factors, scored_by=setting.scored_by, positive=setting.positive)


def _is_told(found: StoredSetting, setting: StoredSetting) -> bool:
    """Whether both are scored alike, and the stored one knows all units that the other knows."""
    scored_alike = (found.scored_by, found.positive) == (setting.scored_by, setting.positive)
    return scored_alike and _knowing(found, setting).layout == found.layout


def _knowing(one: StoredSetting, other: StoredSetting) -> StoredSetting:
    """A stored setting, with the groups and MLPs that another of the same heads knows of."""
    return replace(one, layout=one.layout.knowing(other.layout))


def write_setting(setting: StoredSetting, folder: Path) -> None:
    """Write a setting where it is not, or not whole, and add its places to those that the folder gives it.

    Raises:
        SettingError: when the folder holds another setting.
        WriteError: when the folder cannot be written.
    """
    found = kept_setting(setting, folder)
    if found is not None and _is_told(found, setting) and merge([*found.factors, *setting.factors]) == found.factors:
        return
    path = folder / SETTING_FILE
    with locked(path):  # of two jobs that add a place neither takes away the other's
        found = kept_setting(setting, folder)
        if found is None and path.exists():
            log.warning("%s was not whole: it is written anew", path)
        whole = setting if found is None else _knowing(setting, found)
        places = () if found is None else found.factors
        write_sealed(path, replace(whole, factors=merge([*places, *setting.factors])).to_json())
