"""What is refused of a launcher's configuration before anything else happens."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from hydra_plugins.sixteen_heads import LocalPoolLauncher, SlurmLauncher
from launchers.config import LEAST, AfterConfig, LocalPoolConfig, SlurmConfig
from launchers.errors import LauncherError

CONF = Path(__file__).parents[2] / "conf"


def settings(launcher: type[SlurmLauncher | LocalPoolLauncher], schema: Any, **given: Any) -> Any:
    """As a launcher reads them."""
    made = launcher()
    made._config = OmegaConf.create({"hydra": {"launcher": given, "job": {"name": "small"}}})
    return made.settings(schema)


def test_numbers_that_make_no_sense_are_refused_all_at_once() -> None:
    numbers = {"pack": 0, "at_once": -1, "timeout_min": 0, "after": {"timeout_min": 0}, "cpus_per_task": 2}
    with pytest.raises(LauncherError) as refused:
        settings(SlurmLauncher, SlurmConfig, **numbers)
    assert re.findall(r"launcher\.(\S+) is (-?\d), the least is (\d)", str(refused.value)) == [
        ("pack", "0", "1"),
        ("at_once", "-1", "0"),
        ("timeout_min", "0", "1"),
        ("after.timeout_min", "0", "1"),
    ]
    with pytest.raises(LauncherError, match=r"hydra.launcher.processes is -1, the least is 0"):
        settings(LocalPoolLauncher, LocalPoolConfig, processes=-1)


def test_what_is_given_by_default_is_allowed() -> None:
    assert settings(SlurmLauncher, SlurmConfig) == SlurmConfig(name="small")
    assert settings(LocalPoolLauncher, LocalPoolConfig) == LocalPoolConfig(name="small")


def test_every_number_has_a_least_value() -> None:
    numbers = [
        f"{prefix}{name}"
        for prefix, config in (("", SlurmConfig()), ("", LocalPoolConfig()), ("after.", AfterConfig()))
        for name, value in vars(config).items()
        if type(value) in {int, float}
    ]
    assert set(numbers) == set(LEAST)


def test_a_path_reaches_the_analysis_as_it_is() -> None:
    """Whatever stands in it: the command after the last job goes through a shell."""
    results = """it's "mine"/$HOME; rm x"""
    written = OmegaConf.to_container(OmegaConf.load(CONF / "hydra/launcher/slurm.yaml"))
    config = OmegaConf.create({"results": results, "command": written["after"]["command"]})
    assert shlex.split(config.command) == ["python", "-m", "analysis", results]
