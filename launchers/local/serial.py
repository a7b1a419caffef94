"""Serial: the jobs of a sweep one after the other, in this process. The failure of one does not hurt the others."""

import logging
from collections.abc import Sequence

from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job
from rich.console import Console
from rich.table import Table

from launchers.sweep.sweep import Job, Sweep, SweepError, in_words

log = logging.getLogger(__name__)

STATES = {JobStatus.COMPLETED: "completed", JobStatus.FAILED: "failed", JobStatus.UNKNOWN: "not started"}


def run(sweep: Sweep) -> list[JobReturn]:
    """Check and rehearse all jobs, run them by stage, and show what became of each.

    Raises:
        SweepError: before anything runs, with the faults of every job; or at the end, with every job that is not done.
    """
    sweep.prepare()
    sweep.rehearse()
    log.info("jobs: %d, one after the other", len(sweep.jobs))
    results: list[JobReturn] = []
    broken: int | None = None
    for place, job in enumerate(sweep.jobs, start=1):
        title = f"job {place} of {len(sweep.jobs)}"
        if broken is not None and job.stage > broken:
            log.error("%s not started, a job of an earlier stage failed: %s", title, job.name)
            results.append(JobReturn())
            continue
        log.info("%s: %s", title, job.name)
        results.append(run_job(sweep.task, job.config, "hydra.sweep.dir", "hydra.sweep.subdir", sweep.context))
        configure_log(sweep.config.hydra.hydra_logging, sweep.config.hydra.verbose)
        if results[-1].status is JobStatus.FAILED:
            broken = job.stage if broken is None else broken
            _log_failure(title, results[-1]._return_value)
    Console().print(outcome_table(sweep.jobs, results))
    pairs = zip(sweep.jobs, results, strict=True)
    undone = [job.name for job, result in pairs if result.status is not JobStatus.COMPLETED]
    if undone:
        raise SweepError("\n  ".join([f"{len(undone)} of {len(sweep.jobs)} jobs are not done:", *undone]))
    return results


def fetch(sweep: Sweep) -> list[JobReturn]:
    """Download or make all that the jobs of a sweep need, and check them; run none.

    Raises:
        SweepError: with the faults of every job.
    """
    needed = sweep.prepare()
    got = "; ".join(needed) if needed else "nothing was missing"
    log.info("jobs: %d; all that they need is on this machine (%s)", len(sweep.jobs), got)
    return []


def outcome_table(jobs: Sequence[Job], results: Sequence[JobReturn]) -> Table:
    """What became of each job: a line each, with the values that the task returned."""
    values = [result._return_value if isinstance(result._return_value, dict) else {} for result in results]
    columns = list(dict.fromkeys(name for row in values for name in row))
    table = Table("job", "state", *columns)
    for job, result, row in zip(jobs, results, values, strict=True):
        table.add_row(job.name, STATES[result.status], *(_cell(row.get(name, "")) for name in columns))
    return table


def _cell(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _log_failure(title: str, error: BaseException) -> None:
    """Say what failed; with its traceback unless the message is meant for users."""
    log.error("%s failed: %s", title, in_words(error), exc_info=None if hasattr(error, "in_words") else error)
