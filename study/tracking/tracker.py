"""Follow a job: keep its run beside its outcomes, and tell a tracker what is stored as it is stored.

Tracking decides no number, and its failure costs none: whatever goes wrong in it is caught here and nowhere else, said
once, and the job goes on without it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from study.tracking.history import History, Point
from study.tracking.run import Run, RunError, continued, write_run

log = logging.getLogger(__name__)

PUSH = "python -m analysis push"
"""What sends a results folder at any time."""


@runtime_checkable
class Tracker(Protocol):
    """Where a run is shown. It may raise anything at any time, but must not wait without end.

    Attributes:
        later: the command that shows at any later time what is stored.
    """

    later: str

    def start(self, run: Run) -> None:
        """A run begins, or goes on."""

    def log(self, points: Sequence[Point]) -> None:
        """Points of its history, each later than those before; also those of before it was killed."""

    def finish(self, summary: Mapping[str, Any], *, failed: bool) -> None:
        """The job has ended."""


class Followed(Protocol):
    """What a job says of itself."""

    def stored(self) -> None:
        """Something may be stored that was not told yet."""

    def finish(self, result: Mapping[str, Any], *, failed: bool = False) -> None:
        """The job has ended, with this result."""


class Unfollowed:
    """A job with nothing left to do: its run is kept and shown as it was, and nothing is started for it."""

    said: ClassVar[bool] = False
    """In this process: once is enough for a sweep."""

    def __init__(self, later: str) -> None:
        """Say so, once, where the job was to be shown.

        Args:
            later: the command that shows at any later time what is stored; empty where the job is shown nowhere.
        """
        if later and not Unfollowed.said:
            log.info("nothing was left to compute, so nothing is sent; `%s` sends what is not there yet", later)
            Unfollowed.said = True

    def stored(self) -> None:
        """Nothing is."""

    def finish(self, result: Mapping[str, Any], *, failed: bool = False) -> None:
        """It had ended before."""


class Following:
    """One job that is followed."""

    def __init__(self, run: Run, folder: Path, history: History, tracker: Tracker | None) -> None:
        """Begin.

        Args:
            run: the job.
            folder: where the run is kept.
            history: of the run.
            tracker: where it is shown; None for nowhere.
        """
        self._run = run
        self._folder = folder
        self._tracker = tracker
        self._history = history
        self._complained = False
        self._guarded(self._keep)
        self._guarded(lambda: self._tracker and self._tracker.start(self._run))
        self.stored()

    def stored(self) -> None:
        """Something may be stored that was not told yet."""
        self._guarded(self._tell)

    def finish(self, result: Mapping[str, Any], *, failed: bool = False) -> None:
        """The job has ended, with this result."""
        self.stored()
        summary = {**result, **self._history.summary()}
        if not failed:
            self._guarded(lambda: write_run(replace(self._run, summary=summary), self._folder))
        self._guarded(lambda: self._tracker and self._tracker.finish(summary, failed=failed))

    def _keep(self) -> None:
        with suppress(RunError):  # a damaged file is written anew
            self._run = continued(self._run, self._folder)
        write_run(self._run, self._folder)

    def _tell(self) -> None:
        fresh = self._history.fresh()
        if self._tracker and fresh:
            self._tracker.log(fresh)

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 a tracker may raise anything, and no result may be lost by it
            later = self._tracker.later if self._tracker else PUSH
            self._tracker = None
            if not self._complained:
                words = str(error).strip() or type(error).__name__
                log.warning("tracking has stopped: %s. The job goes on, and `%s` sends it", words, later)
            self._complained = True


@contextmanager
def follow(run: Run, folder: Path, history: History, tracker: Tracker | None) -> Iterator[Following]:
    """Follow a job to its end; where it ends by an error, that is said too."""
    following = Following(run, folder, history, tracker)
    try:
        yield following
    except BaseException:
        following.finish({}, failed=True)
        raise
