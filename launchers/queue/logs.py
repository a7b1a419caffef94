"""Where to read what became of a job, and the last words of it."""

from pathlib import Path

from launchers.queue.states import JobState, State
from launchers.sweep.folder import SweepsFolder

LAST_LINES = 6
BYTES_OF_LOG = 8192


def log_files(folder: SweepsFolder, id: str, state: JobState) -> list[Path]:
    """The job's own log; of one that was lost also that of its element, where SLURM says why."""
    own = folder.job(id).log
    holder = state.holder
    element = holder.folder.log(holder.array, holder.element) if holder else None
    wanted = [own, element] if state.state is State.lost or not own.is_file() else [own]
    return [path for path in wanted if path is not None and path.is_file()]


def last_lines(log: Path, count: int = LAST_LINES) -> list[str]:
    """The last lines of a log, however long it is."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - BYTES_OF_LOG))
        return file.read().decode(errors="replace").splitlines()[-count:]
