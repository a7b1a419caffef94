"""`hydra/launcher=slurm`: checks the jobs of a sweep, hands them to SLURM and returns; or says what it would do."""

import logging

from hydra.core.utils import JobReturn
from rich.console import Console

from launchers.config import SlurmConfig
from launchers.queue.status import status_table
from launchers.slurm.plan import show_plan
from launchers.slurm.submit import submit_jobs
from launchers.sweep.folder import SweepsFolder
from launchers.sweep.records import assess, sweep_record, write_records
from launchers.sweep.sweep import Sweep

log = logging.getLogger(__name__)


def run(sweep: Sweep, settings: SlurmConfig) -> list[JobReturn]:
    """Hand the jobs of a sweep to SLURM that are neither done nor under way.

    Raises:
        SweepError: before anything is sent, with the faults of every job.
        LauncherError: when SLURM does not take them.
    """
    folder = SweepsFolder(settings.path())
    if settings.plan:
        sweep.check()
        show_plan(folder, sweep_record(assess(sweep), "slurm", settings), settings)
        return []
    sweep.prepare()
    known = assess(sweep)
    record = sweep_record(known, "slurm", settings)
    with folder.locked():
        write_records(folder, sweep, known)
        folder.write_sweep(record)
        report = submit_jobs(folder, record, settings)
    Console().print(status_table(record, report.after()))
    log.info("%s", report.describe(record.name, folder))
    return []
