"""Jobs that are ended from outside: nothing is lost, hardly anything is done twice, all of it is done in the end."""

import sys
from collections.abc import Callable

import pytest
from cluster import Cluster
from place import Place, wait_until

JOBS = "name=a,b"
SLOWLY = (JOBS, "size=8", "seconds=0.7", "hydra.launcher.pack=2", "hydra.launcher.at_once=2")
NODE = "hydra.launcher.nodelist=n2"


@pytest.fixture(scope="module", autouse=True)
def outliving(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two jobs that outlive their time limit, on `n3` and in a stand-in for a container, while others are tested."""
    place = Place(tmp_path_factory.mktemp("outliving"), cluster)
    container = place.folder / "container"
    container.write_text(
        '#!/bin/sh\necho "$1" >> images\nshift\nPATH=/nowhere exec "$@"\n'
    )  # no command of SLURM in it
    container.chmod(0o755)
    limit = ("hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=20", "hydra.launcher.nodelist=n3")
    packed = ("hydra.launcher.pack=2", "hydra.launcher.at_once=2", "hydra.launcher.setup=['export IMAGE=i.sif']")
    within = f"hydra.launcher.python='{container} $IMAGE {sys.executable}'"
    assert place.submit(JOBS, "size=8", "seconds=7", *packed, *limit, within).returncode == 0
    return place


def disturbed(place: Place, disturb: Callable[[str], object], *overrides: str) -> None:
    """Submit two jobs, disturb them (by the id of their element) in the middle, and see that they come to their end."""
    assert place.submit(*SLOWLY, *overrides).returncode == 0
    wait_until(lambda: len(place.stored()) >= 4, "the middle of the jobs")
    before = place.stored()
    disturb(place.where())
    assert place.wait() == 0
    attempts = list(place.folder.glob("sweeps/jobs/*/attempts/*.json"))
    assert len(attempts) > 2, "they were not disturbed"
    assert place.stored() == place.undisturbed(JOBS, "size=8")
    computed = place.computed()
    assert all(computed[key] == 1 for key in before), "what was stored is not computed again"
    assert max(computed.values()) <= 2


def test_preempted(cluster: Cluster, place: Place) -> None:
    def high(element: str) -> None:
        options = ["--partition=high", "--exclusive", "--nodelist=n2", "--output=/dev/null"]
        cluster.ask("sbatch", *options, "--wrap=sleep 2")

    disturbed(place, high, NODE, "hydra.launcher.partition=low")


def test_requeued_by_hand(cluster: Cluster, place: Place) -> None:
    disturbed(place, lambda element: cluster.ask("scontrol", "requeue", element))


def test_node_dies(cluster: Cluster, place: Place) -> None:
    dead = []

    def cut_power(element: str) -> None:
        dead.append(cluster.ask("squeue", "--noheader", f"--jobs={element}", "--format=%N"))
        cluster.cut_power(dead[0])

    try:
        disturbed(place, cut_power, "hydra.launcher.exclude=n3")
    finally:
        cluster.start_node(dead[0])


def test_worker_is_killed(cluster: Cluster, place: Place) -> None:
    disturbed(place, lambda element: cluster.kill(element, "launchers.worker.element"))


def test_jobs_are_killed(cluster: Cluster, place: Place) -> None:
    disturbed(place, lambda element: cluster.kill(element, "launchers.worker.process"))


def test_the_whole_step_is_killed(cluster: Cluster, place: Place) -> None:
    disturbed(place, lambda element: cluster.kill(element, ""))


def test_out_of_memory(cluster: Cluster, place: Place) -> None:
    assert place.submit(*SLOWLY, "breaks=eats", "at=5", "once=true", "hydra.launcher.mem_gb=1").returncode == 0
    assert place.wait() == 0
    assert place.stored() == place.undisturbed(JOBS, "size=8")


def test_time_limit(outliving: Place) -> None:
    assert outliving.wait() == 0
    assert outliving.stored() == outliving.undisturbed(JOBS, "size=8")
    images = (outliving.folder / "images").read_text().split()
    assert images == ["i.sif"] * len(images)
    assert len(images) > 1, "it came back from the queue, into the container"
    assert max(outliving.computed().values()) <= 2
    said = "".join(path.read_text() for path in outliving.folder.glob("sweeps/submissions/*/array-0_0.log"))
    assert "SIGUSR2" in said, "it ran into its limit"
