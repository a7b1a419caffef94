"""Packs and arrays: every job once, in its stage, in no pack or array that is too large; shares of a machine."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchers.sweep.folder import JobEntry
from launchers.sweep.packing import pack_arrays, parallel
from launchers.worker.slots import slots, usable_cores, usual_processes, visible_gpus

JOBS = st.lists(st.integers(0, 3), max_size=60).map(
    lambda stages: [JobEntry(str(number), str(number), stage) for number, stage in enumerate(stages)]
)


@given(JOBS, st.integers(1, 9), st.integers(1, 9))
def test_every_job_once_and_nothing_too_large(jobs: list[JobEntry], pack: int, largest: int) -> None:
    arrays = pack_arrays(jobs, pack, largest)
    placed = [(id, array.stage) for array in arrays for each in array.packs for id in each]
    assert placed == [(job.id, job.stage) for job in sorted(jobs, key=lambda job: job.stage)]
    assert all(0 < len(each) <= pack for array in arrays for each in array.packs)
    assert all(0 < len(array.packs) <= largest for array in arrays)


@given(JOBS, st.integers(1, 5), st.integers(1, 300))
def test_arrays_of_a_stage_share_what_may_run_at_the_same_time(jobs: list[JobEntry], largest: int, most: int) -> None:
    arrays = pack_arrays(jobs, 1, largest)
    for stage in {array.stage for array in arrays}:
        shares = [parallel(arrays, array, most) for array in arrays if array.stage == stage]
        assert sum(shares) == max(most, len(shares))
        assert max(shares) - min(shares) <= 1


@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 64))
def test_slots_share_gpus_and_cores(count: int, gpus: int, cores: int) -> None:
    environments = slots(count, [f"GPU-{number}" for number in range(gpus)], cores)
    assert len(environments) == count
    threads = [int(environment["OMP_NUM_THREADS"]) for environment in environments]
    assert all(each == max(1, cores // count) for each in threads)
    named = [environment.get("CUDA_VISIBLE_DEVICES", "") for environment in environments]
    if gpus >= count:
        used = [gpu for names in named for gpu in names.split(",")]
        assert len(used) == len(set(used)), "no GPU is in two slots"
    elif gpus:
        assert {names.count(",") for names in named} == {0}
        assert len(set(named)) == gpus, "none is idle"
    else:
        assert set(named) == {""}


def test_what_a_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "2,GPU-abc"}) == ["2", "GPU-abc"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []
    assert usable_cores({"SLURM_CPUS_PER_TASK": "6", "SLURM_CPUS_ON_NODE": "64"}) == 6
    assert usable_cores({"SLURM_CPUS_ON_NODE": "64"}) == 64
    assert usable_cores({}) >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores({}) == os.cpu_count(), "as on macOS"
    assert usual_processes(["0", "1", "2"], 64) == 3
    assert [usual_processes([], cores) for cores in (1, 2, 4, 64)] == [1, 2, 2, 16]
