"""The sample against loops over examples, and the words that it says."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fixtures.samples import sample_of
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.effects.head_effects import head_effects
from analysis.results import sample as sample_module
from analysis.results.domain import Domain
from analysis.results.read import read_domain
from analysis.results.row_sample import RowSample
from analysis.results.sample import Sample
from study.record.errors import InputError
from study.record.metrics import Accuracy, Bleu, Spearman

KINDS = ("accuracy", "bleu")


def domain_of(make, name: str = "accuracy", **options) -> Domain:
    return read_domain(make(name, count=20, **options).folder)


def statistics_of(domain: Domain, mask: str, example: str) -> np.ndarray:
    row = domain.rows.filter(mask=mask, example=example).select(domain.metric.statistics)
    return np.array(row.row(0), dtype=np.int64)


def brute_force(domain: Domain, mask: str, examples: list[str]) -> float:
    """The score of one mask on a list of examples, some of them several times."""
    return float(domain.metric.score(np.sum([statistics_of(domain, mask, i) for i in examples], axis=0)))


def members(domain: Domain, group: str) -> list[str]:
    return domain.examples.filter(group=group)["example"].to_list()


@pytest.mark.parametrize("name", KINDS)
def test_weights_deletions_and_swaps_equal_loops_over_examples(make, name) -> None:
    domain = domain_of(make, name)
    full, off = "1" * len(domain.layout), "0" + "1" * (len(domain.layout) - 1)
    sample = domain.sample().select([off])
    assert (sample.masks, sample.groups, sample.examples) == ((full, off), 7, 20)
    assert sample.sizes.tolist() == [3, 3, 3, 3, 3, 3, 2]
    weights = np.array([[2, 0, 1, 0, 1, 0, 3], [1] * 7])
    drawn = [i for g, w in zip(sample.names, weights[0], strict=True) for i in members(domain, g) * int(w)]
    found = sample.weighted(weights)
    for at, mask in enumerate((full, off)):
        assert found[0, at] == pytest.approx(brute_force(domain, mask, drawn), abs=1e-12)
        assert found[1, at] == pytest.approx(sample.scores[at], abs=1e-12)
        kept = [i for g in sample.names if g != "4" for i in members(domain, g)]
        assert sample.without_each[4, at] == pytest.approx(brute_force(domain, mask, kept), abs=1e-12)
    swap = np.array([[True, False, False, True, False, False, True], [False] * 7, [True] * 7])
    first, second = (
        domain.metric.score(
            np.sum(
                [
                    statistics_of(domain, mask if swap[0, int(g)] else other, i)
                    for g in sample.names
                    for i in members(domain, g)
                ],
                axis=0,
            )
        )
        for mask, other in ((full, off), (off, full))
    )
    effects = sample.swapped(swap)[:, 0]
    assert effects == pytest.approx([first - second, sample.effects[0], -sample.effects[0]], abs=1e-12)


def test_scores_are_those_of_the_effects_table_whatever_the_groups(make) -> None:
    domain = domain_of(make, "bleu")
    table = head_effects(domain.rows, domain.layout, domain.metric)
    scores = [domain.sample(groups).scores for groups in ("auto", "example", "target")]
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[2])
    assert set(table["effect"]) <= set(domain.sample().effects)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_memory_and_precision_change_no_number(seed: int) -> None:
    rng = np.random.default_rng(seed)
    metric = Accuracy()
    sums = rng.integers(0, 1 << int(rng.integers(1, 22)), (3, 5, 2))
    sums[..., 1] += sums[..., 0] + 1
    sample = Sample(("11", "01", "10"), metric, sums, np.ones(5, dtype=np.int64), tuple("abcde"))
    weights = rng.multinomial(5, [0.2] * 5, size=4)
    at_once, floats = sample.weighted(weights), sample.weighted(weights.astype(float))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_module, "BYTES_AT_ONCE", 1)
        assert np.array_equal(sample.weighted(weights), at_once)
        assert np.array_equal(
            Sample(sample.masks, metric, sums, sample.sizes, sample.names).without_each, sample.without_each
        )
    assert np.array_equal(floats, at_once)


def test_words_for_a_person(make) -> None:
    assert str(domain_of(make).sample()) == "7 groups of 20 examples"
    assert str(domain_of(make, "bleu").sample()) == "7 documents of 20 examples"
    domain = domain_of(make, data="away")
    assert str(domain.sample("example")) == "20 examples"
    pairs = replace(domain, examples=domain.examples.with_columns(text_2=pl.lit("x")))
    assert str(pairs.sample()) == "7 premises of 20 examples"
    assert str(pairs.sample("text_2")) == "1 group by text_2 of 20 examples"
    alone = replace(domain, examples=domain.examples.drop("group"))
    assert str(alone.sample()) == "20 examples"


def test_what_cannot_be_sampled_is_said_in_words(make) -> None:
    domain = domain_of(make)
    with pytest.raises(InputError, match="no column 'genre' to group by: there are example, target, text_1, group"):
        domain.sample("genre")
    with pytest.raises(InputError, match="no outcomes of mask 0{16} on all of the 20 examples"):
        domain.sample().select(["0" * 16])
    holes = domain.rows.with_columns(
        correct=pl.when((pl.col("mask") == "1" * 16) & (pl.col("example") == "home-3")).then(None).otherwise("correct")
    )
    for rows in (holes, holes.with_columns(pl.col("correct").cast(pl.Float64).fill_null(float("nan")))):
        with pytest.raises(InputError, match="mask 1{16} has outcomes of 19 of the 20 examples"):
            replace(domain, rows=rows).sample()
    nameless = domain.examples.with_columns(group=pl.when(pl.col("group") == "1").then(None).otherwise("group"))
    with pytest.raises(InputError, match="some examples have no 'group'"):
        replace(domain, examples=nameless).sample()


def test_the_order_of_rows_and_examples_changes_nothing(make) -> None:
    domain = domain_of(make)
    shuffled = replace(domain, rows=domain.rows.sample(fraction=1, shuffle=True, seed=3))
    masks = domain.sample().masks
    assert np.array_equal(domain.sample().select(masks).sums, shuffled.sample().select(masks).sums)


def test_groups_that_are_merged_add_up(make):
    own = domain_of(make, "accuracy").sample()
    part = np.arange(own.groups) // 3
    merged = own.merged(part, tuple(map(str, range(part.max() + 1))))
    assert merged.scores.tolist() == own.scores.tolist()
    weights = np.arange(merged.groups)[None]
    assert merged.weighted(weights).tolist() == own.weighted(weights[:, part]).tolist()
    assert merged.examples == own.examples


def test_groups_of_rows_are_merged_in_the_same_way():
    rng = np.random.default_rng(0)
    group, part = np.repeat(np.arange(6), 5), np.array([0, 0, 1, 1, 2, 2])
    rows = rng.integers(0, 50, (3, 30, 2))
    sizes, names = np.full(6, 5), tuple("abcdef")
    own = RowSample(("11", "01", "10"), Spearman(), rows, sizes, names, group=group)
    merged = own.merged(part, tuple("xyz"))
    weights = np.array([[1, 0, 2], [1, 1, 1]])
    assert merged.weighted(weights).tolist() == own.weighted(weights[:, part]).tolist()
    assert merged.sizes.tolist() == [10, 10, 10]


@pytest.mark.parametrize("size", [1, 2**26], ids=["small", "large"])
def test_what_masks_do_not_change_is_summed_once_and_exactly(size: int) -> None:
    """A statistic that no mask changes, two that change alike, one by itself; a group that no mask changes."""
    rng = np.random.default_rng(0)
    base, change = rng.integers(0, 50, (1, 30, 4)), rng.integers(-9, 10, (5, 30, 4)) * size
    change[..., 1], change[..., 3], change[:, 7] = 0, change[..., 0], 0
    sample = sample_of(np.concatenate([base, base + change]), Bleu())
    weights, swap = rng.integers(0, 5, (11, 30)), rng.random((11, 30)) < 0.5
    assert sample._changes.places == (0, -1, 1, 0)
    assert sample._changes.matrix.shape == (29, 10)
    assert (sample._resampled(weights) == np.einsum("rg,mgs->rms", weights, sample.sums)).all()
    assert (sample._changes.moved(swap.astype(np.int8)) == np.einsum("rg,mgs->rms", swap.astype(int), change)).all()
    alone = sample.select([])
    assert (alone._resampled(weights) == np.einsum("rg,mgs->rms", weights, alone.sums)).all()
    assert sample.select(sample.masks) is sample
