"""A sweep: every job composed, and every fault of every job found, before any starts."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hydra.core.utils import configure_log, filter_overrides, setup_globals
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from launchers.errors import message
from launchers.sweep.composition import Composer, Composition
from launchers.sweep.protocol import Announces, Concludes, KnowsDoubles, Task

log = logging.getLogger(__name__)

Each = TypeVar("Each")

SECONDS_BETWEEN_LINES = 10.0
"""How long a look at all jobs may be silent."""

CANNOT_WORK = "cannot run; none was started"


class SweepError(HydraException):
    """Jobs of a sweep that cannot work or have failed; one line for each."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        name: its overrides that not all jobs share, as shown to people.
        composition: its config.
        stage: jobs of a lower stage must be complete before it starts.
        identity: its config without Hydra's own node, resolved, as a text: what makes it another job.
    """

    name: str
    composition: Composition
    stage: int
    identity: str

    @property
    def task_config(self) -> DictConfig:
        """What the task function sees: the config without Hydra's own node."""
        return self.composition.task_config()


@dataclass(frozen=True)
class Sweep:
    """The jobs of a sweep by stage, with what Hydra gives a launcher to run them.

    Attributes:
        context: Hydra's loader and callbacks.
        task: the task function; it may offer the task protocol.
        config: config of the sweep itself.
        jobs: each config once: overrides that come to the same job are one job.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    jobs: tuple[Job, ...]

    @classmethod
    def compose(
        cls,
        context: HydraContext,
        task: TaskFunction,
        config: DictConfig,
        job_overrides: Sequence[Sequence[str]],
        first: int,
        *,
        planning: bool = False,
    ) -> "Sweep":
        """Compose every job, numbered from the first.

        Where a sweep is only planned, the jobs are known by the identity that they have without `plan=true`.
        """
        setup_globals()
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
        if len(job_overrides) > 1:
            log.info("%d jobs: all are looked at before any starts", len(job_overrides))
        jobs: dict[str, Job] = {}
        shared = set.intersection(*map(set, job_overrides)) if len(job_overrides) > 1 else set()
        composer = Composer(context.config_loader, config)
        for number, overrides in enumerate(_with_signs_of_life(job_overrides, "put together"), start=first):
            composition = composer.compose(overrides, number)
            own = [shown(word) for word in filter_overrides([one for one in overrides if one not in shared])]
            task_config = composition.task_config()
            stage = task.stage(task_config) if isinstance(task, Task) else 0
            identity = _identity(task_config, planning=planning)
            work = _work(task, task_config)
            jobs.setdefault(work or identity, Job(" ".join(own) or "(defaults)", composition, stage, identity))
        return cls(context, task, config, tuple(sorted(jobs.values(), key=lambda job: job.stage)))

    def check(self) -> dict[tuple[str, ...], list[Job]]:
        """Check every job.

        Returns:
            Those that lack something, by what that is in words.

        Raises:
            SweepError: with the faults of all of them.
        """
        lacking: dict[tuple[str, ...], list[Job]] = {}

        def check(task: Task, job: Job) -> None:
            config = job.task_config
            task.check(config)
            if needed := tuple(task.missing(config)):
                lacking.setdefault(needed, []).append(job)

        self._for_each(self.jobs, check, CANNOT_WORK)
        return lacking

    def announce(self) -> None:
        """Let the task leave word of the jobs (see `Announces`); called where no folder of sweeps knows them."""
        if isinstance(self.task, Announces):
            self.task.announce([job.task_config for job in self.jobs], self.jobs[0].composition.config().hydra)

    def prepare(self, lacking: Mapping[tuple[str, ...], list[Job]] | None = None) -> list[str]:
        """Check every job, download or make what some lack, each need once, and check these again.

        Args:
            lacking: what `check` has found; None where no job has been checked.

        Returns:
            What was missing, in words.

        Raises:
            SweepError: with every job that cannot work, or whose needs could not be met.
        """
        lacking = self.check() if lacking is None else lacking
        first = [jobs[0] for jobs in lacking.values()]
        self._for_each(first, lambda task, job: task.prepare(job.task_config), "could not get what they need")
        again = [job for jobs in lacking.values() for job in jobs]
        self._for_each(again, lambda task, job: task.check(job.task_config), CANNOT_WORK)
        return list(dict.fromkeys(need for needed in lacking for need in needed))

    def rehearse(self) -> None:
        """Do the first part of every job, the one that shows whether the whole makes sense.

        Raises:
            SweepError: with every job that does not.
        """
        self._for_each(self.jobs, lambda task, job: task.rehearse(job.task_config), CANNOT_WORK)

    def conclude(self, values: Sequence[Mapping[str, object]]) -> list[str]:
        """What the task says of all jobs together, in lines (see `Concludes`); nothing where it does not."""
        if not isinstance(self.task, Concludes):
            return []
        return self.task.conclude([job.task_config for job in self.jobs], values)

    def _for_each(self, jobs: Sequence[Job], action: Callable[[Task, Job], None], verdict: str) -> None:
        if not isinstance(self.task, Task):
            return
        faults = {}
        for job in _with_signs_of_life(jobs, "looked at"):
            try:
                action(self.task, job)
            except Exception as error:  # noqa: BLE001 each task raises errors of its own kind
                faults[job.name] = message(error)
        if faults:
            raise faulty(faults, len(self.jobs), verdict)


def _with_signs_of_life(jobs: Sequence[Each], done: str) -> Iterator[Each]:
    """The jobs, one after the other; says now and then with how many it is done."""
    said = time.monotonic()
    for number, job in enumerate(jobs):
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            log.info("%d of %d jobs %s", number, len(jobs), done)
        yield job


def faulty(faults: Mapping[str, str], jobs: int, verdict: str) -> SweepError:
    """The error that says what is wrong, each cause once, with the jobs that it keeps from running.

    Args:
        faults: what is wrong, in words, by the name of the job.
        jobs: how many the sweep has.
        verdict: what follows for them.
    """
    named: dict[str, list[str]] = {}
    for job, words in faults.items():
        named.setdefault(words, []).append(job)
    if len(named) == 1 and len(faults) == jobs > 1:
        return SweepError(f"all {jobs} jobs {verdict}: {next(iter(named))}")
    lines = [f"{', '.join(those)}: {words}" for words, those in named.items()]
    return SweepError("\n  ".join([f"{len(faults)} of {jobs} jobs {verdict}:", *lines]))


def _work(task: object, config: DictConfig) -> str | None:
    """What the job does, where the task can tell that jobs of different configurations do the same."""
    return task.work(config) if isinstance(task, KnowsDoubles) else None


def shown(override: str) -> str:
    """An override as people know it: a choice of a group by the option that it fills, `a/b@c.d=x` by `c.d=x`."""
    name, equals, value = override.partition("=")
    return f"{name.rpartition('@')[2].replace('/', '.')}{equals}{value}"


def _identity(task_config: DictConfig, *, planning: bool) -> str:
    """The config as a text; interpolations that only make sense within a running job stay as they are written."""
    try:
        values = OmegaConf.to_container(task_config, resolve=True, enum_to_str=True)
    except OmegaConfBaseException:
        values = OmegaConf.to_container(task_config, resolve=False, enum_to_str=True)
    if planning and isinstance(values, dict) and values.get("plan") is True:
        values["plan"] = False
    return json.dumps(values, sort_keys=True, default=str)
