"""What a user asks without computing anything loads none of what takes seconds to load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "wandb", "sklearn"}
HYDRA = {"hydra", "omegaconf", "polars", "numpy"}


def loaded(arguments: str, folder: Path, *, status: int = 0) -> set[str]:
    """The packages that a command imports, as Python itself logs them, by the first part of their names."""
    command = [sys.executable, "-X", "importtime", "-m", *arguments.split()]
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, cwd=folder, env={**os.environ, **path}, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", ["sixteen_heads --help", "study --help", "study prune --help"])
def test_help_loads_neither_hydra_nor_what_reads_data(arguments: str, tmp_path: Path) -> None:
    packages = loaded(arguments, tmp_path)
    assert "study" in packages
    assert not packages & (HEAVY | HYDRA)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("study model=toy_clasifier data=toy_matched", 1),
        ("study model=toy_classifier data=toy_matched modle.epoch=3", 1),
        ("analysis --help", 0),
    ],
)
def test_a_misspelt_name_loads_no_model(arguments: str, status: int, tmp_path: Path) -> None:
    assert not loaded(arguments, tmp_path, status=status) & HEAVY


def test_a_list_loads_neither_hydra_nor_the_hub(tmp_path: Path) -> None:
    packages = loaded("study list", tmp_path)
    assert "omegaconf" in packages
    assert not packages & (HEAVY | {"hydra", "httpx", "httpx2", "filelock"})
