"""Many small jobs in few elements of an array: each once, whoever asks for them, however often."""

import resource
import subprocess
import sys

from cluster import Cluster
from place import Place, wait_until

FORTY = f"name={','.join(f'j{number}' for number in range(40))}"
PACKED = ("hydra.launcher.pack=12", "hydra.launcher.at_once=4")


def test_jobs_that_nothing_disturbs_store_what_the_others_are_compared_with(place: Place) -> None:
    """One after the other in the process of the command, without SLURM."""
    quiet = ("name=a,b", "size=8")
    done = place.submit(*quiet, "hydra/launcher=basic")
    assert done.returncode == 0, done.stderr
    assert place.stored() == place.undisturbed(*quiet)


def test_forty_jobs_four_at_a_time(cluster: Cluster, place: Place) -> None:
    done = place.submit(FORTY, *PACKED)
    assert done.returncode == 0, done.stderr
    assert place.wait() == 0
    assert place.status()["counts"]["done"] == 40
    assert place.stored() == place.undisturbed(FORTY)
    assert set(place.computed().values()) == {1}, "each number is computed once"
    assert place.accounted() == ["COMPLETED|0:0"] * 4

    again = place.submit(FORTY, *PACKED)
    assert again.returncode == 0, again.stderr
    assert len(place.accounted()) == 4, "what is done is not sent again"

    assert place.submit(f"{FORTY},new", *PACKED).returncode == 0
    assert place.wait() == 0
    assert set(place.computed().values()) == {1}, "of an edited sweep only the difference is sent"
    assert "new/0" in place.stored()


def test_the_same_command_twice_at_once(cluster: Cluster, place: Place) -> None:
    command = [sys.executable, "app.py", "name=a,b,c,d", "seconds=0.3", *PACKED]
    both = [subprocess.Popen(command, cwd=place.folder, env=cluster.environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert place.wait() == 0
    assert place.stored() == place.undisturbed("name=a,b,c,d")
    assert set(place.computed().values()) == {1}
    assert len(place.accounted()) == 1


def test_jobs_of_a_pack_have_gpus_of_their_own(place: Place) -> None:
    gpus = "hydra.launcher.gpus_per_node='2'"
    assert (
        place.submit("name=a,b", "hydra.launcher.pack=2", "hydra.launcher.at_once=2", "seconds=1", gpus).returncode == 0
    )
    assert place.wait() == 0
    notes = [(place.folder / "results" / name / "computed.txt").read_text().split()[1] for name in "ab"]
    assert sorted(notes) == ["0", "1"]


def test_a_stage_waits_for_the_one_before(cluster: Cluster, place: Place) -> None:
    assert place.submit("stage=1,0", "name=s${stage}", "seconds=0.5").returncode == 0
    assert place.wait() == 0
    written = {file: (place.folder / "results" / file).stat().st_mtime for file in ("s0/2", "s1/0")}
    assert written["s0/2"] < written["s1/0"]


def test_the_job_after_the_last_one_sees_all_results(place: Place) -> None:
    after = "hydra.launcher.after.command='ls results > seen.txt'"
    assert place.submit("name=a,b,c", "breaks=raises", "at=2", after).returncode == 0
    seen = place.folder / "seen.txt"
    wait_until(lambda: seen.exists() and seen.read_text(), "what the last job sees")  # the shell makes the file first
    assert seen.read_text().split() == ["a", "b", "c"]


def test_a_plain_program_runs_too(place: Place) -> None:
    assert place.submit("name=a,b", plain=True).returncode == 0
    assert place.wait() == 0
    assert place.stored() == place.undisturbed("name=a,b")


def test_a_thousand_jobs_are_handed_out_and_taken_back(cluster: Cluster, place: Place) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = place.submit("name=range(1000)", "+hydra.launcher.additional_parameters.hold=true")
    assert done.returncode == 0, done.stderr
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert used < 10, "seconds of processor time, as the machine may be busy"
    assert len(cluster.ask("squeue", "--noheader", "--array").splitlines()) == 1000
    assert len(place.arrays()) == 3, "an array has at most 400 elements here"
    assert place.launchers("cancel").returncode == 0
    wait_until(lambda: place.status()["counts"]["cancelled"] == 1000, "the end of all")
