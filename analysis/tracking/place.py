"""Where in W&B: ENTITY/PROJECT as one writes it, and what a failure of W&B comes to in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import wandb
from wandb.errors import CommError, Error
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from study.errors import InputError, StudyError
from study.tracking.options import WandbTracking, check_names
from study.tracking.wandb_access import key_is_known, quiet, refusal

TIMEOUT = 30
"""Seconds to wait for an answer."""


MARK = "content"
"""Entry of a run's config: the digest of all that it holds."""


class PlaceError(StudyError):
    """W&B refuses, or does not answer."""


@dataclass(frozen=True)
class Place:
    """A project of W&B; without an entity, that of whoever `wandb sync` is run by."""

    entity: str | None
    project: str

    def __str__(self) -> str:
        """As one writes it."""
        return f"{self.entity}/{self.project}" if self.entity else self.project

    @classmethod
    def parse(cls, text: str) -> "Place":
        """From ENTITY/PROJECT.

        Raises:
            InputError: when it is not of that form, or W&B does not allow the names.
        """
        entity, slash, project = text.partition("/")
        if not slash or not entity:
            raise InputError(f"'{text}' is not of the form ENTITY/PROJECT, for example my-lab/sixteen-heads")
        check_names(entity, project)
        return cls(entity, project)

    @classmethod
    def usual(cls, *, offline: bool = False) -> "Place":
        """Where `tracking=wandb` goes by default, $WANDB_ENTITY and $WANDB_PROJECT first.

        Args:
            offline: ask no one; so without a key.

        Raises:
            InputError: when W&B does not allow the names.
            PlaceError: when W&B refuses the key, or does not answer.
        """
        quiet()
        entity, project = os.environ.get("WANDB_ENTITY"), os.environ.get("WANDB_PROJECT") or WandbTracking.project
        if not entity:
            if offline or not key_is_known():
                check_names(None, project)
                return cls(None, project)
            with cls("of the key", project).in_words():
                entity = wandb.Api(timeout=TIMEOUT).default_entity
        return cls.parse(f"{entity or ''}/{project}")

    @cached_property
    def api(self) -> wandb.Api:
        """What reads there.

        Raises:
            PlaceError: without a key, or with one that W&B does not accept.
        """
        quiet()
        if not key_is_known():
            raise PlaceError(f"W&B ({self}) needs a key: `wandb login`")
        with self.in_words():
            return wandb.Api(overrides={"entity": self.entity, "project": self.project}, timeout=TIMEOUT)

    def require_writable(self) -> None:
        """Ask whether the key may write there, before anything is sent.

        Raises:
            PlaceError: when it may not; a server that does not answer says so later.
        """
        refused = refusal(self.entity, float(TIMEOUT))
        if refused:
            raise PlaceError(refused)

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """What goes wrong within, as an error in words."""
        try:
            yield
        except StudyError:
            raise
        except (Error, WandbApiFailedError, TimeoutError, ValueError, OSError) as error:
            words = str(error).strip() or type(error).__name__
            if "did not respond in time" in words:  # wandb says so of a server that is not there
                words = f"no answer within {TIMEOUT} seconds"
            raise PlaceError(f"W&B ({self}): {words}") from error

    def mark_of(self, run: str) -> str:
        """The digest that a run there carries once all of its content has arrived; empty where it has none."""
        try:
            with self.in_words():
                return str(self.api.run(f"{self}/{run}").config.get(MARK, ""))
        except PlaceError as error:
            if isinstance(error.__cause__, CommError) and "Could not find run" in str(error):
                return ""
            raise

    def mark(self, run: str, digest: str) -> None:
        """Say that all of a run's content has arrived."""
        with self.in_words():
            there = self.api.run(f"{self}/{run}")
            there.config[MARK] = digest
            there.update()
