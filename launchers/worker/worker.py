"""The worker: runs a pack of jobs, some at a time, each in a process of its own with its own log, GPUs and threads.

A job that is done is not done again, one that failed stays failed, one that was killed is tried again, alone, within a
bound. It knows nothing of SLURM: `launchers.worker.element` and `launchers.local.pool` say what a signal means.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from launchers.errors import LauncherError
from launchers.sweep.attempt import Attempt, Outcome, read_attempt
from launchers.sweep.folder import JobFolder

SECONDS_TO_STORE = 25.0
"""A job that was asked to stop is killed after this time; SLURM's own limit (KillWait) is usually 30 s."""

OWN_MAKING = {signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGBUS}
"""Signals that a process earns by a fault of its own: trying again does not cure it."""

ENDED = {Outcome.DONE, Outcome.FAILED, Outcome.CRASHED}


@dataclass
class RunningJob:
    """A job that runs now."""

    job: JobFolder
    slot: int
    attempt: Path
    process: subprocess.Popen[bytes]
    log: BinaryIO


@dataclass(frozen=True)
class Where:
    """What the attempts of a worker say of where they ran: see `Attempt`."""

    submission: str
    element: str
    restart: int = 0


class Worker:
    """Runs a pack of jobs.

    Attributes:
        pending: jobs whose turn comes.
        running: jobs that run now.
        failed: jobs that will not be tried again.
    """

    def __init__(
        self,
        jobs: Sequence[JobFolder],
        slots: Sequence[Mapping[str, str]],
        where: Where,
        *,
        retries: int,
        say: Callable[[JobFolder, str], None],
    ) -> None:
        """Make a worker.

        Args:
            jobs: the pack.
            slots: environment of each of the jobs that run beside each other.
            where: what attempts say of where they ran.
            retries: how often a killed job is tried again.
            say: told of each beginning and end of a job, in words.
        """
        self.running: list[RunningJob] = []
        self.failed: list[JobFolder] = []
        self._slots, self._where, self._retries, self._say = slots, where, retries, say
        self.pending = [job for job in jobs if self._takes(job)]

    def run(self, signals: "Signals", show: Callable[[], object] = lambda: None) -> int | None:
        """Run the jobs until all have ended, or a signal comes.

        Args:
            signals: signals that end it.
            show: called now and then.

        Returns:
            The signal; jobs may run still. None when all have ended.
        """
        while self.pending or self.running:
            self._start()
            if not self.running:
                continue  # all that were pending have been cancelled
            show()
            caught = signals.wait()
            self._stop_cancelled()
            self._collect()
            if caught is not None:
                return caught
        return None

    def stop(self, seconds: float = SECONDS_TO_STORE) -> None:
        """Ask all jobs to store what they have and end; kill those that do not in time."""
        self.pending = []
        for running in self.running:
            running.process.terminate()
        until = time.monotonic() + seconds
        for running in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(max(0.0, until - time.monotonic()))
        for running in self.running:
            if running.process.poll() is None:
                _kill(running.process)
                running.process.wait()
        self._collect(stopping=True)

    def _stop_cancelled(self) -> None:
        """Jobs that the user takes back, while their neighbours go on."""
        for running in self.running:
            if running.job.cancelled.exists():
                running.process.terminate()

    def _takes(self, job: JobFolder) -> bool:
        """Whether a job of the pack is to be run; its fate is known already when this element was restarted."""
        attempts = job.read_attempts()
        if any(attempt.state is Outcome.DONE for attempt in attempts):
            return False
        own = [attempt for attempt in attempts if attempt.submission == self._where.submission]
        if own and (own[-1].state in ENDED or self._kills(job) > self._retries):
            self.failed.append(job)
            return False
        self._close_left_open(job)
        return True

    def _close_left_open(self, job: JobFolder) -> None:
        """An attempt that this element began before it was restarted has no end: its worker died with it."""
        for path in sorted(job.attempts.glob("*.json")):
            attempt = read_attempt(path)
            if attempt.state is Outcome.RUNNING and attempt.submission == self._where.submission:
                self._note(job, path, attempt.end(Outcome.STOPPED, "its worker was killed, or the node died"))

    def _start(self) -> None:
        """Fill the free slots; a job that was killed before runs alone, as it may have been too large beside others."""
        free = [slot for slot in range(len(self._slots)) if all(slot != running.slot for running in self.running)]
        while free and self.pending:
            job = self.pending[0]
            alone = self._kills(job) > 0 and len(self._slots) > 1
            if self.running and (alone or any(self._kills(running.job) for running in self.running)):
                return
            self.pending.pop(0)
            if job.cancelled.exists():
                self._say(job, "was cancelled")
                continue
            try:
                self.running.append(self._begin(job, free[0]))
            except (LauncherError, OSError) as error:  # the disk is full: its neighbours may not need it
                self._say(job, f"cannot begin: {error}")
                self.failed.append(job)
            else:
                free.pop(0)

    def _begin(self, job: JobFolder, slot: int) -> RunningJob:
        file = job.new_attempt()
        Attempt.begin(self._where.submission, self._where.element, self._where.restart).write(file)
        log = job.log.open("ab", buffering=0)
        log.write(f"[{time.strftime('%Y-%m-%d %H:%M:%S')}] attempt {file.stem} begins\n".encode())
        command = [sys.executable, "-P", "-u", "-m", "launchers.worker.process", str(job.path), str(file)]
        environment = {**os.environ, **self._slots[slot], "LAUNCHERS_WORKER": str(os.getpid())}
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        self._say(job, f"begins, process {process.pid}")
        return RunningJob(job, slot, file, process, log)

    def _collect(self, *, stopping: bool = False) -> None:
        """Take note of the processes that have ended."""
        for running in [running for running in self.running if running.process.poll() is not None]:
            self.running.remove(running)
            _kill(running.process)  # what it may have left behind
            running.log.close()
            attempt, cancelled = read_attempt(running.attempt), running.job.cancelled.exists()
            noted = True
            if attempt.state is Outcome.RUNNING:
                attempt = _without_a_word(attempt, running.process.returncode, stopping=stopping or cancelled)
                noted = self._note(running.job, running.attempt, attempt)
            elif attempt.state is Outcome.STOPPED and not stopping and not cancelled:
                attempt = attempt.end(Outcome.KILLED, "was sent SIGTERM by somebody else")
                noted = self._note(running.job, running.attempt, attempt)
            self._say(running.job, str(attempt.state) + (f": {attempt.error}" if attempt.error else ""))
            if stopping or cancelled or attempt.state is Outcome.DONE:
                continue
            if noted and attempt.state is Outcome.KILLED and self._kills(running.job) <= self._retries:
                self.pending.append(running.job)
            else:
                self.failed.append(running.job)

    def _note(self, job: JobFolder, path: Path, attempt: Attempt) -> bool:
        """Whether the end of an attempt could be written; the other jobs go on when it could not."""
        try:
            attempt.write(path)
        except LauncherError as error:
            self._say(job, str(error))
            return False
        return True

    def _kills(self, job: JobFolder) -> int:
        """How often a job of this submission was killed."""
        own = [attempt for attempt in job.read_attempts() if attempt.submission == self._where.submission]
        return sum(attempt.state is Outcome.KILLED for attempt in own)


class Signals:
    """Waits for the end of a child or for one of some signals, whichever comes first."""

    def __init__(self, *numbers: int) -> None:
        """Take these signals from now on, until the block ends where it stands in a `with`."""
        self._caught: list[int] = []
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        os.set_blocking(self._read, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._take) for number in (signal.SIGCHLD, *numbers)}

    def __enter__(self) -> "Signals":
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._read)
        os.close(self._write)

    def wait(self, seconds: float = 2.0) -> int | None:
        """The signal that came, None where a child has ended or the time is over."""
        select.select([self._read], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)
        while self._caught:
            number = self._caught.pop(0)
            if number != signal.SIGCHLD:
                return number
        return None

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._caught.append(number)


def _without_a_word(attempt: Attempt, code: int, *, stopping: bool) -> Attempt:
    """The end of an attempt whose process could not say it."""
    how = f"exit status {code}" if code >= 0 else signal.Signals(-code).name
    if stopping:
        return attempt.end(Outcome.STOPPED, f"ended without an outcome when it was stopped ({how})")
    if code >= 0:
        return attempt.end(Outcome.FAILED, f"its process ended with {how}, without an outcome")
    if -code in OWN_MAKING:
        return attempt.end(Outcome.CRASHED, f"crashed: {how}")
    reason = "; out of memory is the usual reason" if -code == signal.SIGKILL else ""
    return attempt.end(Outcome.KILLED, f"was killed: {how}{reason}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a job: its session has the process's own number."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
