"""One run in Weights & Biases: opened so that it continues, fed with points of history, closed within a given time.

Nothing of the machine, the code or the environment is sent: no console, no git remote, no command line. What W&B is to
know stands in the run.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import wandb

from study.record.errors import InputError
from study.record.files import made_folder
from study.tracking.history import AXES, Point
from study.tracking.options import WandbTracking, destination
from study.tracking.run import Run
from study.tracking.wandb_access import NO_KEY, is_online, key_is_known, quiet
from study.tracking.wandb_config import wandb_config

log = logging.getLogger(__name__)


@dataclass
class WandbRun:
    """A tracker: a run of W&B. Once the server has failed a job of this process, the next ones are kept offline.

    While a run is open a file says so, see `WandbTracking.mark`. It is left behind by a job that is killed in its last
    upload: that job, run again, closes the run, although it has nothing to compute.

    Attributes:
        options: where and how.
        results: folder of the stored outcomes; offline runs are kept in `wandb/` in it.
    """

    options: WandbTracking
    results: Path
    lost: ClassVar[bool] = False
    _run: "wandb.Run | None" = field(default=None, init=False)
    _open: Path | None = field(default=None, init=False)

    @property
    def later(self) -> str:
        """The command that sends at any later time what is stored."""
        return self.options.push(self.results)

    def start(self, run: Run) -> None:
        """Open it; where it was begun before, it goes on."""
        online = is_online(self.options.mode) and not WandbRun.lost
        self._open = self.options.mark(run, self.results)
        made_folder(self._open.parent)
        self._open.touch()
        with _losing(online):
            self._run = open_run(run, self.options, self.results, online=online)
        if online:
            log.info("W&B: %s", self._run.url)

    def log(self, points: Sequence[Point]) -> None:
        """Add points; those that the run has are left out."""
        assert self._run is not None
        log_points(self._run, points)

    def finish(self, summary: Mapping[str, Any], *, failed: bool) -> None:
        """Close it; says how to send what is kept offline."""
        assert self._run is not None
        assert self._open is not None
        run, self._run = self._run, None
        run.summary.update(dict(summary))
        with _losing(not run.settings._offline):
            run.finish(exit_code=1 if failed else 0)
        self._open.unlink(missing_ok=True)
        if run.settings._offline:
            log.info("W&B: kept offline. `wandb sync --yes %s` sends it", Path(run.dir).parent)


@contextmanager
def _losing(online: bool) -> Iterator[None]:
    """Remember that the server has failed: a sweep waits for it once, not with every job."""
    try:
        yield
    except Exception:
        WandbRun.lost = WandbRun.lost or online
        raise


def open_run(run: Run, options: WandbTracking, folder: Path, *, online: bool, notes: str | None = None) -> "wandb.Run":
    """A run of W&B that continues what has its id, sent at once where it is online; its files lie in `wandb/`.

    Args:
        run: what it is.
        options: where and how.
        folder: folder of W&B's files.
        online: whether it is sent now.
        notes: what stands beside it, for people; None leaves what they have written there.

    Raises:
        InputError: when the folder cannot be written, or there is no key to be online with.
    """
    if online and not key_is_known():  # wandb would ask for one, and wait for the answer without end
        raise InputError(NO_KEY)
    quiet()
    made_folder(folder / "wandb")
    swept = bool(os.environ.get("WANDB_SWEEP_ID"))  # the agent has chosen id, entity and project
    entity, project = destination(options.entity, options.project)
    patience = options.patience
    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        host="",
        x_disable_meta=True,
        x_disable_stats=not options.system_metrics,
        x_save_requirements=False,  # a tenth of a second each time; versions stand with every part
        init_timeout=patience,
        finish_timeout=patience,
        finish_timeout_raises=True,
        x_graphql_timeout_seconds=patience,
        x_graphql_retry_wait_max_seconds=patience / 4,
        x_file_stream_retry_wait_max_seconds=patience / 4,
        x_file_transfer_retry_wait_max_seconds=patience / 4,
    )
    opened = wandb.init(
        entity=None if swept else entity,
        project=None if swept else project,
        id=None if swept else run.shown_id,
        name=run.full_name,
        group=run.group or None,
        job_type=run.measure,
        notes=notes,
        tags=[run.model[:64], run.data[:64], *options.tags],
        config={"run": run.id, "setting": run.setting_id, "job": run.measure, **wandb_config(run.config)},
        allow_val_change=True,
        resume="allow",
        reinit="create_new",
        mode="online" if online else "offline",
        dir=str(folder),
        settings=settings,
    )
    for kind, axis in AXES.items():
        opened.define_metric(f"{kind}/*", step_metric=axis)
    return opened


def log_points(opened: "wandb.Run", points: Sequence[Point]) -> int:
    """Log those points that a run does not have yet; how many."""
    new = [point for point in points if point.step >= opened.starting_step]
    for point in new:
        opened.log(dict(point.values), step=point.step, commit=True)  # now, and not with the next point
    return len(new)
