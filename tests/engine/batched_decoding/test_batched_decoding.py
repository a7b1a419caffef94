"""Batched decoding from examples to outcome rows, against one mask and one sentence at a time."""

import numpy as np
import polars as pl
import pytest
from fixtures.classifiers import all_kinds_of_masks, run
from fixtures.translators import sentences, translator

from study.engine.batched_decoding.engine import BatchedDecodingEngine
from study.engine.choose import choose_engine
from study.engine.engine import OneMaskAtATime
from study.engine.memory import MemoryBudget
from study.engine.precision import Precision, Screening
from study.engine.weights.translator import translator_weights


def assert_agrees(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert found.select("mask", "example").equals(expected.select("mask", "example"))
    sure = expected["margin"] > 1e-4
    assert sure.mean() > 0.9
    texts = [name for name, dtype in expected.schema.items() if not dtype.is_float()]
    assert found.filter(sure).select(texts).equals(expected.filter(sure).select(texts))
    for name in ("margin", "hypothesis_score"):
        difference = (found[name] - expected[name]).filter(sure & expected[name].is_finite())
        assert difference.abs().max() <= 1e-4


ONE_OF_EACH = ("fsmt", "bart")
"""Rows on the second axis and on the first; what is particular to an architecture has tests of the decoder."""


@pytest.mark.parametrize(
    "name", [*ONE_OF_EACH, *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("m2m100", "marian"))]
)
def test_outcomes_are_those_of_one_pair_at_a_time(name: str) -> None:
    subject = translator(name)
    rows, masks = subject.encode(sentences()), all_kinds_of_masks(subject.layout)[::4]
    engine = choose_engine(subject, Precision.float32, Screening())
    assert isinstance(engine, BatchedDecodingEngine)
    assert_agrees(run(engine, rows, masks), run(OneMaskAtATime(subject, 1), rows, masks))


@pytest.mark.parametrize("memory", [1, 10**5, 10**9])
def test_memory_and_missing_pairs_change_nothing(memory: int) -> None:
    subject = translator("fsmt")
    every = 12 if memory == 1 else 4  # a block a pair takes long
    rows, masks = subject.encode(sentences(7)), all_kinds_of_masks(subject.layout)[::every]
    expected = run(choose_engine(subject, Precision.float32, Screening()), rows, masks)
    budget = MemoryBudget(1, memory, 1, workers=2)
    engine = BatchedDecodingEngine(subject, translator_weights(subject.module, subject.gate), budget)
    sizes = [block.size for block in engine.blocks(rows, masks)]
    assert sum(sizes) == len(rows) * len(masks)
    assert max(sizes) == 1 if memory == 1 else max(sizes) > 1
    wanted = np.random.default_rng(2).random((len(masks), len(rows))) < 0.6
    found = run(engine, rows, masks, wanted)
    assert found.height == wanted.sum()
    assert_agrees(found, found.select("mask", "example").join(expected, on=["mask", "example"], maintain_order="left"))


def test_an_architecture_that_cannot_be_split_falls_back_by_name(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(choose_engine(translator("t5"), Precision.float32, Screening()), OneMaskAtATime)
    assert "one mask at a time" in caplog.text
