"""`python -m launchers.after SUBMISSION`: after the last array, another try of what was lost, else the analysis."""

import logging
import os
import subprocess
import sys
from pathlib import Path

from launchers.config import LauncherConfig, SlurmConfig, settings_of
from launchers.errors import LauncherError
from launchers.folder import SweepRecord, SweepsFolder
from launchers.hand_out import recover
from launchers.submission import SubmissionFolder

log = logging.getLogger(__name__)


def main(path: Path) -> int:
    """Recover or analyse; exit status: of the command that failed first."""
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s] %(message)s")
    folder = SweepsFolder(path.parent.parent)
    sweep = folder.read_sweep(SubmissionFolder(path).read().sweep)
    settings = settings_of(sweep.settings, SlurmConfig)
    try:
        with folder.locked():
            handed = recover(folder, sweep, settings)
    except LauncherError as error:
        log.warning("what was lost was not sent again: %s", error)
    else:
        if handed.sent:
            log.info("%d jobs were lost and are sent again; what follows comes after them", len(handed.sent))
            return 0
    status = follow(sweep, settings)
    SubmissionFolder(path).note_after(status)
    return status


def follow(sweep: SweepRecord, settings: LauncherConfig) -> int:
    """Run the commands that come after the last job, this Python and its programs first on their path.

    Returns:
        The exit status of the first that fails, which is the last to run.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    for command in filter(None, (settings.after.command, settings.after.sync)):
        log.info("%s", command)
        status = subprocess.run(command, shell=True, cwd=sweep.folder, env=environment, check=False).returncode
        if status:
            log.error("exit status %d: %s", status, command)
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
