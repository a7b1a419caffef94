"""The cluster itself: what the other tests rely on, seen with nothing but SLURM's own commands."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import Cluster
from daemons import ClusterError


def submit(cluster: Cluster, script: str, *options: str) -> str:
    return cluster.ask("sbatch", "--parsable", "--output=/dev/null", *options, f"--wrap={script}")


def state(cluster: Cluster, job: str) -> str:
    return cluster.ask("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T")


def wait_until(reached: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not reached in {seconds:.0f} s"
        time.sleep(0.2)


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


def test_high_preempts_low_which_starts_again(cluster: Cluster, tmp_path: Path) -> None:
    note = f'echo "$SLURM_RESTART_COUNT" >> {tmp_path}/starts; test "$SLURM_RESTART_COUNT" || sleep 60'
    low = submit(cluster, note, "--partition=low", "--exclusive", "--nodelist=n1", "--requeue", "--open-mode=append")
    wait_until(lambda: (tmp_path / "starts").exists())
    high = submit(cluster, "true", "--partition=high", "--exclusive", "--nodelist=n1")
    wait_until(lambda: state(cluster, high) == "COMPLETED" and state(cluster, low) == "COMPLETED")
    assert (tmp_path / "starts").read_text() == "\n1\n"


def test_a_job_of_a_dead_node_starts_again_elsewhere(cluster: Cluster, tmp_path: Path) -> None:
    note = f'echo "$SLURMD_NODENAME" >> {tmp_path}/nodes; test "$SLURM_RESTART_COUNT" || sleep 60'
    job = submit(cluster, note, "--requeue")
    wait_until(lambda: (tmp_path / "nodes").exists())
    node = (tmp_path / "nodes").read_text().strip()
    cluster.cut_power(node)
    wait_until(lambda: state(cluster, job) == "COMPLETED")
    assert len(set((tmp_path / "nodes").read_text().split())) == 2
    assert cluster.state_of(node).startswith("down")
    cluster.start_node(node)
    wait_until(lambda: cluster.state_of(node) == "idle")


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
