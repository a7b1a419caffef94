"""A job that halts once it has told W&B of so many points, to be killed there whatever the machine's speed."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stand_in import StandIn

HALTING = """
import sys, time
from study.__main__ import main
from study.tracking.wandb_run import WandbRun

log, told, most = WandbRun.log, [], int(sys.argv.pop(1))

def log_and_halt(run, points):
    log(run, points)
    told.extend(points)
    if len(told) >= most:
        time.sleep(600)

WandbRun.log = log_and_halt
main()
"""


@contextmanager
def halting(points: int, *overrides: str, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process of a job that goes no further than so many points; killed by force at the end."""
    process = subprocess.Popen([sys.executable, "-c", HALTING, str(points), *overrides], cwd=place)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until_arrived(server: StandIn, points: int) -> None:
    """Wait until the server has so many points of all runs."""
    deadline = time.monotonic() + 300
    while arrived(server) < points:
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)


def arrived(server: StandIn) -> int:
    """Points of all runs."""
    return sum(len(run.history) for run in server.runs.values())
