"""A results folder for the analysis, without a model."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.results import fill

from study.record.store import Store


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def make(results: Path) -> Callable[..., Store]:
    """`fill` in the test's results folder."""

    def setting(name: str = "accuracy", *, model: str = "toy", data: str = "home", **options) -> Store:
        return fill(results, name, model=model, data=data, **options)

    return setting
