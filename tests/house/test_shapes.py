"""A wrong shape fails a test, where a function, a method, a generator or a dataclass names shapes."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from fixtures.seconds.shapes import CALLS, MOST, ShapesFinder
from jaxtyping import TypeCheckError

MODULE = '''"""A module with shapes."""
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
import numpy as np
from jaxtyping import Float

Pair = Float[np.ndarray, "2"]

def twice(x: Float[np.ndarray, "rows"], y: Float[np.ndarray, "rows"]) -> Float[np.ndarray, "rows"]:
    return x + y if len(x) < 9 else x[:1]

def shares(x: dict[str, Pair] | None) -> int:
    return 1

def each(x: Float[np.ndarray, "rows"]) -> Iterator[Pair]:
    yield x

def unshaped(x: int) -> int:
    return x

@dataclass(frozen=True, slots=True)
class Made:
    values: Pair

class Other:
    def __init__(self, x: Pair) -> None:
        self.x = x

    @staticmethod
    def alone(x: Pair) -> None: ...

    @property
    def wrong(self) -> Float[np.ndarray, "3"]:
        return self.x
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "shaped.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    finder = ShapesFinder(["shaped"])
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    import shaped  # pyright: ignore[reportMissingImports]

    yield shaped
    del sys.modules["shaped"]


TWO, THREE, NINE = np.zeros(2), np.zeros(3), np.zeros(9)


@pytest.mark.parametrize(
    "call",
    [
        lambda module: module.twice(TWO, THREE),
        lambda module: module.twice(NINE, NINE),
        lambda module: module.shares({"a": THREE}),
        lambda module: module.each(NINE[None]),
        lambda module: module.Made(THREE),
        lambda module: module.Other(THREE),
        lambda module: module.Other.alone(THREE),
        lambda module: module.Other(TWO).wrong,
    ],
)
def test_a_wrong_shape_is_an_error(module: ModuleType, call: Callable[[ModuleType], object]) -> None:
    with pytest.raises(TypeCheckError):
        call(module)


def test_right_ones_and_what_names_none_are_none(module: ModuleType) -> None:
    assert module.twice(TWO, TWO).tolist() == [0, 0]
    assert (module.shares(None), module.unshaped("a")) == (1, "a")
    assert list(module.each(TWO)) == [TWO]
    assert (module.Made(TWO).values, module.Other(TWO).x) == (TWO, TWO)
    assert not hasattr(module.unshaped, "__wrapped__")


def test_the_first_calls_in_a_test_are_checked(module: ModuleType) -> None:
    for _ in range(MOST):
        module.Made(TWO)
    module.Made(THREE)
    CALLS.clear()
    with pytest.raises(TypeCheckError):
        module.Made(THREE)
