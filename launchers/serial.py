"""Serial: the jobs of a sweep one after the other, in this process. The failure of one does not hurt the others."""

import logging
from collections.abc import Sequence

from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from launchers.protocol import Task
from launchers.sweep import (
    Job,
    SweepError,
    by_stage,
    check_all,
    compose_jobs,
    in_words,
    prepare_all,
    rehearse_all,
    stage_of,
)

log = logging.getLogger(__name__)

STATES = {JobStatus.COMPLETED: "completed", JobStatus.FAILED: "failed", JobStatus.UNKNOWN: "not started"}


def run_sweep(
    context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Check all jobs, run them by stage, and show what became of each.

    Raises:
        SweepError: before anything runs, with the faults of every job; or at the end, with every job that failed.
    """
    setup_globals()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    jobs = by_stage(task, compose_jobs(context, config, job_overrides, first))
    check_all(task, jobs)
    prepare_all(task, jobs)
    check_all(task, jobs)
    rehearse_all(task, jobs)
    log.info("jobs: %d, one after the other", len(jobs))
    results: list[JobReturn] = []
    broken: int | None = None
    for place, job in enumerate(jobs, start=1):
        if broken is not None and stage_of(task, job) > broken:
            log.error("job %d of %d not started, a job of an earlier stage failed: %s", place, len(jobs), job.name)
            results.append(JobReturn())
            continue
        log.info("job %d of %d: %s", place, len(jobs), job.name)
        results.append(run_job(task, job.config, "hydra.sweep.dir", "hydra.sweep.subdir", context))
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
        if results[-1].status is JobStatus.FAILED:
            broken = stage_of(task, job) if broken is None else broken
            _log_failure(place, results[-1]._return_value)
    Console().print(outcome_table(jobs, results))
    undone = [job.name for job, result in zip(jobs, results, strict=True) if result.status is not JobStatus.COMPLETED]
    if undone:
        raise SweepError("\n  ".join([f"{len(undone)} of {len(jobs)} jobs are not done:", *undone]))
    return results


def _log_failure(place: int, error: BaseException) -> None:
    """Say what failed; with its traceback unless the message is meant for users."""
    log.error("job %d failed: %s", place, in_words(error), exc_info=None if hasattr(error, "in_words") else error)


def outcome_table(jobs: Sequence[Job], results: Sequence[JobReturn]) -> Table:
    """What became of each job: a line each, with the values that the task returned."""
    values = [result._return_value if isinstance(result._return_value, dict) else {} for result in results]
    columns = list(dict.fromkeys(name for row in values for name in row))
    table = Table("job", "state", *columns)
    for job, result, row in zip(jobs, results, values, strict=True):
        cells = [
            f"{row[name]:,.2f}" if isinstance(row.get(name), float) else str(row.get(name, "")) for name in columns
        ]
        table.add_row(job.name, STATES[result.status], *cells)
    return table


def fetch_sweep(
    context: HydraContext,
    task: TaskFunction,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
) -> list[JobReturn]:
    """Download or make all that the jobs of a sweep need, and check them; run none."""
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    jobs = compose_jobs(context, config, job_overrides, first)
    needed = {need for job in jobs if isinstance(task, Task) for need in task.missing(job.task_config)}
    prepare_all(task, jobs)
    check_all(task, jobs)
    got = "; ".join(sorted(needed)) if needed else "nothing was missing"
    log.info("jobs: %d; all that they need is on this machine (%s)", len(jobs), got)
    return []
