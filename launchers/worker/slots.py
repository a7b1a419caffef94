"""Slots: the shares of a machine, or of what SLURM gave of one, in which jobs run beside each other."""

import os
import shutil
import subprocess
from collections.abc import Mapping

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def slots(count: int, gpus: list[str], cores: int) -> list[dict[str, str]]:
    """The environment of each slot: its GPUs, and threads for its share of the cores.

    Args:
        count: how many slots; at least 1.
        gpus: as `CUDA_VISIBLE_DEVICES` names them; with fewer than slots some share one, with more a slot has several.
        cores: cores to be shared.
    """
    each = len(gpus) // count
    environments = []
    for slot in range(count):
        environment: dict[str, str] = dict.fromkeys(THREADS, str(max(1, cores // count)))
        if gpus:
            own = gpus[slot * each : (slot + 1) * each] if each else [gpus[slot % len(gpus)]]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(own)
        environments.append(environment)
    return environments


def visible_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them; where it is not set, the machine's."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu for gpu in named.split(",") if gpu.strip() not in {"", "-1", "NoDevFiles"}]
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(number) for number, line in enumerate(filter(lambda line: line.startswith("GPU"), listed.splitlines()))]


def usable_cores(environment: Mapping[str, str] = os.environ) -> int:
    """Cores that this process may use: those that SLURM gave, else those that the machine lets it."""
    given = environment.get("SLURM_CPUS_PER_TASK") or environment.get("SLURM_CPUS_ON_NODE") or ""
    if given.isdigit():
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # macOS has none


def usual_processes(gpus: list[str], cores: int) -> int:
    """How many jobs to run beside each other when nobody says: one for each GPU; without one, four cores for each."""
    return len(gpus) or max(min(cores, 2), cores // 4)
