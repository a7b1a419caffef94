"""What groups, layers and MLPs cost, and what their heads one by one do not tell."""

import numpy as np
import polars as pl
import pytest

from analysis.effects.head_effects import effects
from analysis.effects.unit_effects import effect_tables, unit_effects
from analysis.inference import Inference, resampling
from analysis.inference.significance import PairedTest
from analysis.results.domain import Domain
from analysis.results.read import read_domain
from study.record.units import AttentionKind, HeadLayout, UnitLevel

LAYOUT = HeadLayout({AttentionKind.DECODER_SELF: (4, 4)}, groups={AttentionKind.DECODER_SELF: (2, 2)}, mlps=(0, 1))
QUICK = Inference(resamples=999)


def unit_masks(layout: HeadLayout) -> dict[str, np.ndarray]:
    masks = [layout.full(), *(mask for level in UnitLevel for mask in layout.each_off(layout.units(level)))]
    return {layout.key(mask): mask for mask in masks}


@pytest.fixture
def redundant(make) -> Domain:
    """A fifth of the examples needs head 0 or 1 of layer 0, whichever; a fifth needs head 2, another fifth head 3."""
    domain = read_domain(make(layout=LAYOUT, masks=unit_masks(LAYOUT), weights=np.zeros(8 + 2), count=150).folder)
    masks = unit_masks(LAYOUT)
    number = {example: i for i, example in enumerate(domain.examples["example"])}
    lost = []
    for mask, example in domain.rows.select("mask", "example").iter_rows():
        on, fifth = masks[mask], number[example] % 5
        needs = {0: on[0] or on[1], 1: on[2], 2: on[3]}
        lost.append(int(needs.get(fifth, True) and on[9] if fifth != 4 else needs.get(fifth, True)))
    return Domain(**{**_fields(domain), "rows": domain.rows.with_columns(correct=pl.Series(lost))})


def _fields(domain: Domain) -> dict:
    return {name: getattr(domain, name) for name in domain.__dataclass_fields__ if not name.startswith("_")}


def test_a_group_matters_while_none_of_its_heads_does(redundant) -> None:
    units = {row["address"]: row for row in unit_effects(redundant, QUICK).rows(named=True)}
    assert [*units] == [
        *(f"decoder_self.{layer}.g{group}" for layer in (0, 1) for group in (0, 1)),
        *("decoder_self.0", "decoder_self.1", "mlp.0", "mlp.1"),
    ]
    hidden, plain = units["decoder_self.0.g0"], units["decoder_self.0.g1"]
    assert (hidden["effect"], hidden["sum"], hidden["excess"]) == pytest.approx((-20, 0, -20))
    assert hidden["significant"]
    assert hidden["excess_significant"]
    assert hidden["excess_high"] < 0
    assert (hidden["heads"], hidden["heads_alone"], hidden["heads_significant"]) == (2, 2, 0)
    assert (plain["effect"], plain["sum"], plain["excess"], plain["excess_p"]) == pytest.approx((-40, -40, 0, 1))
    assert (plain["excess_low"] <= 0 <= plain["excess_high"], plain["heads_significant"]) == (True, 2)
    whole = units["decoder_self.0"]
    assert (whole["effect"], whole["sum"], whole["excess"]) == pytest.approx((-60, -40, -20))
    mlp = units["mlp.1"]
    assert (mlp["effect"], mlp["heads"], mlp["sum"], mlp["excess_low"]) == (pytest.approx(-80), 0, None, None)


@pytest.mark.parametrize("name", ["accuracy", "bleu"])
def test_numbers_are_those_of_the_effects_on_the_same_resamples(name, make) -> None:
    made = {"layout": LAYOUT, "masks": unit_masks(LAYOUT), "count": 60, "weights": np.linspace(0, 0.4, 10)}
    domain = read_domain(make(name, **made).folder)
    table = unit_effects(domain, QUICK).filter(level="group")
    for row, group in zip(table.rows(named=True), LAYOUT.units(UnitLevel.group), strict=True):
        masks = [LAYOUT.key(LAYOUT.without([unit])) for unit in (group, *LAYOUT.members(group))]
        sample = domain.sample().select(masks)
        draws = resampling.bootstrap(sample, QUICK.resamples, QUICK.seed)
        excess = draws[:, 0] - draws[:, 1] - draws[:, 2]
        assert row["excess"] == pytest.approx(sample.effects[0] - sample.effects[1:].sum())
        few = name == "accuracy"  # its interval is then of the flips
        expected = np.quantile(excess, [0.025, 0.975])
        assert few or (row["excess_low"], row["excess_high"]) == pytest.approx(tuple(expected))
        swaps = resampling.swapped(sample, QUICK.resamples, QUICK.seed)
        null = swaps[:, 0] - swaps[:, 1] - swaps[:, 2]
        assert row["excess_p"] == pytest.approx((1 + (abs(null) >= abs(row["excess"]) - 1e-9).sum()) / 1000)


def test_heads_are_as_they_are_alone_and_layers_as_without_any_head(make) -> None:
    domain = read_domain(
        make(layout=LAYOUT, masks=unit_masks(LAYOUT), weights=np.linspace(0, 0.4, 10), count=60).folder
    )
    heads, units = effect_tables(domain, QUICK)
    assert heads.equals(effects(domain, QUICK))
    same = ["effect", "low", "high", "p", "p_corrected", "significant", "detectable"]
    layers = heads.filter(measure="no_head").select(same)
    assert units.filter(level="layer").select(same).equals(layers)


def test_without_all_heads_alone_there_is_no_sum(make) -> None:
    masks = unit_masks(LAYOUT)
    del masks[LAYOUT.key(LAYOUT.without(LAYOUT.heads[:1]))]
    domain = read_domain(make(layout=LAYOUT, masks=masks, weights=np.linspace(0, 0.4, 10), count=60).folder)
    known = unit_effects(domain, QUICK).select("address", "sum", "heads_alone")
    assert known.filter(pl.col("sum").is_null())["address"].to_list() == [
        "decoder_self.0.g0",
        "decoder_self.0",
        "mlp.0",
        "mlp.1",
    ]
    assert known["heads_alone"].to_list() == [1, 2, 2, 2, 3, 4, 0, 0]


@pytest.mark.parametrize("test", [PairedTest.jackknife, PairedTest.mcnemar])
def test_a_test_without_joint_draws_gives_way_to_a_jackknife(test, redundant) -> None:
    table = unit_effects(redundant, Inference(resamples=999, test=test))
    hidden = table.row(0, named=True)
    assert hidden["excess_p"] < 0.001
    assert hidden["excess_significant"]


def test_a_model_of_one_example_group_says_what_and_not_how_sure(make) -> None:
    domain = read_domain(make(layout=LAYOUT, masks=unit_masks(LAYOUT), weights=np.zeros(10), count=3).folder)
    row = unit_effects(domain, QUICK).row(0, named=True)
    assert (row["excess"], row["excess_p"], row["low"]) == (0, None, None)
    assert "at least two" in row["reason"]
