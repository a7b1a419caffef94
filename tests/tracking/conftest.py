"""A W&B that no test leaves this machine with."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from fixtures.wandb_stand_in import KEY, StandIn, serving

LEFT = "ignore:Implicitly cleaning up:ResourceWarning"
"""wandb leaves the folders of its artifacts to the garbage collector, which warns in whatever test it runs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings(LEFT))


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key, no settings and no cache of the person who runs the tests; nothing is sent unless a test serves."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_SWEEP_ID", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DATA", "CACHE", "CONFIG", "ARTIFACT"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "wandb_home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    wandb.teardown()
    yield
    wandb.teardown()
    with warnings.catch_warnings():  # here, and not in the tests of another room
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A stand-in that the key of this test's environment opens."""
    with serving() as stand_in:
        monkeypatch.setenv("WANDB_BASE_URL", stand_in.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield stand_in
        stand_in.fault = lambda _path: ""
        wandb.finish()  # while somebody answers: a run that a failed test left open would wait for ever
        assert not stand_in.unknown, stand_in.unknown
