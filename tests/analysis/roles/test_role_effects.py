"""Roles against effects: differences as least squares has them, samples that share nothing, planted answers found."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.attention.planted_rows import plant
from fixtures.results import CLASSIFIER, curve_of, fill
from scipy import stats

from analysis import Inference, read_results
from analysis.results.domain import Domain
from analysis.results.readings import Reading
from analysis.roles import AttentionOptions, HeadAttention, head_attention
from analysis.roles.outcomes import outcomes
from analysis.roles.roles_left import all_present
from analysis.roles.split import disjoint_samples
from analysis.roles.words import anew_words, effect_words, left_words
from study.record.factors import Factors
from study.record.store import Store
from study.record.tables import GRADIENTS
from study.record.units import Head, HeadLayout

HARMFUL = (0, 5, 10, 15)
"""Heads that matter, one in each layer: previous-token heads."""

FAST = Inference(resamples=999)


def weights(harm: float = 0.4) -> np.ndarray:
    small = np.random.default_rng(4).uniform(0, 0.05, len(CLASSIFIER))
    small[list(HARMFUL)] = harm
    return small


def planted(results: Path, *, count: int = 240, harm: float = 0.4, looked=None, **options) -> Store:
    store = fill(results, "accuracy", model="toy", data="home", count=count, weights=weights(harm), **options)
    heads = {at: {"previous": 0.8} for at in HARMFUL} | {at: {"separator": 0.8} for at in (1, 2, 7)}
    plant(store, heads, noise=0.1, masks=looked)
    return store


def found_in(results: Path, options: AttentionOptions | None = None) -> HeadAttention:
    found = head_attention(read_results(results), FAST, options)
    assert found is not None
    return found


def both(results: Path) -> tuple[Reading, Domain]:
    read = read_results(results)
    return read.readings[0], read.domains[0]


def test_a_role_that_matters_is_found_and_others_are_not(results: Path) -> None:
    planted(results)
    effects = found_in(results).effects
    assert set(effects["role"]) == {"previous", "separator"}
    rows = effects.rows_by_key("role", named=True, unique=True)
    assert rows["previous"]["significant"]
    assert rows["previous"]["high"] < 0
    assert not rows["separator"]["significant"]
    assert rows["previous"]["mean"] < rows["previous"]["others_mean"]
    assert rows["previous"]["family"] == rows["separator"]["family"]
    (sentence,) = effect_words(effects)
    assert "the 4 previous-token heads cost" in sentence
    assert "one half of the groups of home and effects from all other groups" in sentence


def test_a_role_matters_by_what_stands_in_as_well(results: Path) -> None:
    """Attention is read with every head on: a reading is of every replacement, but for masks of a curve by zero."""
    curve = curve_of(order_of(HARMFUL))
    pruned = {curve.masks[4]: {at: {"previous": 0.8} for at in HARMFUL}}
    planted(results, curves=(curve,), looked=pruned)
    place, about = Factors("toy", "home", "float32", replacement="mean"), {"masked_by": "mean", "replacement": {}}
    same = {"model": "toy", "data": "home", "count": 240, "curves": (curve,)}
    other = fill(results, "accuracy", weights=np.roll(weights(), 1), subject=about, factors=place, **same)
    found = found_in(results)
    own = found.effects.filter(role="previous").rows_by_key("setting_id", named=True, unique=True)
    assert len(own) == 2
    assert own[other.folder.name]["difference"] > min(row["difference"] for row in own.values())
    left = found.left.group_by("setting_id").agg(pl.col("anew").is_not_null().any())
    assert dict(left.iter_rows()) == {name: name != other.folder.name for name in own}


def test_differences_and_intervals_are_those_of_least_squares(results: Path) -> None:
    planted(results)
    reading, domain = both(results)
    samples = disjoint_samples(reading, domain, "auto", FAST.seed)
    assert samples is not None
    score = next(outcomes(samples.domain, "auto"))
    role = np.isin(np.arange(16), (1, 2, 7)).astype(float)
    design = np.column_stack([role, *(np.arange(16) // 4 == layer for layer in range(4))])

    def slope(effects: np.ndarray) -> float:
        return float(np.linalg.lstsq(design, effects, rcond=None)[0][0])

    row = found_in(results).effects.filter(role="separator").row(0, named=True)
    assert row["difference"] == pytest.approx(slope(score.values))
    left = np.array([slope(one) for one in score.without])
    error = np.sqrt((len(left) - 1) / len(left) * np.square(left - left.mean()).sum())
    assert row["high"] - row["low"] == pytest.approx(2 * stats.t.ppf(0.975, len(left) - 1) * error)
    assert row["layers"] == 2


def test_roles_and_effects_share_no_example(results: Path) -> None:
    planted(results)
    reading, domain = both(results)
    samples = disjoint_samples(reading, domain, "auto", seed=0)
    assert samples is not None
    assert samples.halved
    assert samples.sums.groups == 40
    assert samples.domain.examples["group"].n_unique() == 40
    again = disjoint_samples(reading, domain, "auto", seed=0)
    other = disjoint_samples(reading, domain, "auto", seed=1)
    assert again is not None
    assert other is not None
    groups = [set(each.domain.examples["group"]) for each in (samples, again, other)]
    assert groups[0] == groups[1] != groups[2]
    sums = reading.sums("auto")
    whole = {str(name): at for at, name in enumerate(reading.group_names())}
    rest = sums.select(np.array([whole[name] for name in groups[0]]))
    total = sums.columns["previous"].sum(axis=0)
    np.testing.assert_allclose(rest.columns["previous"].sum(0) + samples.sums.columns["previous"].sum(0), total)


def test_a_reading_of_other_examples_is_taken_whole(results: Path) -> None:
    planted(results)
    other = fill(
        results, "accuracy", model="toy", data="elsewhere", count=60, seed=9,
        masks={CLASSIFIER.full_key: CLASSIFIER.full()},
    )  # fmt: skip
    plant(other, {0: {"previous": 0.8}})
    effects = found_in(results).effects
    halves = dict(effects.select("reading", "halved").unique().iter_rows())
    assert halves == {"home": True, "elsewhere": False}
    whole = effects.filter(reading="elsewhere")
    assert whole["groups_reading"].unique().to_list() == [20]
    assert whole["groups_outcome"].unique().to_list() == [80]
    assert "with which it shares no example" in next(effect_words(whole))


def test_two_groups_cannot_be_parted_and_it_is_said(results: Path) -> None:
    planted(results, count=6)
    found = found_in(results)
    assert found.effects.is_empty()
    assert found.notes == ("toy on home and home share their examples, and are too few to be parted",)


def test_statistics_are_correlated_with_effects_and_with_importance(results: Path) -> None:
    store = planted(results)
    ids = read_results(results).domains[0].examples["example"]
    rng = np.random.default_rng(0)
    gradient = (np.array(weights()) * (1 + rng.normal(0, 0.2, (len(ids), 16)))).astype(np.float32)
    rows = {"mask": [CLASSIFIER.full_key] * len(ids), "example": ids, "loss": np.ones(len(ids), np.float32)}
    tokens = {"source_tokens": np.full(len(ids), 9), "target_tokens": np.full(len(ids), 9)}
    store.write(pl.DataFrame({**rows, "gradient": gradient, "token_gradient": gradient, **tokens}), {}, GRADIENTS)
    table = found_in(results).correlations
    assert table["outcome"].unique(maintain_order=True).to_list() == ["score", "importance"]
    previous = table.filter(statistic="previous").rows_by_key("outcome", named=True, unique=True)
    assert previous["score"]["within"] < -0.8
    assert previous["score"]["true_low"] <= previous["score"]["true"] <= previous["score"]["true_high"]
    assert previous["importance"]["pearson"] > 0.8
    assert previous["score"]["significant"]
    assert previous["importance"]["significant"]
    reading, domain = both(results)
    samples = disjoint_samples(reading, domain, "auto", FAST.seed)
    assert samples is not None
    measured = list(outcomes(samples.domain, "auto"))[1]
    mean = gradient[ids.is_in(samples.domain.examples["example"].implode()).to_numpy()].mean(axis=0)
    np.testing.assert_allclose(measured.values, mean, rtol=1e-6)
    values = samples.sums.columns["previous"].sum(axis=0) / samples.sums.columns["queries"].sum(axis=0)
    assert previous["importance"]["pearson"] == pytest.approx(np.corrcoef(values, mean)[0, 1], rel=1e-6)
    layers = np.arange(16) // 4
    inner = [x - np.array([x[layers == layer].mean() for layer in layers]) for x in (values, mean)]
    assert previous["importance"]["within"] == pytest.approx(np.corrcoef(*inner)[0, 1], rel=1e-6)


def test_nothing_is_found_where_roles_have_nothing_to_do_with_effects(results: Path) -> None:
    planted(results, harm=0.02)
    found = found_in(results)
    assert not found.effects["significant"].any()
    assert "none has heads that differ beyond chance" in next(effect_words(found.effects))


def order_of(last: tuple[int, ...], layout: HeadLayout = CLASSIFIER) -> list[Head]:
    """All heads, those of role previous last."""
    return [layout.heads[i] for i in range(16) if i not in last] + [layout.heads[i] for i in last]


def test_roles_that_an_order_keeps(results: Path) -> None:
    curve = curve_of(order_of(HARMFUL))
    planted(results, curves=[curve], looked={curve.masks[5]: {1: {"previous": 0.9}, 15: {"previous": 0.9}}})
    left = found_in(results).left
    previous = left.filter(role="previous").sort("kept")
    assert previous["members"].unique().to_list() == [4]
    assert previous.filter(pl.col("kept") >= 4)["left"].unique().to_list() == [4]
    assert previous["later"][0] == 1.0
    assert previous["p"][0] == pytest.approx(2 / 1820)  # all four of sixteen last: one way in 1,820, two-sided
    again = previous.drop_nulls("anew")
    assert again["kept"].to_list() == [16 - curve.removed[5]]
    assert again["anew"].to_list() == [1]  # head 1 has gone by then
    present = all_present(left).row(0, named=True)
    separator = left.filter(role="separator").filter(pl.col("left") > 0)["kept"].min()
    assert (present["kept"], present["first_gone"], present["roles"]) == (separator, "separator", 2)
    (sentence,) = left_words(left, 0.05)
    assert "previous-token heads go later" in sentence
    (sentence,) = anew_words(left)
    assert sentence == (
        f"Looked at again on home with {16 - curve.removed[5]} of 16 heads kept by {again['curve'][0]}, 1 of 2 roles "
        "have a head; none has separator. Heads now, and of the whole model in brackets: previous-token 1 (4)."
    )


def test_roles_that_heads_take_up_once_others_are_gone_are_told(results: Path) -> None:
    curve = curve_of(order_of(HARMFUL))
    mask = curve.masks[5]
    planted(results, curves=[curve], looked={mask: {15: {"next": 0.9}}})
    left = found_in(results).left
    new = left.filter(members=0).row(0, named=True)
    assert (new["role"], new["kept"], new["left"], new["anew"]) == ("next", 16 - curve.removed[5], 0, 1)
    assert (new["share_left"], new["later"]) == (None, None)
    assert "; new: next-token." in next(anew_words(left))


def test_no_readings_come_to_nothing(make: Callable[..., Store], results: Path) -> None:
    make(count=12)
    assert head_attention(read_results(results), FAST) is None
