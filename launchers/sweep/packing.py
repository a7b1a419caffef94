"""How jobs become packs, packs become arrays, and arrays share what may run at the same time."""

from collections.abc import Sequence
from itertools import groupby
from typing import TypeVar

from launchers.sweep.folder import JobEntry
from launchers.sweep.submission import Array

T = TypeVar("T")


def pack_arrays(jobs: Sequence[JobEntry], pack: int, max_array: int) -> tuple[Array, ...]:
    """Arrays of packs, by stage.

    Args:
        jobs: in any order; within a stage they keep it.
        pack: most jobs of a pack.
        max_array: most packs of an array.
    """
    by_stage = groupby(sorted(jobs, key=lambda job: job.stage), key=lambda job: job.stage)
    return tuple(
        Array(stage, packs)
        for stage, members in by_stage
        for packs in _chunks(_chunks(tuple(job.id for job in members), pack), max_array)
    )


def parallel(arrays: Sequence[Array], array: Array, most: int) -> int:
    """How many elements of an array may run at the same time, when `most` may of all those of its stage."""
    beside = [other for other in arrays if other.stage == array.stage]
    place = beside.index(array)
    return max(1, most // len(beside) + (place < most % len(beside)))


def _chunks(items: Sequence[T], size: int) -> tuple[tuple[T, ...], ...]:
    return tuple(tuple(items[start : start + size]) for start in range(0, len(items), size))
