"""`python -m launchers.worker.element SUBMISSION ARRAY`: what an element of a SLURM array does, its pack of jobs.

On SIGUSR2 (the time limit is near, or preemption) the jobs store what they have, and the batch script is asked to send
the element back to the queue: in a container there are no commands of SLURM. On SIGTERM they store, and it stays until
SLURM kills it, as leaving within the grace time counts as a failure. Exit status 1: a job failed, so that SLURM's
accounting tells the truth; `BACK_TO_THE_QUEUE`: as said.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from launchers.sweep.folder import JobFolder, SweepsFolder
from launchers.sweep.submission import SubmissionFolder
from launchers.worker.slots import slots, usable_cores, visible_gpus
from launchers.worker.worker import Signals, Where, Worker

BACK_TO_THE_QUEUE = os.EX_TEMPFAIL

SECONDS_TO_BE_KILLED = 600.0
"""As long it waits for SLURM to end it: more than grace times are."""


def main(path: Path, array: int) -> int:
    """Run the pack of the element that SLURM's environment names."""
    signals = Signals(signal.SIGTERM, signal.SIGUSR2)
    folder = SubmissionFolder(path)
    number, element = os.environ["SLURM_ARRAY_JOB_ID"], int(os.environ["SLURM_ARRAY_TASK_ID"])
    restart = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    folder.note_id(array, number)
    submission, sweeps = folder.read(), SweepsFolder(path.parent.parent)
    pack = submission.arrays[array].packs[element]
    gpus, cores = visible_gpus(), usable_cores()
    at_once = min(submission.at_once or len(pack), len(pack))
    _say(f"{number}_{element}, start {restart + 1}: {len(pack)} jobs, {at_once} at a time")
    _say(f"{os.uname().nodename}: {cores} cores, {len(gpus)} GPUs")
    where = Where(submission.name, f"{array}_{element}", restart)
    jobs = [sweeps.job(id) for id in pack]

    def say(job: JobFolder, words: str) -> None:
        _say(f"{job.id} {words}")

    worker = Worker(jobs, slots(at_once, gpus, cores), where, retries=submission.retries, say=say)
    caught = worker.run(signals)
    if caught is None:
        _say(f"{len(worker.failed)} of {len(pack)} jobs failed" if worker.failed else "all jobs done")
        return 1 if worker.failed else 0
    _say(f"{signal.Signals(caught).name}: jobs store what they have")
    worker.stop()
    if caught == signal.SIGUSR2 and restart < submission.requeues:
        return BACK_TO_THE_QUEUE
    until = time.monotonic() + SECONDS_TO_BE_KILLED
    while time.monotonic() < until:
        signals.wait()
    return 128 + caught


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # a full disk costs a line, not the jobs
        print(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
