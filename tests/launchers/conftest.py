"""A folder of sweeps, and a SLURM in this process."""

from pathlib import Path

import pytest
from fixtures.sweep import Books, Made, composed

from launchers.queue import commands as slurm
from launchers.queue import states


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path, composed(tmp_path))


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    """Stands in for SLURM's commands; nobody waits between two looks."""
    books = Books()
    for name in ("submit", "queue", "accounting", "cancel", "max_array_size"):
        monkeypatch.setattr(slurm, name, getattr(books, name))
    monkeypatch.setattr(states, "SECONDS_BETWEEN_LOOKS", 0.0)
    return books
