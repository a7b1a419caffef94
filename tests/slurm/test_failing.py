"""Jobs that fail by themselves: the others are not hurt, the cause stands in the status, and SLURM's books are true."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from place import NOT_DONE, Place, wait_until

TWO_OF_FOUR = ("name=a,b,c,d", "at='${oc.select:ats.${name},-1}'", "+ats={a:1,c:2}")
PACKED = ("hydra.launcher.pack=4", "hydra.launcher.at_once=2")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a dozen small files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=56k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.parametrize(("breaks", "says"), [("raises", "broke on the way"), ("segfaults", "SIGSEGV")])
def test_two_of_four_break(cluster: Cluster, place: Place, breaks: str, says: str) -> None:
    assert place.submit(*TWO_OF_FOUR, f"breaks={breaks}", *PACKED).returncode == 0
    assert place.wait() == NOT_DONE
    status = place.status()
    assert {job["name"][-1]: job["state"] for job in status["jobs"]} == {
        "a": "failed",
        "b": "done",
        "c": "failed",
        "d": "done",
    }
    assert all(says in job["error"] for job in status["jobs"] if job["state"] == "failed")
    assert says in place.launchers("status").stdout
    assert place.accounted() == ["FAILED|1:0"]
    whole = place.undisturbed(*TWO_OF_FOUR)
    assert place.stored() == {key: whole[key] for key in whole if key not in {"a/1", "a/2", "c/2"}}


def test_one_that_is_cured_is_done_by_retry(place: Place) -> None:
    assert place.submit("name=a,b", "breaks=raises", "at=1", "once=true").returncode == 0
    assert place.wait() == NOT_DONE
    assert place.launchers("retry").returncode == 0
    assert place.wait() == 0
    assert place.stored() == place.undisturbed("name=a,b")
    assert set(place.computed().values()) == {1}


def test_a_job_that_always_eats_too_much_is_given_up(cluster: Cluster, place: Place) -> None:
    ats = ("name=a,b,c,d", "at='${oc.select:ats.${name},-1}'", "+ats={b:1}", "breaks=eats")
    assert place.submit(*ats, *PACKED, "hydra.launcher.mem_gb=1").returncode == 0
    assert place.wait() == NOT_DONE
    states = {name[-1]: state for name, state in place.states().items()}
    assert states.pop("b") in {"failed", "lost"}
    assert set(states.values()) == {"done"}
    assert "memory" in place.launchers("status").stdout


def test_full_disk(place: Place, small_disk: Path) -> None:
    sweep = ("name=a,b", "size=8", f"results={small_disk}")
    assert place.submit(*sweep, "hydra.launcher.pack=2").returncode == 0
    assert place.wait() == NOT_DONE
    assert "No space left" in place.launchers("status").stdout
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    assert place.submit(*sweep, "hydra.launcher.pack=2").returncode == 0
    assert place.wait() == 0
    assert place.stored("disk") == place.undisturbed("name=a,b", "size=8")


def test_results_that_cannot_be_written(place: Place, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert place.submit("name=a,b", f"results={small_disk}").returncode == 0
    assert place.wait() == NOT_DONE
    assert "Read-only file system" in place.launchers("status").stdout


def test_sweeps_that_cannot_be_written(place: Place, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = place.submit("name=a,b", f"hydra.launcher.folder={small_disk}/sweeps")
    assert done.returncode != 0
    assert f"cannot write to {small_disk}/sweeps: Read-only file system" in done.stderr.splitlines()[-1]


def test_an_environment_that_is_missing_on_the_node(cluster: Cluster, place: Place) -> None:
    assert place.submit("name=a,b", "hydra.launcher.python=/nowhere/bin/python").returncode == 0
    assert place.wait() == NOT_DONE
    assert "no /nowhere/bin/python on this node" in place.launchers("status").stdout
    wait_until(lambda: set(place.accounted()) == {"FAILED|127:0"}, "the accounting of two elements")
    took = cluster.ask("sacct", "-nXP", "--format=ElapsedRaw", f"--jobs={','.join(place.arrays())}").split()
    assert all(int(seconds) < 60 for seconds in took)


def test_a_setup_that_fails_says_so(place: Place) -> None:
    assert place.submit("name=a,b", "hydra.launcher.setup=['module load nothing || exit 4']").returncode == 0
    assert place.wait() == NOT_DONE
    assert "module" in place.launchers("status").stdout


def test_cancelled_while_some_run_and_some_wait(cluster: Cluster, place: Place) -> None:
    sweep = ("name=a,b,c", "size=40", "seconds=0.3", "hydra.launcher.array_parallelism=1")
    assert place.submit(*sweep).returncode == 0
    wait_until(place.stored, "the first number")
    assert place.launchers("cancel").returncode == 0
    wait_until(lambda: set(place.states().values()) == {"cancelled"}, "the end of the jobs")
    left = place.stored()
    assert 0 < len(left) < 40
    assert place.wait() == NOT_DONE
    assert place.launchers("retry").returncode == 0
    wait_until(lambda: len(place.stored()) > len(left), "the next number")
    assert place.launchers("cancel").returncode == 0
    assert set(place.computed().values()) == {1}


@pytest.mark.parametrize("accepted", [False, True])
def test_the_submitter_is_killed_in_the_middle(cluster: Cluster, place: Place, accepted: bool) -> None:
    """Before or after sbatch takes the second of three arrays; the same command then makes it whole."""
    real = cluster.ask("sh", "-c", "command -v sbatch")
    fake = place.folder / "bin" / "sbatch"
    fake.parent.mkdir()
    last_wish = f'{real} "$@"\n' if accepted else ""
    calls = place.folder / "calls"
    fake.write_text(f'#!/bin/sh\necho x >> {calls}\nif [ $(wc -l < {calls}) -lt 2 ]; then exec {real} "$@"; fi\n'
                    f"{last_wish}kill -9 $PPID\n")  # fmt: skip
    fake.chmod(0o755)
    sweep = ("name=a,b,c,d,e,f", "hydra.launcher.max_array=2", "seconds=0.3")
    killed = place.run("app.py", *sweep, PATH=f"{fake.parent}:{os.environ['PATH']}")
    assert killed.returncode == -9
    assert place.submit(*sweep).returncode == 0
    assert place.wait() == 0
    assert place.stored() == place.undisturbed("name=a,b,c,d,e,f")
    assert set(place.computed().values()) == {1}
    wait_until(lambda: place.accounted() == ["COMPLETED|0:0"] * 6, "the accounting of six elements")
