"""The commands that come after the last job of a sweep."""

import logging
import os
import subprocess
import sys
from pathlib import Path

from launchers.config import LauncherConfig
from launchers.sweep.folder import SweepRecord

log = logging.getLogger(__name__)


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
