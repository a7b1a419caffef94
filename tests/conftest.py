"""Fixtures that several rooms need, and the run-time check of array shapes while testing."""

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models gain nothing from threads, and lose much on a busy machine

import hypothesis
import pytest
from fixtures.seconds.costs import (
    pytest_addoption,
    pytest_runtest_makereport,
    pytest_runtest_protocol,
    pytest_terminal_summary,
)
from jaxtyping import config, install_import_hook

__all__ = [
    "pytest_addoption",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_terminal_summary",
]

ROOT = Path(__file__).parents[1]
FILES = (file for room in ("study", "analysis") for file in (ROOT / room).rglob("*.py"))
SHAPED = [file.relative_to(ROOT).with_suffix("") for file in FILES if "from jaxtyping" in file.read_text("utf-8")]
install_import_hook([".".join(file.parts) for file in SHAPED], "beartype.beartype")

hypothesis.settings.register_profile("any machine", deadline=None)  # no test is one of time
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no worker is alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """What is imported by now stays: who collects garbage (each test of tracking) need not look through all of it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches the network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _nothing_said() -> None:
    """What a process says once, each test may say."""
    from study.terminal.once import say_once

    say_once.cache_clear()


@pytest.fixture(autouse=True)
def _shapes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some tests repeat thousands of times what others check once: they take three times as long with the check."""
    repeating = any(request.node.get_closest_marker(name) for name in ("slow", "exhaustive", "repeats"))
    monkeypatch.setattr(config, "jaxtyping_disable", repeating)


@pytest.fixture(scope="session", autouse=True)
def _composed_once() -> Iterator[None]:
    """Jobs that choose the same entries are copies of one config on which values are set, see `seconds.composing`."""
    if "study.config" not in sys.modules:  # no test that was collected composes
        yield
        return
    from fixtures.seconds.composing import ComposedOnce
    from hydra.core.config_store import ConfigStore

    import study.config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study.config, "hydra_compose", ComposedOnce(study.config.hydra_compose))
        patch.setattr(ConfigStore, "__deepcopy__", lambda store, _: store, raising=False)  # the one of a process
        yield


@pytest.fixture
def real() -> Path:
    """Folder with the trained models and data of the tests marked `real`."""
    folder = os.environ.get("HEADS_REAL")
    if not folder:
        pytest.skip("HEADS_REAL names no folder with trained models and data")
    return Path(folder)


@pytest.fixture(scope="session")
def place_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `place` is a copy of."""
    from fixtures.jobs import make_place

    return make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture
def place(place_once: Path, tmp_path: Path) -> Path:
    """A folder with `model/` and `pairs.tsv`, see `jobs`."""
    return shutil.copytree(place_once, tmp_path, dirs_exist_ok=True)
