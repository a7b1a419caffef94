"""What `effects` says of how sure one can be: its columns, its options, and what it cannot say."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, domain_of, every_mask

from analysis.effects.head_effects import effects
from analysis.inference import COLUMNS, Inference, Interval
from analysis.inference.multiplicity import Correction
from analysis.inference.significance import PairedTest
from analysis.results.domain import Domain
from analysis.results.read import read_domain
from study.record.errors import InputError
from study.record.units import AttentionKind, HeadLayout

QUICK = {"resamples": 199}


def strong(make, count: int = 240, **options) -> Domain:
    """A classifier with one head that matters much, one that matters some, and many that do not matter."""
    weights = np.full(16, 0.0)
    weights[3], weights[7] = 0.6, 0.2
    return read_domain(make(weights=weights, count=count, **options).folder)


def off(table: pl.DataFrame, head: int) -> dict:
    return table.filter(measure="ablation").row(head, named=True)


def test_columns_say_how_every_number_was_made(make) -> None:
    table = effects(strong(make), Inference(**QUICK, seed=4))
    assert table.columns[-len(COLUMNS) :] == list(COLUMNS)
    assert table.schema.items() >= COLUMNS.items()
    assert table["reason"].null_count() == table.height
    assert table.select(pl.exclude("head", "reason")).null_count().sum_horizontal()[0] == 0
    row = off(table, 3)
    assert (row["n"], row["groups"], row["group"], row["resamples"], row["seed"]) == (240, 80, "group", 199, 4)
    assert (row["test"], row["correction"], row["interval"]) == ("randomisation", "max_t", "percentile")
    assert (row["alpha"], row["margin"]) == (0.05, 0.5)


def test_a_head_that_matters_is_told_from_those_that_do_not(make) -> None:
    table = effects(strong(make))
    much, nothing = off(table, 3), off(table, 0)
    assert much["effect"] < -20
    assert much["low"] < much["effect"] < much["high"] < 0
    assert much["p"] == much["p_corrected"] == pytest.approx(1 / 10_001)
    assert (much["significant"], much["equivalent"]) == (True, False)
    assert (nothing["effect"], nothing["changed"], nothing["standard_error"], nothing["p"]) == (0, 0, 0, 1)
    assert nothing["interval"] == "flips"
    assert nothing["low"] == -nothing["high"] < 0
    assert not nothing["significant"]


def test_enough_examples_show_that_a_head_does_not_matter(make) -> None:
    table = effects(strong(make, count=3000), Inference(**QUICK, margin=1.0))
    assert off(table, 0)["equivalent"]
    assert off(table, 0)["p_equivalence"] == pytest.approx(0.99**3000, rel=1e-3)
    assert not off(table, 3)["equivalent"]
    assert table["margin"].unique().to_list() == [1.0]


def test_each_measure_is_a_family_of_its_own(make) -> None:
    domain = strong(make)
    ablation = {key for key in every_mask(CLASSIFIER) if key.count("0") <= 1}
    alone = replace(domain, rows=domain.rows.filter(pl.col("mask").is_in(list(ablation))))
    first, second = (effects(d, Inference(**QUICK)).filter(measure="ablation") for d in (domain, alone))
    assert first.equals(second)


def test_every_test_interval_and_correction_gives_numbers(make) -> None:
    domain = strong(make, count=60)
    for test in PairedTest:
        for correction in Correction:
            if correction is Correction.max_t and not test.is_joint:
                continue
            options = Inference(resamples=999, test=test, correction=correction)
            table = effects(domain, options)
            assert (table["test"] == str(test)).all()
            assert table["p"].is_between(0, 1, closed="right").all()
            assert (table["p_corrected"] >= table["p"] - 1e-12).all()
    for interval in Interval:
        table = effects(strong(make, data="many"), Inference(**QUICK, interval=interval))
        assert (table["low"] <= table["effect"] + 1e-9).all()
        assert (table["effect"] <= table["high"] + 1e-9).all()
        assert str(interval) in table["interval"]


def test_groups_by_name(make) -> None:
    domain = strong(make)
    table = effects(domain, Inference(**QUICK, groups="example"))
    assert (table["groups"][0], table["group"][0]) == (240, "example")
    by_target = effects(domain, Inference(**QUICK, groups="target"))
    assert by_target["group"][0] == "target"
    with pytest.raises(InputError, match="no column 'genre' to group by"):
        effects(domain, Inference(**QUICK, groups="genre"))


def test_a_seed_says_all_and_0_is_one(make) -> None:
    domain = strong(make)
    assert effects(domain, Inference(**QUICK)).equals(effects(domain, Inference(**QUICK, seed=0)))
    assert not effects(domain, Inference(**QUICK)).equals(effects(domain, Inference(**QUICK, seed=1)))


@pytest.mark.parametrize("name", ["accuracy", "bleu", "chrf"])
@pytest.mark.parametrize("count", [1, 3])
def test_one_group_says_nothing_and_why(make, name, count) -> None:
    table = effects(domain_of(make, name, count=count))
    unit = "group" if name == "accuracy" else "document"
    reason = f"1 {unit} of {count} example{'s' * (count > 1)}: at least two must be there to resample"
    assert table["reason"].unique().to_list() == [reason]
    assert table["effect"].null_count() == 0
    assert (
        table.select("low", "p", "p_corrected", "significant", "detectable").null_count().row(0) == (table.height,) * 5
    )


def test_constant_effects_are_neither_significant_nor_an_error(make) -> None:
    for name in ("accuracy", "bleu", "chrf"):
        domain = domain_of(make, name, count=12)
        base = domain.rows.filter(mask=domain.layout.full_key)
        keys = list(map(domain.layout.key, domain.layout.each_off()))
        rows = pl.concat([base, *(base.with_columns(mask=pl.lit(key)) for key in keys)])
        table = effects(replace(domain, rows=rows), Inference(**QUICK))
        assert table["p_corrected"].unique().to_list() == [1.0]
        assert table["effect"].unique().to_list() == [0.0]
        assert table["significant"].sum() == 0
        assert table["detectable"].is_null().all()


def test_a_base_score_alone_has_no_effects(make) -> None:
    table = effects(read_domain(make(masks={"1" * 16: CLASSIFIER.full()}).folder))
    assert table.is_empty()
    assert set(COLUMNS) <= set(table.columns)


def test_layers_of_one_head_and_missing_masks(make) -> None:
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (1, 2)})
    masks = every_mask(layout)
    del masks["110"]
    table = effects(read_domain(make(layout=layout, masks=masks).folder), Inference(**QUICK))
    assert table.filter(measure="ablation").height == 2
    assert table["p"].null_count() == 0
    whole = table.filter(measure="all_but_one", layer=0).row(0, named=True)  # the one head alone is the whole model
    assert (whole["effect"], whole["p"], whole["changed"], whole["standard_error"]) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.0}, "alpha is the chance of an error, above 0 and at most 0.5; got 0"),
        ({"resamples": 30}, "30 resamples are too few for alpha = 0.05: take 39 or more"),
        ({"seed": -1}, "a seed is 0 or more; got -1"),
        ({"margin": 0.0}, "a margin is a size of effect, above 0; got 0"),
        ({"margin": float("nan")}, "above 0; got nan"),
        ({"alpha": float("nan")}, "got nan"),
        (
            {"test": PairedTest.mcnemar, "correction": Correction.max_t},
            "max_t corrects by joint draws, which mcnemar does not make",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(options, message) -> None:
    with pytest.raises(InputError, match=message):
        Inference(**options)


def test_options_that_do_not_fit_the_domain_are_refused(make) -> None:
    bleu = read_domain(make("bleu", count=6).folder)
    with pytest.raises(
        InputError, match=r"mcnemar needs a result of each single example, all counting alike; home is scored by BLEU"
    ):
        effects(bleu, Inference(test=PairedTest.mcnemar, correction=Correction.holm))
    with pytest.raises(
        InputError,
        match="an interval from flips is of right and wrong examples that count alike; home is scored by BLEU",
    ):
        effects(bleu, Inference(interval=Interval.flips))
    with pytest.raises(
        InputError, match=r"Holm's correction over 36 heads at 0\.05 needs .* take 719 resamples or more"
    ):
        effects(bleu, Inference(resamples=500, correction=Correction.holm))
