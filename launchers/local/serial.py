"""Serial: the jobs of a sweep one after the other, in this process. The failure of one does not hurt the others."""

import logging
import time

from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from launchers.errors import message
from launchers.local.outcomes import STATE, print_outcomes
from launchers.queue.status import duration
from launchers.sweep.sweep import Sweep, SweepError

log = logging.getLogger(__name__)

STATES = {JobStatus.COMPLETED: "done", JobStatus.FAILED: "failed", JobStatus.UNKNOWN: "not started"}
SECONDS_BETWEEN_LINES = 10.0
"""Jobs that end faster share a line."""


def run(sweep: Sweep) -> list[JobReturn]:
    """Check and rehearse all jobs, run them by stage, and show what became of each.

    Raises:
        SweepError: before anything runs, with the faults of every job; or at the end, with every job that is not done.
    """
    lacking = sweep.check()
    sweep.announce()
    sweep.prepare(lacking)
    sweep.rehearse()
    results = _run_jobs(sweep)
    console = Console(highlight=False)
    values = [_values(result) for result in results]
    lines = sweep.conclude(values)
    pairs = zip(sweep.jobs, results, strict=True)
    undone = [job.name for job, result in pairs if result.status is not JobStatus.COMPLETED]
    if undone or not lines or any("state" in value for value in values):
        rows = [{STATE: STATES[result.status], **value} for result, value in zip(results, values, strict=True)]
        print_outcomes(console, [job.name for job in sweep.jobs], rows)
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    if undone:
        raise SweepError("\n  ".join([f"{len(undone)} of {len(sweep.jobs)} jobs are not done:", *undone]))
    return results


def _run_jobs(sweep: Sweep) -> list[JobReturn]:
    """Run every job whose earlier stages are whole; say now and then how far it is."""
    results: list[JobReturn] = []
    broken: int | None = None
    began = said = time.monotonic()
    for place, job in enumerate(sweep.jobs, start=1):
        title = f"job {place} of {len(sweep.jobs)}"
        if broken is not None and job.stage > broken:
            log.error("%s not started, a job of an earlier stage failed: %s", title, job.name)
            results.append(JobReturn())
            continue
        if time.monotonic() - said > SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            log.info("%s: %s", title, job.name)
        config = _quiet(job.composition.config())
        results.append(run_job(sweep.task, config, "hydra.sweep.dir", "hydra.sweep.subdir", sweep.context))
        configure_log(sweep.config.hydra.hydra_logging, sweep.config.hydra.verbose)
        if results[-1].status is JobStatus.FAILED:
            broken = job.stage if broken is None else broken
            _log_failure(title, results[-1]._return_value)
    done = sum(result.status is JobStatus.COMPLETED for result in results)
    what = "planned" if any(job.task_config.get("plan") is True for job in sweep.jobs) else "done"
    log.info("%d of %d jobs %s in %s", done, len(sweep.jobs), what, duration(time.monotonic() - began))
    return results


def _quiet(config: DictConfig) -> DictConfig:
    """The config of a job that says only what is wrong on the terminal, where it has a log file for the rest."""
    if {"console", "file"} <= set(OmegaConf.select(config, "hydra.job_logging.handlers") or ()):
        OmegaConf.update(config, "hydra.job_logging.handlers.console.level", "WARNING", force_add=True)
    return config


def fetch(sweep: Sweep) -> list[JobReturn]:
    """Download or make all that the jobs of a sweep need, and check them; run none.

    Raises:
        SweepError: with the faults of every job.
    """
    needed = sweep.prepare()
    got = "; ".join(needed) if needed else "nothing was missing"
    log.info("jobs: %d; all that they need is on this machine (%s)", len(sweep.jobs), got)
    return []


def _values(result: JobReturn) -> dict[str, object]:
    value = result._return_value
    return {str(name): each for name, each in value.items()} if isinstance(value, dict) else {}


def _log_failure(title: str, error: BaseException) -> None:
    """Say what failed; with its traceback unless the message is meant for users."""
    log.error("%s failed: %s", title, message(error), exc_info=None if hasattr(error, "in_words") else error)
