"""Progress of long work: a bar with rate and time left in a terminal and in a notebook, log lines elsewhere."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from study.terminal.console import CONSOLE

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 60.0
SECONDS_BETWEEN_PICTURES = 0.2
"""How often a notebook draws a bar anew."""
NARROW = 6
"""Columns of the bar itself: what stands beside it is wanted more."""


@contextmanager
def progress(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how far a long work of so many units, named in the plural, is; nothing where there is none.

    Yields:
        A function to call with the number of units just done.
    """
    course = Course(total, unit)
    if not total:
        yield course.advance
    elif CONSOLE.is_terminal:
        name = TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
        count = TextColumn("{task.fields[course]}", table_column=Column(no_wrap=True, justify="right"))
        with Progress(name, BarColumn(NARROW), count, console=CONSOLE, transient=True, expand=True) as bar:
            task = bar.add_task(what, total=total, course=course)

            def advance(done: int) -> None:
                course.advance(done)
                bar.update(task, completed=course.completed)

            yield advance
    elif CONSOLE.is_jupyter:
        yield from _displayed(what, course)
    else:
        yield _lines(what, course)


class Course:
    """How far a work is, as a text: `12,000/34,000 rows 8,176/s 0:03 left`."""

    def __init__(self, total: int, unit: str) -> None:
        """Nothing is done of so many units, named in the plural; the time begins to run."""
        self.total, self.unit = total, unit
        self.completed = self.before = 0
        self.began = time.monotonic()

    def advance(self, done: int) -> None:
        """Count units; those of the first moment were done by an earlier run, and say nothing of the rate."""
        self.completed += done
        if time.monotonic() - self.began < EARLIER:
            self.before = self.completed

    def __str__(self) -> str:
        """In words; rate and time left once there is a rate."""
        count = f"{self.completed:,}/{self.total:,} {self.unit}"
        seconds = time.monotonic() - self.began
        rate = (self.completed - self.before) / seconds if seconds > EARLIER else 0.0
        if not rate:
            return count
        return f"{count} {rate:,.{0 if rate >= 10 else 1}f}/s {clock((self.total - self.completed) / rate)} left"


EARLIER = 0.05
"""Seconds within which a work that goes on says how much of it was done before."""


def clock(seconds: float) -> str:
    """A time as clocks show it: `0:07`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _displayed(what: str, course: Course) -> Iterator[Callable[[int], None]]:
    """A bar below the cell of a notebook, which goes when the work is done."""
    from IPython.display import HTML, DisplayHandle  # there in a notebook, and needed nowhere else

    shown, last = DisplayHandle(), time.monotonic()
    shown.display(HTML(_bar(what, course)))

    def advance(done: int) -> None:
        nonlocal last
        course.advance(done)
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_PICTURES:
            last = now
            shown.update(HTML(_bar(what, course)))

    try:
        yield advance
    finally:
        shown.update(HTML(""))


def _bar(what: str, course: Course) -> str:
    return f"{escape(what)} <progress max={course.total} value={course.completed}></progress> {escape(str(course))}"


def _lines(what: str, course: Course) -> Callable[[int], None]:
    last = time.monotonic()

    def advance(done: int) -> None:
        nonlocal last
        course.advance(done)
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            log.info("%s: %s", what, course)

    return advance
