"""Which results folder the jobs of a sweep write to: launchers do not know it, the configuration of each job does."""

from pathlib import Path

from launchers.sweep.files import read_json
from launchers.sweep.folder import SweepRecord, SweepsFolder


def sweep_results(folder: SweepsFolder, sweep: SweepRecord) -> Path:
    """The results folder of a sweep, relative to the working directory where it lies within.

    Raises:
        OSError, ValueError, KeyError: when the record of its first job cannot be read, or has none.
    """
    place = Path(sweep.folder) / read_json(folder.job(sweep.jobs[0].id).record)["config"]["results"]
    return place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
