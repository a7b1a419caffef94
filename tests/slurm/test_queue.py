"""What others do to the queue: a colleague looks at a sweep, somebody cancels elements, the controller goes down."""

from cluster import Cluster
from place import NOT_DONE, UNFINISHED, Place, wait_until

JOBS = ("name=a,b,c", "size=8", "seconds=1")
ONE_BY_ONE = "hydra.launcher.array_parallelism=1"


def test_a_colleague_sees_and_leaves_what_is_under_way(place: Place) -> None:
    assert place.submit(*JOBS).returncode == 0
    wait_until(place.stored, "the first number")
    colleague = {"LOGNAME": "daemon", "USER": "daemon"}
    seen = place.run("-m", "launchers", "status", **colleague)
    assert seen.returncode == UNFINISHED, seen.stdout + seen.stderr
    assert "lost" not in seen.stdout
    again = place.run("app.py", *JOBS, **colleague)
    assert "no job to submit" in again.stdout + again.stderr
    assert place.wait() == 0
    assert len(place.arrays()) == 1
    assert set(place.computed().values()) == {1}


def test_what_is_cancelled_in_slurm_waits_for_a_user(cluster: Cluster, place: Place) -> None:
    assert place.submit(*JOBS, ONE_BY_ONE).returncode == 0
    wait_until(place.stored, "the first number")
    [array] = place.arrays()
    cluster.ask("scancel", f"{array}_0", f"{array}_1")  # the one that runs, and one that waits
    assert place.wait() == NOT_DONE
    assert sorted(place.states().values()) == ["cancelled", "cancelled", "done"]
    assert len(place.arrays()) == 1, "nothing was sent again by itself"
    assert place.launchers("retry").returncode == 0
    assert place.wait() == 0
    assert place.stored() == place.undisturbed(*JOBS)


def test_status_and_wait_while_the_controller_is_down(cluster: Cluster, place: Place) -> None:
    assert place.submit(*JOBS).returncode == 0
    wait_until(lambda: "running" in place.states().values(), "a running job")
    with cluster.without_controller():
        seen = place.launchers("status")
        assert seen.returncode == UNFINISHED, seen.stdout + seen.stderr
        assert "SLURM does not answer `squeue`" in " ".join(seen.stdout.split())
        wait_until(lambda: len(place.stored()) == 24, "the end of what runs")
    assert place.wait() == 0
    assert place.stored() == place.undisturbed(*JOBS)
    cluster.ask("scancel", "--quiet", "--user=root")  # the controller may think for minutes that they still run
    wait_until(lambda: not cluster.ask("squeue", "--noheader"), "an empty queue")
