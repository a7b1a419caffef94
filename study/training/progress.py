"""The progress bar of a training: drawn in a terminal, silent in a batch job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@contextmanager
def progress_bar(task: str, total: int | None) -> Iterator[Callable[[str], None]]:
    """Gives a function that counts one step and shows a note (`loss 0.7`) beside the bar."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(task, total=total, note="")
        yield lambda note: progress.update(bar, advance=1, note=note)
