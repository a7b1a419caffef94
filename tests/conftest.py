"""Fixtures that several rooms need, and the run-time check of array shapes while testing."""

import gc
import os
import shutil
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from functools import partial
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
from fixtures.seconds.shapes import CALLS, check_shapes
from jaxtyping import config

__all__ = [
    "pytest_addoption",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_terminal_summary",
]

check_shapes(Path(__file__).parents[1], ("study", "analysis"))

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
"""A white PNG of one pixel, base64."""

hypothesis.settings.register_profile("any machine", deadline=None)  # no test is one of time
hypothesis.settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """What tests and libraries leave among the temporary files goes with the session; pytest keeps its own folder."""
    if not hasattr(config, "workerinput"):  # a worker has the one of the process that started it
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
        os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix="tests-")
        config.add_cleanup(partial(shutil.rmtree, tempfile.tempdir, ignore_errors=True))


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
    """The first calls of each function are checked, anew in each test; in tests that repeat what others do, none."""
    CALLS.clear()
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
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made and not drawn, which is half of the time of a page: for tests that look at none."""
    from analysis.figures.canvas import drawing

    empty = {"svg": b"<svg></svg>", "png": b64decode(PIXEL)}
    monkeypatch.setattr(drawing, "_saved", lambda _, **options: empty[options["format"]])


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
