"""Where a job is shown while it runs: its run is kept, and a tracker is told what is stored as it is stored.

Tracking decides no number, and its failure costs none: whatever goes wrong in it is caught here and nowhere else, said
once, and the job goes on without it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from study.record.errors import InputError
from study.terminal.once import say_once
from study.tracking.history import History, Point
from study.tracking.options import PUSH, Tracking, WandbTracking, destination
from study.tracking.progress import ActiveJob, Request, failure, remove_active_job
from study.tracking.run import Run, RunError, with_past, write_run

log = logging.getLogger(__name__)


@runtime_checkable
class Tracker(Protocol):
    """Where a run is shown. It may raise anything at any time, but must not wait without end."""

    @property
    def later(self) -> str:
        """The command that shows at any later time what is stored."""
        ...

    def start(self, run: Run) -> None:
        """A run begins, or goes on."""

    def log(self, points: Sequence[Point]) -> None:
        """Points of its history, each later than those before; also those of before it was killed."""

    def finish(self, summary: Mapping[str, Any], *, failed: bool) -> None:
        """The job has ended."""


class JobReport:
    """What a job says of itself while it runs; this one tells nobody, as nothing was left to do."""

    def stored(self) -> None:
        """Something may be stored that was not told yet."""

    def finish(self, result: Mapping[str, Any], error: BaseException | None = None) -> None:
        """The job has ended, with this result, or by an error."""


class LiveReport(JobReport):
    """What a job that computes says of itself: its run is kept, and its points go to a tracker."""

    def __init__(
        self, run: Run, folder: Path, history: History, tracker: Tracker | None, results: Path, left: int
    ) -> None:
        """Begin: the run is kept in its folder, and shown where there is a tracker; see `track`."""
        self._run, self._folder, self._history, self._tracker = run, folder, history, tracker
        self._results, self._complained = results, False
        self._active = ActiveJob(run.id, Request.of(run), str(folder.relative_to(results)), left)
        self._guarded(self._keep)
        self._guarded(lambda: self._active.write(results))
        self._guarded(lambda: self._tracker and self._tracker.start(self._run))
        self.stored()

    def stored(self) -> None:
        """See `JobReport.stored`."""
        self._guarded(self._tell)

    def finish(self, result: Mapping[str, Any], error: BaseException | None = None) -> None:
        """See `JobReport.finish`."""
        self.stored()
        summary = {**result, **self._history.summary()}
        if error is None:
            self._guarded(lambda: write_run(replace(self._run, summary=summary), self._folder))
            remove_active_job(self._run.id, self._results)
        else:
            self._guarded(lambda: replace(self._active, error=failure(error)).write(self._results))
        self._guarded(lambda: self._tracker and self._tracker.finish(summary, failed=error is not None))

    def _keep(self) -> None:
        with suppress(RunError):  # a damaged file is written anew
            self._run = with_past(self._run, self._folder)
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
def track(
    run: Run, folder: Path, history: History, tracker: Tracker | None, results: Path, left: int
) -> Iterator[LiveReport]:
    """Report on a job to its end; where it ends by an error, that is told too.

    Args:
        run: what it is.
        folder: folder of its setting or training, in which its run is kept.
        history: its points.
        tracker: where they are shown; None for nowhere.
        results: the results folder.
        left: units of work that are left to it, see `ActiveJob`.
    """
    report = LiveReport(run, folder, history, tracker, results, left)
    try:
        yield report
    except BaseException as error:
        report.finish({}, error)
        raise


def open_tracker(tracking: Tracking, results: Path) -> Tracker | None:
    """What shows jobs of a results folder in the way that is configured; None for nowhere."""
    if not isinstance(tracking, WandbTracking) or tracking.disabled:
        return None
    from study.tracking.wandb_run import WandbRun  # loads wandb

    return WandbRun(tracking, results)


def check_access(tracking: Tracking) -> None:
    """Ask W&B once a process whether the key may write to the entity; only where runs go online.

    Raises:
        InputError: when W&B refuses; a server that does not answer is no reason.
    """
    if isinstance(tracking, WandbTracking) and not tracking.disabled:
        from study.tracking.wandb_access import online_refusal  # loads wandb

        refusal = online_refusal(tracking.mode, destination(tracking.entity, tracking.project)[0], tracking.patience)
        if refusal:
            raise InputError(refusal)


def say_nothing_is_sent(push: str) -> None:
    """Say, once in a sweep, that its jobs had nothing left to do; nothing where no command pushes what is stored."""
    if push:
        say_once(log.info, "nothing was left to compute, so nothing is sent; `%s` sends what is not there yet", push)
