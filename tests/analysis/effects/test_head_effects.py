import itertools

import numpy as np
import polars as pl
import pytest
from fixtures.results import CLASSIFIER, TRANSLATOR, every_mask
from sacrebleu.metrics.bleu import BLEU

from analysis.effects.head_effects import effects, head_effects, measured_masks, strongest_head
from analysis.results.read import read_domain
from study.record.errors import InputError
from study.record.metrics import Accuracy
from study.record.units import AttentionKind, HeadLayout, parse_mask


def brute_force_accuracy(rows: pl.DataFrame, mask: str) -> float:
    right = [row["correct"] for row in rows.iter_rows(named=True) if row["mask"] == mask]
    return 100 * sum(right) / len(right)


def off(layout: HeadLayout, kind: str, layer: int, heads: set[int]) -> str:
    """The mask with these heads of a layer off, written out character by character."""
    return "".join("0" if (str(h.kind), h.layer) == (kind, layer) and h.index in heads else "1" for h in layout.heads)


def expected_mask(row: dict, count: int) -> set[int]:
    return {
        "ablation": {row["head"]},
        "all_but_one": set(range(count)) - {row["head"]},
        "no_head": set(range(count)),
    }[row["measure"]]


def test_accuracy_effects_equal_a_brute_force_count(make):
    store = make(count=40)
    rows = store.read().rows
    table = effects(read_domain(store.folder))
    assert table.height == 16 + 16 + 4
    for row in table.iter_rows(named=True):
        mask = off(CLASSIFIER, row["kind"], row["layer"], expected_mask(row, 4))
        base, score = brute_force_accuracy(rows, "1" * 16), brute_force_accuracy(rows, mask)
        assert row["effect"] == pytest.approx(score - base, abs=1e-9)
        assert (row["base_score"], row["score"]) == pytest.approx((base, score))
        assert (row["n"], row["metric"], row["unit"]) == (40, "accuracy", "points")
    assert table["effect"].n_unique() > 5


def test_bleu_effects_equal_sacrebleu_on_the_hypotheses(make):
    store = make("bleu", count=12)
    rows, domain = store.read().rows, read_domain(store.folder)
    references = dict(domain.examples.select("example", "target").iter_rows())

    def bleu(mask: str) -> float:
        own = rows.filter(pl.col("mask") == mask)
        return BLEU().corpus_score(own["hypothesis"].to_list(), [[references[i] for i in own["example"]]]).score

    table = effects(domain)
    assert table.height == 36 + 36 + 9
    base = bleu("1" * 36)
    for row in table.gather_every(7).iter_rows(named=True):
        mask = off(TRANSLATOR, row["kind"], row["layer"], expected_mask(row, 4))
        assert row["effect"] == pytest.approx(bleu(mask) - base, abs=1e-9)
    assert domain.sample().base_score == pytest.approx(base, abs=1e-9)


def test_measures_of_narrow_layers_share_masks_and_keep_their_names():
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (1, 2)})
    table = measured_masks(layout)

    def names(mask: str) -> set[tuple]:
        return set(table.filter(pl.col("mask") == mask).select("measure", "layer", "head").rows())

    assert names("111") == {("all_but_one", 0, 0)}
    assert names("011") == {("ablation", 0, 0), ("no_head", 0, None)}
    assert names("101") == {("ablation", 1, 0), ("all_but_one", 1, 1)}
    assert names("100") == {("no_head", 1, None)}


def test_every_mask_of_the_measures_is_found_again():
    for layout in (CLASSIFIER, TRANSLATOR, HeadLayout({AttentionKind.CROSS: (3, 0, 2)})):
        found = set(measured_masks(layout)["mask"]) | {layout.full_key}
        assert found == set(every_mask(layout))
        assert all(parse_mask(mask, layout).shape == (len(layout),) for mask in found)


def test_other_masks_and_the_order_of_rows_change_nothing():
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (2, 2)})
    rng = np.random.default_rng(0)
    keys = ["".join(bits) for bits in itertools.product("01", repeat=4)]
    rows = pl.DataFrame(
        [(key, str(i), int(rng.random() < 0.5), 1) for key in keys for i in range(9)],
        schema=["mask", "example", "correct", "count"],
        orient="row",
    )
    table = head_effects(rows, layout, Accuracy())
    needed = rows.filter(pl.col("mask").is_in(["1111", *measured_masks(layout)["mask"]]))
    assert needed.height < rows.height
    assert table.equals(head_effects(needed.sample(fraction=1, shuffle=True, seed=1), layout, Accuracy()))


def test_narrow_integer_columns_do_not_overflow():
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (1,)})
    rows = pl.DataFrame(
        [(mask, str(i), right << 30, 1 << 30) for mask, right in (("1", 1), ("0", 0)) for i in range(4)],
        schema={"mask": pl.String, "example": pl.String, "correct": pl.Int32, "count": pl.Int32},
        orient="row",
    )
    assert head_effects(rows, layout, Accuracy()).filter(measure="ablation")["effect"].to_list() == [-100.0]


def test_strongest_is_the_largest_change_in_either_direction(make):
    table = effects(read_domain(make().folder))
    sizes = {row["effect"]: abs(row["effect"]) for row in table.filter(measure="ablation").iter_rows(named=True)}
    assert abs(strongest_head(table)["effect"]) == max(sizes.values())


def test_effects_need_the_full_mask_and_the_same_examples():
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (2,)})
    rows = pl.DataFrame({"mask": ["01", "01"], "example": ["a", "b"], "correct": [1, 0], "count": [1, 1]})
    with pytest.raises(InputError, match="full mask"):
        head_effects(rows, layout, Accuracy())
    base = pl.DataFrame({"mask": ["11"], "example": ["a"], "correct": [1], "count": [1]})
    with pytest.raises(InputError, match="mask 01 has 2 examples, the full mask 1"):
        head_effects(pl.concat([rows, base]), layout, Accuracy())
