"""Progress of long work: a bar with rate and remaining time in a terminal, a log line now and then in a batch job."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 60.0


@contextmanager
def progress(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how far a long work is.

    Args:
        what: the work, in a few words.
        total: how many units there are.
        unit: what is counted, in the plural.

    Yields:
        A function to call with the number of units just done.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
        times = (TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, *times, console=console) as bar:
            task = bar.add_task(what, total=total, rate="")
            start = time.monotonic()

            def advance(done: int) -> None:
                bar.advance(task, done)
                rate = bar.tasks[0].completed / max(time.monotonic() - start, 1e-9)
                bar.update(task, rate=f"{rate:,.0f}/s")

            yield advance
    else:
        yield _lines(what, total, unit)


def _lines(what: str, total: int, unit: str) -> Callable[[int], None]:
    start = last = time.monotonic()
    completed = 0

    def advance(done: int) -> None:
        nonlocal completed, last
        completed += done
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            rate = completed / (now - start)
            left = (total - completed) / rate
            log.info("%s: %s of %s %s, %.0f/s, %.0f s left", what, f"{completed:,}", f"{total:,}", unit, rate, left)

    return advance
