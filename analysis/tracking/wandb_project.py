"""A project of W&B: ENTITY/PROJECT as one writes it, its runs, and what a failure of W&B comes to in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import wandb
from wandb.errors import CommError, Error
from wandb.sdk.lib.service.service_connection import WandbApiFailedError
from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

from analysis.tracking.timeouts import no_answer
from study.record.errors import InputError, StudyError
from study.tracking.options import PROJECT, check_names, destination
from study.tracking.wandb_access import key_is_known, quiet, refusal

BROKEN = (WandbApiFailedError, HandleAbandonedError, MailboxClosedError)
"""What W&B raises where its service has ended."""

TIMEOUT = 30
"""Seconds to wait for an answer."""

MARK = "content"
"""Entry of a run's config: the digest of all that it holds."""


class WandbError(StudyError):
    """W&B refuses, or does not answer."""


@dataclass(frozen=True)
class RemoteRun:
    """A run in W&B.

    Attributes:
        id: its id there.
        name: as shown to people.
        mark: the digest that it carries once all of its content has arrived; empty before.
    """

    id: str
    name: str
    mark: str


@dataclass(frozen=True)
class WandbProject:
    """A project of W&B; without an entity, that of whoever `wandb sync` is run by."""

    entity: str | None
    project: str

    def __str__(self) -> str:
        """The project as one writes it."""
        return f"{self.entity}/{self.project}" if self.entity else self.project

    @classmethod
    def parse(cls, text: str, *, offline: bool = False) -> "WandbProject":
        """Read `ENTITY/PROJECT`, or `PROJECT` alone.

        Args:
            text: what one has written; empty for where `tracking=wandb` goes as well.
            offline: whether no one is asked whose the key is, as without a key.

        Raises:
            InputError: when it is not of that form, or W&B does not allow the names.
            WandbError: when W&B refuses the key, or does not answer.
        """
        entity, slash, project = text.rpartition("/")
        if slash and not (entity and project):
            raise InputError(f"'{text}' is not of the form ENTITY/PROJECT, for example my-lab/{PROJECT}")
        owner, project = destination(entity, project)
        check_names(owner, project)
        quiet()
        if owner or offline or not key_is_known():
            return cls(owner, project)
        with cls(None, project).as_study_errors():
            return cls(wandb.Api(timeout=TIMEOUT).default_entity, project)

    @cached_property
    def api(self) -> wandb.Api:
        """What reads there.

        Raises:
            WandbError: without a key, or with one that W&B does not accept.
        """
        quiet()
        if not key_is_known():
            raise WandbError(f"W&B ({self}) needs a key: `wandb login`")
        with self.as_study_errors():
            return wandb.Api(overrides={"entity": self.entity, "project": self.project}, timeout=TIMEOUT)

    def require_writable(self) -> None:
        """Ask whether the key may write there, before anything is sent.

        Raises:
            WandbError: when it may not; a server that does not answer says so later.
        """
        refused = refusal(self.entity, float(TIMEOUT))
        if refused:
            raise WandbError(refused)

    @contextmanager
    def as_study_errors(self) -> Iterator[None]:
        """Raise what goes wrong within as an error in words."""
        try:
            yield
        except StudyError:
            raise
        except (Error, *BROKEN, TimeoutError, ValueError, OSError) as error:
            words = str(error).strip() or type(error).__name__
            if "did not respond in time" in words:  # wandb says so of a server that is not there
                words = no_answer(TIMEOUT)
            raise WandbError(f"W&B ({self}): {words}") from error

    def find(self, run: str) -> RemoteRun | None:
        """The run under an id; None where there is none."""
        try:
            with self.as_study_errors():
                found = self.api.run(f"{self}/{run}")
                return RemoteRun(run, str(found.name), str(found.config.get(MARK, "")))
        except WandbError as error:
            if isinstance(error.__cause__, CommError) and "Could not find run" in str(error):
                return None
            raise

    def mark(self, run: str, digest: str) -> None:
        """Say that all of a run's content has arrived."""
        with self.as_study_errors():
            found = self.api.run(f"{self}/{run}")
            found.load(force=True)  # it may be known from before, and would be sent back as it was then
            found.config[MARK] = digest
            found.update()


def not_online() -> bool:
    """Whether $WANDB_MODE keeps a push from being sent.

    Raises:
        InputError: where W&B is disabled altogether.
    """
    mode = os.environ.get("WANDB_MODE", "")
    if mode == "disabled":
        raise InputError("WANDB_MODE=disabled: nothing is sent or written for W&B. Unset it to push")
    return mode in ("offline", "dryrun")
