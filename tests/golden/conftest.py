"""What all of these tests share."""

import pytest
from jaxtyping import config


@pytest.fixture(autouse=True)
def _unchecked_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of toy examples are made; other tests check their shapes."""
    monkeypatch.setattr(config, "jaxtyping_disable", True)
