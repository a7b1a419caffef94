"""The cluster itself, seen with nothing but SLURM's own commands; that it preempts and requeues, `test_killed` sees."""

from pathlib import Path

import pytest
from cluster import Cluster
from daemons import ClusterError
from place import wait_until


def submit(cluster: Cluster, script: str, *options: str) -> str:
    return cluster.ask("sbatch", "--parsable", "--output=/dev/null", *options, f"--wrap={script}")


def state(cluster: Cluster, job: str) -> str:
    return cluster.ask("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T")


def test_nodes_have_gpus_of_their_own(cluster: Cluster) -> None:
    each = [
        "srun",
        "--ntasks=3",
        "--nodes=3",
        "--gres=gpu:1",
        "sh",
        "-c",
        "echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES",
    ]
    assert sorted(cluster.ask(*each).splitlines()) == ["n1 0", "n2 0", "n3 0"]


def test_accounting_tells_how_a_job_ended(cluster: Cluster) -> None:
    job = submit(cluster, "exit 3")
    wait_until(lambda: cluster.ask("sacct", "-nPX", f"--jobs={job}", "-o", "state,exitcode") == "FAILED|3:0")


def test_memory_is_watched(cluster: Cluster) -> None:
    job = submit(cluster, "exec python3 -c 'import time; x = bytearray(900 << 20); time.sleep(60)'", "--mem=200")
    wait_until(lambda: state(cluster, job) in {"OUT_OF_MEMORY", "FAILED", "CANCELLED"})


def test_without_accounting_sacct_fails(cluster: Cluster) -> None:
    with cluster.without_accounting():
        job = submit(cluster, "true")
        wait_until(lambda: state(cluster, job) == "COMPLETED")
        assert "disabled" in cluster.ask("sh", "-c", f"sacct --jobs={job} 2>&1 || true")


def test_says_why_it_cannot_run() -> None:
    with pytest.raises(ClusterError, match=r"root|installed|too long"):
        Cluster(Path("/tmp") / ("long" * 30))
