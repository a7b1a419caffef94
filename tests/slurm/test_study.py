"""The study itself on the cluster: what is stored agrees with an undisturbed run, and the page has the same numbers."""

import filecmp
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cluster import Cluster
from fixtures.jobs import make_place, overrides
from place import wait_until

from study.record.store import read_parts

MEASURES = "measure=ablation,all_but_one,no_head"
EXACT = ["mask", "example", "correct", "count", "prediction"]
PACKED = (
    "hydra/launcher=slurm",
    "hydra.launcher.pack=3",
    "hydra.launcher.cpus_per_task=2",
    "hydra.launcher.after.command=",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model and its data, and `undisturbed`: the outcomes of all jobs, one after the other."""
    place = make_place(tmp_path_factory.mktemp("study"))
    run(place, "-m", "study", *overrides(place, MEASURES, f"results={place}/undisturbed", "-m"))
    return place


def run(place: Path, *arguments: str, cluster: Cluster | None = None) -> None:
    environment = cluster.environment if cluster else None
    done = subprocess.run(
        [sys.executable, *arguments], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def stored(results: Path) -> pl.DataFrame:
    (setting,) = results.glob("*/*/*/setting.json")
    return read_parts(setting.parent).rows.sort("mask", "example")


def agree(rows: pl.DataFrame, undisturbed: pl.DataFrame) -> None:
    assert rows.select(EXACT).equals(undisturbed.select(EXACT))
    assert np.allclose(rows["margin"], undisturbed["margin"], atol=1e-4)


def test_a_disturbed_sweep_stores_what_an_undisturbed_one_does(cluster: Cluster, place: Path) -> None:
    mine = overrides(place, MEASURES, f"results={place}/disturbed")
    run(place, "-m", "study", *mine, *PACKED, cluster=cluster)
    (number,) = cluster.ask("squeue", "--noheader", "--array", "--format=%i").split()
    for word in ("launchers.worker.process", "launchers.worker.element"):  # a job, then the worker with all of its jobs
        wait_until(lambda word=word: cluster.processes(number, word), word)
        cluster.kill(number, word)
    run(place, "-m", "launchers", "wait", cluster=cluster)
    agree(stored(place / "disturbed"), stored(place / "undisturbed"))


def test_two_sweeps_fill_one_setting_at_once(cluster: Cluster, place: Path) -> None:
    for name in ("one", "other"):
        mine = overrides(place, "measure=ablation,no_head", f"results={place}/shared")
        run(place, "-m", "study", *mine, *PACKED, f"hydra.launcher.folder={name}", cluster=cluster)
    for name in ("one", "other"):
        run(place, "-m", "launchers", "wait", "--folder", name, cluster=cluster)
    rows = stored(place / "shared")
    of_these = stored(place / "undisturbed").join(rows.select("mask").unique(), on="mask", how="semi")
    agree(rows, of_these.sort("mask", "example"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "limit", "measures"),
    [("toy_nli", 60, "ablation,all_but_one,importance,pruning"), ("toy_translation", 8, "ablation,importance,pruning")],
)
def test_the_embedded_study_has_the_same_tables(
    cluster: Cluster, tmp_path: Path, experiment: str, limit: int, measures: str
) -> None:
    """A part of `make study`, on a few examples: here, and `LAUNCHER=slurm` with its analysis after the last job."""
    options = [f"experiment={experiment}", f"data.limit={limit}", f"measure={measures}"]
    run(tmp_path, "-m", "study", *options, "results=serial")
    run(tmp_path, "-m", "analysis", "serial", f"--limit={limit}")
    after = f"hydra.launcher.after.command='python -m analysis slurm --limit={limit}'"
    run(tmp_path, "-m", "study", *options, "results=slurm", "hydra/launcher=slurm", after, cluster=cluster)
    run(tmp_path, "-m", "launchers", "wait", cluster=cluster)
    tables = [tmp_path / launcher / "analysis" / "tables" for launcher in ("serial", "slurm")]
    names, others = ([str(path.relative_to(at)) for path in sorted(at.rglob("*")) if path.is_file()] for at in tables)
    assert names == others
    assert any(name.startswith("effects") for name in names)
    assert any(name.startswith("paper/") for name in names)
    same, *others = filecmp.cmpfiles(*tables, names, shallow=False)
    assert same == names, others
