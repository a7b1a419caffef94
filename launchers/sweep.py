"""A sweep: every job composed, and every fault of every job found, before the first one starts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hydra.core.utils import filter_overrides
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from launchers.protocol import Task


class SweepError(HydraException):
    """Jobs of a sweep that cannot work or have failed; one line for each."""


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Attributes:
        number: its place in the sweep, from 0.
        name: its overrides that not all jobs share, as shown to people.
        config: the composed config, Hydra's own node included.
    """

    number: int
    name: str
    config: DictConfig

    @property
    def task_config(self) -> DictConfig:
        """What the task function sees: the config without Hydra's own node."""
        config = self.config.copy()
        with open_dict(config):
            config.pop("hydra")
        return config


def compose_jobs(
    context: HydraContext, config: DictConfig, job_overrides: Sequence[Sequence[str]], first: int
) -> list[Job]:
    """The jobs of a sweep, each config once: overrides that come to the same job are one job."""
    jobs: dict[str, Job] = {}
    shared = set.intersection(*map(set, job_overrides)) if len(job_overrides) > 1 else set()
    for number, overrides in enumerate(job_overrides, start=first):
        composed = context.config_loader.load_sweep_config(config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.id = str(number)
            composed.hydra.job.num = number
        own = filter_overrides([override for override in overrides if override not in shared])
        job = Job(number, " ".join(own) or "(defaults)", composed)
        jobs.setdefault(OmegaConf.to_yaml(job.task_config, resolve=True, sort_keys=True), job)
    return list(jobs.values())


def prepare_all(task: TaskFunction, jobs: Iterable[Job]) -> None:
    """Download or make what the jobs need.

    Raises:
        SweepError: with every job whose needs could not be met.
    """
    if not isinstance(task, Task):
        return
    tried: set[tuple[str, ...]] = set()

    def prepare(job: Job) -> None:
        needed = tuple(task.missing(job.task_config))
        if needed and needed not in tried:
            tried.add(needed)
            task.prepare(job.task_config)

    _for_each(jobs, prepare, "could not get what they need")


def check_all(task: TaskFunction, jobs: Iterable[Job]) -> None:
    """Check every job.

    Raises:
        SweepError: with the faults of all of them.
    """
    if isinstance(task, Task):
        _for_each(jobs, lambda job: task.check(job.task_config), "cannot work; nothing was started")


def rehearse_all(task: TaskFunction, jobs: Iterable[Job]) -> None:
    """Do the first part of every job, the one that shows whether the whole makes sense.

    Raises:
        SweepError: with every job that does not.
    """
    if isinstance(task, Task):
        _for_each(jobs, lambda job: task.rehearse(job.task_config), "do not make sense; none was started")


def stage_of(task: TaskFunction, job: Job) -> int:
    """The stage of a job; a task that does not tell has one stage."""
    return task.stage(job.task_config) if isinstance(task, Task) else 0


def by_stage(task: TaskFunction, jobs: Sequence[Job]) -> list[Job]:
    """The jobs in the order of their stages; within one as they came."""
    return sorted(jobs, key=lambda job: stage_of(task, job))


def in_words(error: BaseException) -> str:
    """The message of an error meant for users; of any other, its type as well."""
    return str(error) if getattr(error, "in_words", False) else f"{type(error).__name__}: {error}"


def _for_each(jobs: Iterable[Job], action: Callable[[Job], None], verdict: str) -> None:
    faults = []
    for job in jobs:
        try:
            action(job)
        except Exception as error:  # noqa: BLE001 each task raises errors of its own kind
            faults.append(f"{job.name}: {in_words(error)}")
    if faults:
        raise SweepError("\n  ".join([f"{len(faults)} jobs {verdict}:", *faults]))
