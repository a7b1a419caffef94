"""Waiting for a sweep: SLURM is asked once for all its jobs, at growing intervals, as login nodes are shared."""

import logging
import time

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from launchers.config import SlurmConfig, read_settings
from launchers.errors import SilentSlurmError
from launchers.queue.after_job import AfterJob, look_after
from launchers.queue.states import OPEN, JobState, look_or_recall
from launchers.queue.status import status_table, summary
from launchers.slurm.submit import recover
from launchers.sweep.folder import SweepRecord, SweepsFolder

log = logging.getLogger(__name__)

FIRST_INTERVAL, LONGEST_INTERVAL, GROWTH = 2.0, 60.0, 1.3


def wait_for(folder: SweepsFolder, sweep: SweepRecord) -> dict[str, JobState]:
    """Wait until no job is queued or running; what is lost on the way is sent again, within the sweep's bound.

    While SLURM does not answer it waits for that, too.

    Returns:
        The states of all jobs at the end.

    Raises:
        LauncherError: when SLURM cannot be asked.
    """
    ids = [job.id for job in sweep.jobs]
    console = Console()
    interval, said = FIRST_INTERVAL, ""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            states, silence = look_or_recall(folder, ids)
            if console.is_terminal:
                live.update(Group(status_table(sweep, states), Text(silence)), refresh=True)
            elif (line := silence or summary(sweep, states).plain.partition(";")[0]) != said:
                console.print(line, soft_wrap=True)
                said = line
            if not silence and not any(state.state in OPEN for state in states.values()):
                if not _recovered(folder, sweep):
                    break
                interval = FIRST_INTERVAL
            time.sleep(interval)
            interval = min(interval * GROWTH, LONGEST_INTERVAL)
    console.print(status_table(sweep, states))
    return states


def wait_for_after(folder: SweepsFolder, sweep: SweepRecord) -> AfterJob | None:
    """Wait until the job after the last array has ended; None where there is none."""
    interval, said = FIRST_INTERVAL, False
    while True:
        try:
            after = look_after(folder, sweep)
        except SilentSlurmError as error:
            log.log(logging.DEBUG if said else logging.WARNING, "%s; waiting for it", error)
            said = True
        else:
            said = False
            if after is None or after.state not in OPEN:
                return after
        time.sleep(interval)
        interval = min(interval * GROWTH, LONGEST_INTERVAL)


def _recovered(folder: SweepsFolder, sweep: SweepRecord) -> bool:
    """Whether something was lost and has been sent again, or will be once SLURM answers."""
    if sweep.launcher != "slurm":
        return False
    try:
        with folder.locked():
            report = recover(folder, sweep, read_settings(sweep.settings, SlurmConfig))
    except SilentSlurmError as error:
        log.warning("%s; what was lost is sent again later", error)
        return True
    if report.sent:
        log.info("%d jobs were lost and are sent again", len(report.sent))
    return bool(report.sent)
