"""The lock file: every package that the project names is pinned, to a version that the project takes."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
LOCKED = {canonicalize_name(name): version for name, version in PINS.items()}
UNLOCKED = ("ja", "ko")
"""Extras that `make install` leaves out."""
EXTRAS = {name: wanted for name, wanted in PROJECT["optional-dependencies"].items() if name not in UNLOCKED}


@pytest.mark.parametrize("group", ["dependencies", *EXTRAS])
def test_the_lock_has_what_is_asked_for(group: str) -> None:
    wanted = [Requirement(line) for line in (EXTRAS | {"dependencies": PROJECT["dependencies"]})[group]]
    assert wanted
    for requirement in wanted:
        assert requirement.specifier.contains(LOCKED[canonicalize_name(requirement.name)]), str(requirement)
