"""What is installed outside a clone: a wheel made of the sdist has every file, and runs a job and its report."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fixtures.jobs import overrides

import sixteen_heads

ROOT = Path(__file__).parents[2]


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    """What a program prints; its failure, with what it said, is that of the test."""
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, out: Path, target: str) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", out, cwd=source)
    (made,) = out.iterdir()
    return made


@pytest.mark.slow
def test_the_wheel_of_the_sdist_runs_a_job_outside_the_clone(place: Path, tmp_path: Path) -> None:
    run("tar", "xf", build(ROOT, tmp_path / "sdist", "sdist"), cwd=tmp_path)
    (unpacked,) = tmp_path.glob(f"sixteen_heads-{sixteen_heads.__version__}")
    wheel = build(unpacked, tmp_path / "of_sdist", "wheel")
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted(names) == sorted(zipfile.ZipFile(build(ROOT, tmp_path / "of_clone", "wheel")).namelist())
    assert {"sixteen_heads/py.typed", "study/py.typed", "study/conf/config.yaml"} <= set(names)

    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target", installed)
    run(sys.executable, "-m", "pip", "install", *options, wheel, cwd=elsewhere)
    path = {"PYTHONPATH": str(installed)}
    where = run(sys.executable, "-c", "import study.entry_files; print(study.entry_files.CONF)", cwd=elsewhere, **path)
    assert Path(where.strip()) == installed / "study" / "conf"

    command, results = installed / "bin" / "study", place / "results"
    said = run(command, "--version", cwd=elsewhere, **path)
    assert said.strip() == f"sixteen-heads {sixteen_heads.__version__}"
    run(command, *overrides(place, "measure=ablation", "data.limit=40"), cwd=elsewhere, **path)
    run(command, "report", results, "--limit", "40", cwd=elsewhere, **path)
    assert "<svg" in (results / "analysis" / "report" / "index.html").read_text(encoding="utf-8")
