"""`python -m launchers.slurm.after SUBMISSION`: after the last array, another try of what was lost, or the analysis."""

import logging
import sys
from pathlib import Path

from launchers.config import SlurmConfig, read_settings
from launchers.errors import LauncherError
from launchers.slurm.submit import recover
from launchers.sweep.folder import SweepsFolder
from launchers.sweep.follow import follow
from launchers.sweep.submission import SubmissionFolder

log = logging.getLogger(__name__)


def main(path: Path) -> int:
    """Recover or analyse; exit status: of the command that failed first."""
    logging.basicConfig(level=logging.INFO, format="[%(asctime)s] %(message)s")
    folder = SweepsFolder(path.parent.parent)
    sweep = folder.read_sweep(SubmissionFolder(path).read().sweep)
    settings = read_settings(sweep.settings, SlurmConfig)
    try:
        with folder.locked():
            report = recover(folder, sweep, settings)
    except LauncherError as error:
        log.warning("what was lost was not sent again: %s", error)
    else:
        if report.sent:
            log.info("%d jobs were lost and are sent again; what follows comes after them", len(report.sent))
            return 0
    status = follow(sweep, settings)
    SubmissionFolder(path).note_after(status)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
