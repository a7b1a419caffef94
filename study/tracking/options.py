"""What `tracking=...` may be: the contract of `conf/tracking`. It decides no number and no identity."""

import importlib.util
import logging
import os
import re
import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from study.record.errors import InputError, MissingPackageError
from study.tracking.run import Run
from study.tracking.tracker import PUSH

if TYPE_CHECKING:
    from study.tracking.tracker import Tracker

log = logging.getLogger(__name__)

PROJECT = "sixteen-heads"

LONGEST_NAME = 128
LONGEST_TAG = 64
FORBIDDEN = "/\\#?%:"
"""In a project's name, by W&B's rules."""


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
        name: as in conf/tracking.
        group: the sweep that jobs are a part of; null: the experiment, else the time at which the sweep began.
    """

    name: str = "none"
    group: str | None = None

    def check(self) -> None:
        """Refuse what cannot work; asks no one else.

        Raises:
            StudyError: in words.
        """

    def check_access(self) -> None:
        """Refuse what the server says cannot work; a server that does not answer is no reason.

        Raises:
            InputError: in words.
        """

    def tracker(self, results: Path) -> "Tracker | None":
        """What shows a job; None for nothing.

        Args:
            results: folder of the stored outcomes.
        """
        del results
        return None

    def push(self, results: Path) -> str:
        """The command that shows in the same place, at any time, what is stored; empty where jobs are shown nowhere."""
        del results
        return ""

    def mark(self, run: Run, results: Path) -> Path:
        """The file that is there from the beginning of a job until its end has come through where it is shown."""
        return results / self.name / "open" / run.shown_id


@dataclass(kw_only=True)
class WandbTracking(Tracking):
    """Weights & Biases.

    Attributes:
        project: made when it is not there; null: $WANDB_PROJECT, else `sixteen-heads`.
        entity: user or team; null: $WANDB_ENTITY, else the one that the key belongs to.
        mode: `auto` ($WANDB_MODE, else online where a key is found), `online`, `offline`.
        tags: besides model and data.
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
            StudyError: in words.
        """
        check_names(*chosen(self.entity, self.project))
        for tag in (*self.tags, *([self.group] if self.group else [])):
            most = LONGEST_NAME if tag == self.group else LONGEST_TAG
            if not 1 <= len(tag) <= most:
                raise InputError(f"W&B allows 1 to {most} characters, which '{tag}' has not")
        if self.patience <= 0:
            raise InputError(f"tracking.patience={self.patience:g}: seconds, above 0")
        if importlib.util.find_spec("wandb") is None:
            raise MissingPackageError("tracking=wandb needs the package wandb: pip install wandb")

    def check_access(self) -> None:
        """Ask W&B once a process whether the key may write to the entity; only where runs go online.

        Raises:
            InputError: when W&B refuses; in words.
        """
        refusal = "" if self._disabled() else _refusal(chosen(self.entity, self.project)[0], self.mode, self.patience)
        if refusal:
            raise InputError(refusal)

    def tracker(self, results: Path) -> "Tracker | None":
        """What sends a job to W&B, or keeps it for W&B in `wandb/` beside the outcomes; None where that is disabled."""
        if self._disabled():
            return None
        from study.tracking.wandb_run import WandbRun

        return WandbRun(self, results)

    def push(self, results: Path) -> str:
        """See `Tracking.push`."""
        if self._disabled():
            return ""
        folder = [] if results == Path("results") else [str(results)]
        place = [] if self.project is None and self.entity is None else ["--wandb", self._place()]
        return shlex.join([*PUSH.split(), *folder, *place])

    def _disabled(self) -> bool:
        return self.mode is Mode.auto and os.environ.get("WANDB_MODE") == "disabled"

    def _place(self) -> str:
        entity, project = chosen(self.entity, self.project)
        return f"{entity}/{project}" if entity else project


def chosen(entity: str | None, project: str | None) -> tuple[str | None, str]:
    """Where runs go, one rule for jobs and for `push`: what is given, else $WANDB_ENTITY and $WANDB_PROJECT, else ours.

    Returns:
        Entity and project; the entity is None where it is the key's.
    """
    return entity or os.environ.get("WANDB_ENTITY") or None, project or os.environ.get("WANDB_PROJECT") or PROJECT


def check_names(entity: str | None, project: str) -> None:
    """Refuse names that W&B does not allow.

    Raises:
        InputError: in words.
    """
    if not 1 <= len(project) <= LONGEST_NAME or set(project) & set(FORBIDDEN):
        raise InputError(
            f"W&B does not allow the project name '{project}': 1 to {LONGEST_NAME} characters, none of {FORBIDDEN}"
        )
    if entity is not None and not re.fullmatch(r"[\w.-]{1,128}", entity):
        raise InputError(f"W&B has no entity named '{entity}': letters, digits and . _ - are allowed")


@lru_cache(maxsize=8)
def _refusal(entity: str | None, mode: Mode, patience: float) -> str:
    """Why W&B would refuse runs, in words; empty where it would not, or where that cannot be known."""
    from study.tracking.wandb_access import NO_KEY, is_online, key_is_known, refusal

    if not is_online(mode):
        return ""
    return refusal(entity, patience) if key_is_known() else NO_KEY
