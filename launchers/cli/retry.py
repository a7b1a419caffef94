"""Handing out again what is not done, as the sweep was configured, without composing its jobs anew."""

from launchers.config import LocalPoolConfig, SlurmConfig, read_settings
from launchers.slurm.submit import submit_jobs
from launchers.sweep.folder import SweepRecord, SweepsFolder


def retry_sweep(folder: SweepsFolder, sweep: SweepRecord) -> str:
    """Hand out the jobs of a sweep that are neither done nor under way; a local pool runs them here and now.

    Returns:
        What was done, in words.

    Raises:
        LauncherError: when SLURM does not take them, or jobs of a local pool are not done at the end.
    """
    if sweep.launcher == "slurm":
        with folder.locked():
            report = submit_jobs(folder, sweep, read_settings(sweep.settings, SlurmConfig))
            folder.write_sweep(sweep)
        return report.describe(sweep.name, folder)
    from launchers.local.pool import run_record  # imports Hydra, which the other commands need not wait for

    run_record(folder, sweep, read_settings(sweep.settings, LocalPoolConfig))
    return f"{sweep.name}: all jobs are done"
