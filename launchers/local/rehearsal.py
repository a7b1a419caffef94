"""The rehearsal of a local pool: the first, cheap part of every job, in processes that end before the first job starts.

Not in the process that gave the command: what a rehearsal loads would stay in memory, and on a GPU, beside the jobs.

    python -m launchers.local.rehearsal FAULTS JOB ...     rehearses jobs one after the other, writes their faults
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omegaconf import open_dict

from launchers.errors import LauncherError, message
from launchers.sweep.files import read_json, write_json
from launchers.sweep.folder import JobFolder
from launchers.sweep.protocol import Task
from launchers.worker.process import end_with_worker, opened


def rehearse(jobs: Sequence[JobFolder], slots: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Rehearse jobs whose records are written.

    Args:
        jobs: jobs in their order; neighbours share a process, as they often share a model.
        slots: environment of each of the processes.

    Returns:
        What is wrong, in words, by id of the job; nothing for those that make sense.

    Raises:
        LauncherError: when a rehearsal ended without a word.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(len(slots))]
        started = [
            _start(file, share, slot) for file, share, slot in zip(files, _shares(jobs, len(slots)), slots, strict=True)
        ]
        try:
            codes = [process.wait() for process in started]
        finally:  # Ctrl-C
            for process in started:
                process.kill()
        for code in filter(None, codes):
            how = f"was killed: {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
            raise LauncherError(f"a rehearsal {how}; no job was started")
        return {id: words for file in files for id, words in read_json(file).items()}


def main(faults: Path, jobs: Sequence[JobFolder]) -> int:
    """Rehearse jobs; exit status 0, whatever is wrong with them."""
    end_with_worker()
    write_json(faults, {job.id: words for job in jobs if (words := _fault(job))})
    return 0


def _fault(job: JobFolder) -> str | None:
    try:
        task, config = opened(read_json(job.record))
        with open_dict(config):
            config.pop("hydra")
        if isinstance(task, Task):
            task.rehearse(config)
    except Exception as error:  # noqa: BLE001 each task raises errors of its own kind
        return message(error)
    return None


def _start(faults: Path, jobs: Sequence[JobFolder], slot: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "launchers.local.rehearsal", str(faults), *(str(job.path) for job in jobs)]
    environment = {**os.environ, **slot, "LAUNCHERS_WORKER": str(os.getpid())}
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)


def _shares(jobs: Sequence[JobFolder], count: int) -> Iterator[Sequence[JobFolder]]:
    """As many runs of neighbours, of about the same length."""
    for number in range(count):
        yield jobs[number * len(jobs) // count : (number + 1) * len(jobs) // count]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [JobFolder(Path(path)) for path in sys.argv[2:]]))
