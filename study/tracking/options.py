"""Options of where jobs are shown: the contract of `conf/tracking`. They decide no number and no identity."""

import importlib.util
import os
import re
import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from study.record.errors import InputError, MissingPackageError
from study.tracking.run import Run

PUSH = "study push"
"""What sends a results folder at any time."""

PROJECT = "sixteen-heads"

LONGEST_NAME = 128
LONGEST_TAG = 64
FORBIDDEN = "/\\#?%:"
"""Characters that W&B allows in no project's name."""


class Mode(StrEnum):
    """Where W&B keeps a run first. Names are what is written on the command line."""

    auto = "auto"
    """Online where a key is found, else offline."""
    online = "online"
    offline = "offline"


@dataclass(kw_only=True)
class Tracking:
    """Where jobs are shown while they run.

    Attributes:
        name: name in conf/tracking.
        group: the sweep that jobs are a part of; null: the experiment, else the time at which the sweep began.
    """

    name: str = "none"
    group: str | None = None

    def check(self) -> None:
        """Refuse what cannot work; asks no one else.

        Raises:
            StudyError: for the first reason that it does not.
        """

    def push(self, results: Path) -> str:  # noqa: ARG002 for those that push
        """The command that shows in the same place, at any time, what is stored; empty where jobs are shown nowhere."""
        return ""

    def mark(self, run: Run, results: Path) -> Path:
        """The file that is there from the beginning of a job until its end has arrived where it is shown."""
        return results / self.name / "open" / run.shown_id


@dataclass(kw_only=True)
class WandbTracking(Tracking):
    """Weights & Biases.

    Attributes:
        project: made when it is not there; null: $WANDB_PROJECT, else `sixteen-heads`.
        entity: user or team; null: $WANDB_ENTITY, else the one that the key belongs to.
        mode: `auto` ($WANDB_MODE, else online where a key is found), `online`, `offline`.
        tags: tags besides model and data.
        system_metrics: also log what CPU, GPU and memory do; of no use where several jobs share a machine.
        patience: seconds that a job waits for W&B at most, at its beginning and at its end.
    """

    name: str = "wandb"
    project: str | None = None
    entity: str | None = None
    mode: Mode = Mode.auto
    tags: list[str] = field(default_factory=list)
    system_metrics: bool = False
    patience: float = 30.0

    def check(self) -> None:
        """Refuse names that W&B does not allow, and a missing package.

        Raises:
            StudyError: for the first of these.
        """
        check_names(*destination(self.entity, self.project))
        for tag in (*self.tags, *([self.group] if self.group else [])):
            most = LONGEST_NAME if tag == self.group else LONGEST_TAG
            if not 1 <= len(tag) <= most:
                raise InputError(f"W&B allows 1 to {most} characters, which '{tag}' has not")
        if self.patience <= 0:
            raise InputError(f"tracking.patience={self.patience:g}: seconds, above 0")
        if importlib.util.find_spec("wandb") is None:
            raise MissingPackageError("tracking=wandb needs the package wandb: pip install wandb")

    @property
    def disabled(self) -> bool:
        """Whether $WANDB_MODE turns it off, where no mode is asked for."""
        return self.mode is Mode.auto and os.environ.get("WANDB_MODE") == "disabled"

    def push(self, results: Path) -> str:
        """See `Tracking.push`."""
        if self.disabled:
            return ""
        folder = [] if results == Path("results") else [str(results)]
        given = self.project is not None or self.entity is not None
        place = "/".join(filter(None, destination(self.entity, self.project)))
        return shlex.join([*PUSH.split(), *folder, *(["--wandb", place] if given else [])])


def destination(entity: str | None, project: str | None) -> tuple[str | None, str]:
    """Where runs of jobs and of `push` go: what is given, else $WANDB_ENTITY and $WANDB_PROJECT, else ours.

    Returns:
        Entity and project; the entity is None where it is the key's.
    """
    return entity or os.environ.get("WANDB_ENTITY") or None, project or os.environ.get("WANDB_PROJECT") or PROJECT


def check_names(entity: str | None, project: str) -> None:
    """Refuse names that W&B does not allow.

    Raises:
        InputError: for the first such name.
    """
    if not 1 <= len(project) <= LONGEST_NAME or set(project) & set(FORBIDDEN):
        raise InputError(
            f"W&B does not allow the project name '{project}': 1 to {LONGEST_NAME} characters, none of {FORBIDDEN}"
        )
    if entity is not None and not re.fullmatch(r"[\w.-]{1,128}", entity):
        raise InputError(f"W&B has no entity named '{entity}': letters, digits and . _ - are allowed")
