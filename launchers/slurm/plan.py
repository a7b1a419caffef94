"""What a submission would be: stages, arrays, GPU hours and the texts that sbatch would get; nothing is sent."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from launchers.config import SlurmConfig
from launchers.errors import LauncherError
from launchers.queue import commands as slurm
from launchers.queue.states import OPEN, State, look
from launchers.queue.status import counts, duration
from launchers.slurm.sbatch import Scripts
from launchers.sweep.folder import SweepRecord, SweepsFolder
from launchers.sweep.packing import pack_arrays, parallel
from launchers.sweep.submission import AFTER, Array

UNKNOWN = "Where that is unknown, nothing stored tells it: one such job that has run will."


def show_plan(folder: SweepsFolder, sweep: SweepRecord, settings: SlurmConfig) -> None:
    """Print what would be sent of a sweep."""
    console = Console()
    states = look(folder, [job.id for job in sweep.jobs])
    jobs = [job for job in sweep.jobs if states[job.id].is_free]
    already = ", ".join(f"{number} {state}" for state, number in counts(states).items() if state in {*OPEN, State.done})
    console.print(
        f"{sweep.name}: {len(jobs)} of {len(sweep.jobs)} jobs would be sent" + (f"; {already}" if already else "")
    )
    if not jobs:
        return
    arrays = pack_arrays(jobs, settings.pack, settings.max_array or _max_array_size())
    table = Table("array", "stage", "jobs", "elements", "at a time", "expected", box=None, pad_edge=False)
    seconds = {job.id: job.seconds for job in jobs}
    for number, array in enumerate(arrays):
        ids = [id for pack in array.packs for id in pack]
        most = min(len(array.packs), parallel(arrays, array, settings.array_parallelism))
        table.add_row(
            str(number),
            str(array.stage),
            str(len(ids)),
            str(len(array.packs)),
            str(most),
            _hours(ids, seconds, settings),
        )
    console.print(table)
    if any(job.seconds is None for job in jobs):
        console.print(UNKNOWN)
    for name, text in _texts(Scripts(folder.submission("PLAN"), settings, sweep.folder, sweep.paths), arrays):
        console.print(f"\n[bold]{name}[/]")
        print(text.rstrip())


def _texts(scripts: Scripts, arrays: Sequence[Array]) -> Iterator[tuple[str, str]]:
    """Name and text of the first script of each stage, and of the one after the last."""
    after: list[str] = []
    for number, array in enumerate(arrays):
        if number == 0 or array.stage != arrays[number - 1].stage:
            after = [f"STAGE_{arrays[number - 1].stage}"] if number else []
            most = parallel(arrays, array, scripts.settings.array_parallelism)
            yield scripts.place.script(number).name, scripts.array(number, array, parallel=most, after=after)
    if scripts.settings.after.command or scripts.settings.after.sync:
        yield scripts.place.script(AFTER).name, scripts.after_last(["ALL"])


def _hours(ids: list[str], seconds: dict[str, float | None], settings: SlurmConfig) -> str:
    """GPU hours, or hours where no GPU is asked for; a job of unknown length counts as the mean of the others."""
    known = [value for id in ids if (value := seconds[id]) is not None]
    if not known:
        return "unknown"
    jobs = sum(known) / len(known) * len(ids)
    beside = min(settings.at_once or settings.pack, settings.pack)
    gpus = _gpus(settings)
    about = "" if len(known) == len(ids) else "about "
    if gpus:
        return f"{about}{jobs * gpus / beside / 3600:.2g} GPU hours"
    return f"{about}{duration(jobs / beside)} of elements"


def _gpus(settings: SlurmConfig) -> int:
    """GPUs of an element, of what is asked for as `2`, `a100:2`, `gpu:2` or `gpu:a100:2`."""
    asked = settings.gpus_per_node or (settings.gres if settings.gres.startswith("gpu") else "")
    last = asked.rpartition(":")[2]
    return int(last) if last.isdigit() else int(bool(asked))


def _max_array_size() -> int:
    try:
        return slurm.max_array_size()
    except LauncherError:
        return 1000
