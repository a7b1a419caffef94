"""The cluster of the tests in this folder: one for all of them, up as long as they run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from daemons import ClusterError
from place import Place


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A real SLURM; skipped, in words, where nobody asked for it or it cannot run."""
    folder = os.environ.get("HEADS_SLURM")
    if not folder:
        pytest.skip("HEADS_SLURM names no folder for a SLURM of the tests; `make test-slurm` does")
    try:
        cluster = Cluster(Path(folder))
    except ClusterError as error:
        pytest.skip(str(error))
    with cluster.running():
        yield cluster


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Place:
    """A folder of its own for a test's program, results and sweeps."""
    return Place(tmp_path, cluster)
