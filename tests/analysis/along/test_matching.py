"""Heads of models from different weights, matched by what their removal does to the same examples."""

import numpy as np
import pytest
from fixtures.samples import right_or_wrong

from analysis.along.matching import matched_heads
from analysis.correlation import CorrelationOptions, DomainEffects
from analysis.correlation.pair_numbers import DomainResamples, PairResamples
from analysis.correlation.pairs import Pair
from study.record.units import AttentionKind, Head

HEADS = tuple(Head(AttentionKind.ENCODER_SELF, layer, i) for layer in range(3) for i in range(4))
QUICK = CorrelationOptions(splits=20, resamples=99)
EXAMPLES = 600


def cell(name: str, breaks: np.ndarray) -> DomainEffects:
    """A cell whose heads break these examples [head, example], which all are right with every head on."""
    sample = right_or_wrong(np.concatenate([np.ones((1, EXAMPLES), dtype=bool), ~breaks]))
    names = {"subject": name, "subject_id": name, "setting_id": name, "domain": name, "metric": "accuracy"}
    texts = tuple(map(str, range(EXAMPLES)))
    return DomainEffects(names, HEADS, sample.effects, sample, texts, np.arange(EXAMPLES))


def pair(a: DomainEffects, b: DomainEffects) -> PairResamples:
    return PairResamples.of(Pair(a, b), *(DomainResamples(own, QUICK, by_examples=True) for own in (a, b)))


def broken(rng: np.random.Generator) -> np.ndarray:
    return rng.random((12, EXAMPLES)) < rng.uniform(0.02, 0.3, (12, 1))


def test_heads_that_changed_places_within_their_layers_are_found() -> None:
    rng = np.random.default_rng(0)
    breaks = broken(rng)
    order = np.concatenate([4 * layer + rng.permutation(4) for layer in range(3)])
    moved = breaks[order] ^ (rng.random(breaks.shape) < 0.02)
    found = matched_heads(pair(cell("a", breaks), cell("b", moved)))
    assert found.matched > found.by_size + 0.3
    assert found.low <= found.matched <= found.high
    assert found.in_place < 0.2
    assert found.same_place == pytest.approx((order == np.arange(12)).mean(), abs=0.02)
    assert found.same_place_by_chance == 0.25
    assert found.ceiling == pytest.approx(found.matched, abs=0.05)
    same = matched_heads(pair(cell("a", breaks), cell("b", breaks ^ (rng.random(breaks.shape) < 0.02))))
    assert same.same_place > 0.97
    assert same.in_place == pytest.approx(same.matched, abs=0.01)


def test_heads_that_have_nothing_in_common_agree_no_more_than_by_size() -> None:
    """Their r is above 0 all the same: within a layer large effects meet large ones."""
    gains, by_size = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        found = matched_heads(pair(cell("a", broken(rng)), cell("b", broken(rng))))
        gains.append(found.matched - found.by_size)
        by_size.append(found.by_size)
    assert np.mean(by_size) > 0.1
    assert abs(np.mean(gains)) < 0.1


def test_where_no_examples_are_shared_nothing_can_be_matched() -> None:
    rng = np.random.default_rng(3)
    a, b = cell("a", broken(rng)), cell("b", broken(rng))
    apart = DomainEffects(
        b.names, b.heads, b.effects, b.sample, tuple(f"other {i}" for i in range(EXAMPLES)), b.group_of
    )
    assert "too few" in matched_heads(pair(a, apart)).reason
    flat = cell("c", np.zeros((12, EXAMPLES), dtype=bool))
    assert "are equal" in matched_heads(pair(a, flat)).reason


def test_splits_in_which_all_effects_of_a_third_are_equal_are_left_out() -> None:
    breaks = np.zeros((12, EXAMPLES), dtype=bool)
    breaks[3, :4] = True
    found = matched_heads(pair(cell("a", breaks), cell("b", breaks)))
    assert found.matched == pytest.approx(1)
    assert found.in_place == pytest.approx(1)
