"""The task protocol: what a Hydra task function may offer a launcher, so that it need not know what the jobs do."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from omegaconf import DictConfig


@runtime_checkable
class Task(Protocol):
    """A Hydra task function that can be asked about a job before it runs. Every method takes the composed config."""

    def __call__(self, config: DictConfig) -> Any:
        """Do the job. Resumes from what is on disk; raises when it fails."""

    def check(self, config: DictConfig) -> None:
        """Raise, in words, when the job cannot work."""

    def rehearse(self, config: DictConfig) -> None:
        """Do the first, cheap part of the job that shows whether the whole makes sense; raise, in words, when not.

        Where jobs run in one process it is called for all of them before any starts.
        """

    def missing(self, config: DictConfig) -> list[str]:
        """What must be downloaded or made before the job can start, in words."""
        ...

    def prepare(self, config: DictConfig) -> None:
        """Download or make what is missing."""

    def remaining(self, config: DictConfig) -> int | None:
        """Units of work left; 0 when the job is done, None when that is not known yet."""
        ...

    def estimate(self, config: DictConfig) -> float | None:
        """Seconds that the work left will take; None when that is not known."""
        ...

    def stage(self, config: DictConfig) -> int:
        """Jobs of a lower stage must be complete before this one starts."""
        ...


@runtime_checkable
class Concludes(Protocol):
    """A task that can say at the end of a sweep what its jobs come to together."""

    def conclude(self, configs: Sequence[DictConfig], values: Sequence[Mapping[str, Any]]) -> list[str]:
        """The last lines of a sweep.

        Args:
            configs: configs of the jobs.
            values: what each job has returned; empty where it has not.
        """
        ...


@runtime_checkable
class Announces(Protocol):
    """A task that leaves word of what a sweep is going to do, for whoever looks on while it runs."""

    def announce(self, configs: Sequence[DictConfig], hydra: DictConfig) -> None:
        """The jobs have been checked, and none has begun.

        Args:
            configs: configs of the jobs, in their order.
            hydra: Hydra's own node of the sweep.
        """


@runtime_checkable
class KnowsDoubles(Protocol):
    """A task that can tell jobs that do the same although their configurations differ."""

    def work(self, config: DictConfig) -> str | None:
        """What the job does, as a text: two jobs of one text are one; None where the configuration tells."""
        ...
