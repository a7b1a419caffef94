"""`python -m launchers.worker.process JOB ATTEMPT`: one job in a process of its own; its outcome goes into the attempt.

Exit status: 0 done, 1 failed (the attempt says why), 143 stopped by SIGTERM with what it had stored.
"""

import ctypes
import faulthandler
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from launchers.errors import LauncherError, message
from launchers.sweep.attempt import Outcome, read_attempt
from launchers.sweep.files import read_json
from launchers.sweep.folder import JobFolder

if TYPE_CHECKING:
    from omegaconf import DictConfig

STOPPED = 128 + signal.SIGTERM
PR_SET_PDEATHSIG = 1


class StopRequest(KeyboardInterrupt):
    """SIGTERM: the job shall store what it has and end. As with Ctrl-C, `except Exception` lets it pass."""


def main(job: Path, file: Path) -> int:
    """Run a job."""
    faulthandler.enable()  # a crash leaves a traceback in the log
    end_with_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's, which sends SIGTERM
    signal.signal(signal.SIGTERM, _stop)
    attempt = replace(read_attempt(file), pid=os.getpid())
    attempt.write(file)
    try:
        value, error = run(read_json(JobFolder(job).record))
    except StopRequest:
        attempt.end(Outcome.STOPPED).write(file)
        print(f"[{time.strftime('%H:%M:%S')}] stopped; what was computed is stored", flush=True)
        return STOPPED
    except Exception as raised:  # noqa: BLE001 whatever a job raises is its outcome
        value, error = None, raised
    if error is None:
        attempt.end(Outcome.DONE, value=value).write(file)
        return 0
    if not getattr(error, "in_words", False):
        traceback.print_exception(error)
    attempt.end(Outcome.FAILED, error=message(error)).write(file)
    logging.getLogger(__name__).error("failed: %s", message(error))
    return 1


def run(record: dict[str, Any]) -> tuple[Any, Exception | None]:
    """Run the job of a record through Hydra, which makes its output folder and its log.

    Returns:
        What the task returned, and what it raised.
    """
    from hydra._internal.callbacks import Callbacks
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
    from hydra.core.utils import JobStatus, run_job
    from hydra.types import HydraContext

    task, config = opened(record)
    context = HydraContext(config_loader=ConfigLoaderImpl(ConfigSearchPathImpl()), callbacks=Callbacks(config))
    done = run_job(task, config, "hydra.sweep.dir", "hydra.sweep.subdir", context)
    if done.status is JobStatus.FAILED:
        return None, done._return_value
    return done.return_value, None


def opened(record: dict[str, Any]) -> tuple[Callable[..., Any], "DictConfig"]:
    """The task of a record and its config, Hydra's own node included; Hydra is set up as within `hydra.main`."""
    from hydra import version
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.utils import JobRuntime, setup_globals

    from launchers.sweep.composed import compose_again
    from launchers.sweep.task import load_task

    setup_globals()
    version.setbase(record["config"]["hydra"]["runtime"]["version_base"])  # what the program gave `hydra.main`
    try:
        task = load_task(record["task"])
        config = compose_again(record["config"], record["types"])
    except (ImportError, AttributeError) as error:
        raise LauncherError(
            f"{record['name']} was recorded by another version of the code ({error}): give the sweep's command again"
        ) from error
    JobRuntime.instance().set("name", config.hydra.job.name)
    HydraConfig.instance().set_config(config)
    return task, config


def _stop(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: storing must not be interrupted
    raise StopRequest


def end_with_worker() -> None:
    """A job whose worker dies is killed by the kernel, so that no orphan computes what is tried again elsewhere."""
    worker = int(os.environ.get("LAUNCHERS_WORKER", "0"))
    if worker and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != worker:  # it died in the meantime
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
