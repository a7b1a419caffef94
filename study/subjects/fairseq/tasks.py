"""The tasks of a translation model that was taught several domains: what stands beside its checkpoint. No tensor here.

checkpoint2.pt                    weights that all tasks share, as fairseq reads them
checkpoint2.tasks.json            a `TaskChain`
checkpoint2.task1.safetensors     tensors that the task after the first has for itself; only where it has some
"""

from pathlib import Path

from study.record.training.tasks import TASKS_FILE, TaskChain, read_tasks


def tasks_file(checkpoint: Path) -> Path:
    """Where the tasks of a checkpoint are, where it has several."""
    return checkpoint.with_suffix(f".{TASKS_FILE}")


def own_file(checkpoint: Path, number: int) -> Path:
    """Where a task has its own tensors, the first task counted as 0."""
    return checkpoint.with_suffix(f".task{number}.safetensors")


def checkpoint_tasks(checkpoint: Path) -> TaskChain | None:
    """The tasks of a checkpoint; None where it has one.

    Raises:
        InputError: for a file that cannot be read, or is none.
    """
    file = tasks_file(checkpoint)
    return read_tasks(file) if file.is_file() else None
