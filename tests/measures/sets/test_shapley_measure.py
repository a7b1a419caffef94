"""The measure `shapley` as a job: nested samples, kills, all sets where there are few, and what is refused."""

import re
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.jobs import overrides

from analysis import read_results
from analysis.inference import Inference
from analysis.sets.coalition_sizes import size_table
from analysis.sets.shapley import coalition_samples, shapley_table
from analysis.sets.words import shapley_words
from study.config import compose, to_study
from study.engine.blocks import BlockResult
from study.engine.bottom_up.engine import BottomUpEngine
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask
from study.measures.sets.first_scale import headline
from study.measures.sets.shapley import Shapley
from study.measures.sets.width import widest
from study.record.designs import Design, read_designs
from study.record.designs.looks import Looks
from study.record.errors import InputError
from study.record.metrics import metric
from study.record.reading.mask_sums import RunningSums
from study.record.setting import read_setting
from study.record.store import read_parts
from study.record.units import AttentionKind, HeadLayout

TASK = StudyTask()
FEW = 6
TAKE = RunningSums._take
LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: [12] * 6})


def job(place: Path, *more: str):
    return compose(*overrides(place, "measure=shapley", f"data.limit={FEW}", "measure.semivalue=null", *more))


def stored(place: Path) -> tuple[Path, list[Design]]:
    (folder,) = (path.parent for path in (place / "results").glob("*/*/*/setting.json"))
    layout = read_setting(folder).layout
    return folder, [design for design in read_designs(folder, layout)[0] if design.kind == "coalition"]


def distinct(design: Design) -> int:
    return len({tuple(row) for row in design.on.tolist()})


def test_a_larger_sample_computes_only_what_is_new(place: Path) -> None:
    assert TASK(job(place, "measure.coalitions=40"))["computed"] == distinct(stored(place)[1][0]) * FEW
    small = stored(place)[1][0]
    more = TASK(job(place, "measure.coalitions=100"))
    _, (large,) = stored(place)
    assert (len(small), len(large)) == (42, 102)
    assert large.begins_with(small)
    assert more["computed"] == (distinct(large) - distinct(small)) * FEW
    assert TASK(job(place, "measure.coalitions=40"))["computed"] == 0
    assert len(stored(place)[1][0]) == 102, "the longer sample stays"


def test_coalitions_share_their_masks_with_other_measures(place: Path) -> None:
    for measure in ("measure=ablation", "measure=pairs"):
        TASK(compose(*overrides(place, measure, f"data.limit={FEW}")))
    folder = stored(place)[0]
    there = set(read_parts(folder).rows["mask"])
    done = TASK(job(place, "measure.coalitions=100"))
    folder, (design,) = stored(place)
    wanted = set(design.keys(read_setting(folder).layout))
    assert there & wanted
    assert done["computed"] == len(wanted - there) * FEW


def test_a_killed_job_goes_on_with_the_same_coalitions(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = BottomUpEngine.run_outcomes

    def killed(self, rows, pairs):
        if len(pairs.masks) < 20:  # the base score, and the proof before it
            yield from run(self, rows, pairs)
            return
        block = next(iter(run(self, rows, pairs)))
        yield BlockResult(block.masks[:20], block.examples[:20], {k: v[:20] for k, v in block.columns.items()})
        raise KeyboardInterrupt

    monkeypatch.setattr(BottomUpEngine, "run_outcomes", killed)
    with pytest.raises(KeyboardInterrupt):
        TASK(job(place, "measure.coalitions=60"))
    monkeypatch.undo()
    before = stored(place)[1][0]
    rest = TASK(job(place, "measure.coalitions=60"))["computed"]
    folder, (after,) = stored(place)
    assert after.begins_with(before)
    assert before.begins_with(after)
    rows = read_parts(folder).rows
    assert 0 < rest == (distinct(after) - 1) * FEW - 20
    assert rows.height == distinct(after) * FEW


def test_all_sets_are_taken_where_there_are_no_more(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    more = ["measure.unit=layer", "measure.coalitions=500", "measure.semivalue=0.9"]
    assert TASK(job(place, *more))["computed"] == 4 * FEW
    assert "2 units have 4 sets, all of which are taken: the values are exact" in caplog.text
    folder, (design,) = stored(place)
    assert design.options == {"sampling": "all"}
    layout = read_setting(folder).layout
    layers = layout.layers
    off = [[layer for layer, on in zip(layers, row, strict=True) if not on] for row in product((0, 1), repeat=2)]
    assert set(design.keys(layout)) == {layout.key(layout.without(each)) for each in off}


def test_it_stops_at_the_first_look_with_the_width_and_goes_on_when_asked(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    most = "measure.coalitions=160"
    wide = TASK(job(place, most, "measure.width=100"))
    _, (design,) = stored(place)
    assert design.looks == Looks((40, 80, 160), 100)
    assert (len(design), wide["computed"]) == (42, distinct(design) * FEW)
    assert "stopped at 40 of at most 160 coalitions: the widest interval is ± " in caplog.text

    found = read_results(place / "results")
    (own,) = coalition_samples(found.designs, Inference())
    told = "; ".join(shapley_words(own, shapley_table(own), size_table(own)))
    assert "Stopped at 40 of at most 160 coalitions, as the width was reached" in told
    shown = shapley_table(own).filter(scale="loss")
    evaluator = MeasuringJob(to_study(job(place, most))).evaluator
    found_width = widest(evaluator, design, 160)
    assert found_width.half == pytest.approx((shown["high"] - shown["low"]).max() / 2, rel=1e-9), (
        "both sides of the wall"
    )
    assert (shown["looks"][0], found_width.metric.unit) == (3, "nats")

    narrow = job(place, most, f"measure.width={found_width.half * 0.9}")
    assert TASK.remaining(narrow) > 0
    TASK(narrow)
    _, (longer,) = stored(place)
    assert len(longer) > len(design)
    assert longer.begins_with(design)
    assert TASK.remaining(narrow) == 0
    TASK(job(place, "measure.coalitions=200"))
    _, (fixed,) = stored(place)
    assert (len(fixed), fixed.looks.at) == (202, (40, 80, 160)), "it still pays for the looks"


def test_outcomes_are_summed_once_however_often_a_job_asks(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = "measure.coalitions=160", "measure.width=1e-9"
    TASK(job(place, *options))
    summed = Counter[str]()

    def take(self: RunningSums, part, rows, *where) -> None:
        summed[self.metric.name] += rows.height
        TAKE(self, part, rows, *where)

    monkeypatch.setattr(RunningSums, "_take", take)
    assert TASK(job(place, *options))["computed"] == 0
    every = distinct(stored(place)[1][0]) * FEW
    assert summed == {"loss": every, "accuracy": every}, "at three looks, and by all that asked for them"


def test_a_job_allows_for_the_looks_of_those_before(place: Path) -> None:
    """As the page does, which would else show intervals that are wider than the job was to stop at."""
    for coalitions in (160, 176):
        TASK(job(place, f"measure.coalitions={coalitions}", "measure.width=100"))
    _, (design,) = stored(place)
    assert (len(design), design.looks) == (46, Looks((40, 44, 80, 88, 160, 176), 100))
    evaluator = MeasuringJob(to_study(job(place))).evaluator
    alone, both = (
        widest(evaluator, replace(design, looks=looks), 176).half for looks in (Looks((44, 88, 176), 1), design.looks)
    )
    assert alone < both
    TASK(job(place, "measure.coalitions=176", f"measure.width={(alone + both) / 2}"))
    assert len(stored(place)[1][0]) > 46


def test_a_plan_says_between_how_many_rows_a_width_takes(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    options = "measure.coalitions=160", "measure.width=100"
    planned = TASK(job(place, *options, "plan=true"))
    TASK(compose(*overrides(place, "measure=base", f"data.limit={FEW}")))
    left = TASK.remaining(job(place, *options))
    done = TASK(job(place, *options))["computed"] + FEW
    assert f"{done:,} to {planned['missing']:,} rows to compute" in caplog.text, "it stopped at the first look"
    assert left is not None
    assert done < left <= planned["missing"] == done + 120 * FEW


def test_a_width_that_is_not_reached_is_told_beside_what_the_examples_leave(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    TASK(job(place, "measure.coalitions=40", "measure.width=1e-9"))
    assert len(stored(place)[1][0]) == 42
    assert "all 40 coalitions are taken: the widest interval is ± " in caplog.text
    assert "and measure.width=1e-09; the examples alone have about ± " in caplog.text


def test_a_width_out_of_reach_is_said_at_the_first_look(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    TASK(job(place, "measure.coalitions=160", "measure.width=1e-9"))
    said = [line.getMessage() for line in caplog.records if "look" in line.getMessage() or "reach" in line.getMessage()]
    assert [line.split(":")[0] for line in said] == [
        "look 1, 40 of at most 160 coalitions",
        "measure.width=1e-09 is out of reach",
        "look 2, 80 of at most 160 coalitions",
    ]
    assert re.search(r"the 6 examples alone leave about ± [\d.]+ nats, however many coalitions there are", said[1])


def test_a_job_that_goes_on_from_the_looks_of_another_says_first_that_its_width_is_out_of_reach(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def said(width: str) -> list[str]:
        caplog.clear()
        TASK(job(place, "measure.coalitions=160", f"measure.width={width}"))
        lines = [line.getMessage() for line in caplog.records]
        return [line.split(":")[0] for line in lines if "coalitions" in line or "reach" in line]

    assert said("100") == ["stopped at 40 of at most 160 coalitions"], "once"
    begun = ["look 1, 40 of at most 160 coalitions", "measure.width=1e-09 is out of reach"]
    assert said("1e-9") == [*begun, "look 2, 80 of at most 160 coalitions", "all 160 coalitions are taken"]


def test_its_answer_is_the_largest_values_with_intervals(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    TASK(job(place, "measure.coalitions=100"))
    (own,) = coalition_samples(read_results(place / "results").designs, Inference())
    rows = shapley_table(own).filter(scale="loss").sort(pl.col("value").abs(), descending=True).head(3)
    told = [
        f"{row['address']} {row['value']:+.4f} ± {(row['high'] - row['low']) / 2:.4f}" for row in rows.rows(named=True)
    ]
    assert f"masks stored; largest Shapley values (nats): {', '.join(told)}" in caplog.text


def test_rows_of_very_many_masks_are_packed_and_read_as_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TASK(job(place, "measure.coalitions=100"))
    plain = read_parts(stored(place)[0]).rows
    monkeypatch.setattr("study.record.store.MANY", 10)
    packed = job(place, "measure.coalitions=100", f"results={place / 'packed'}")
    TASK(packed)
    assert (TASK.remaining(packed), TASK(packed)["computed"]) == (0, 0)
    (table,) = (place / "packed").rglob("masks-*.parquet")
    rows = read_parts(table.parent).rows
    assert rows.sort("mask", "example").equals(plain.sort("mask", "example"))


def test_the_semivalue_has_coalitions_of_its_own() -> None:
    shapley, near = Shapley(coalitions=10, semivalue_coalitions=2000, seed=5).designs(LAYOUT)
    assert (len(shapley), len(near)) == (12, 2000)
    assert near.options == {"sampling": "independent", "kept": 0.9}
    assert near.on.mean() == pytest.approx(0.9, abs=0.005)
    assert shapley.id != near.id
    assert len(Shapley(semivalue=None).designs(LAYOUT)) == 1


def test_another_seed_is_another_design() -> None:
    one, other = (Shapley(seed=seed).designs(LAYOUT)[0] for seed in (0, 1))
    assert one.id != other.id
    assert not np.array_equal(one.on, other.on)
    assert Shapley(coalitions=2000).designs(LAYOUT)[0].id == one.id


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"coalitions": 7}, "measure.coalitions=7: coalitions are drawn in pairs"),
        ({"coalitions": 0}, "take an even number, 2 or more"),
        ({"semivalue": 1.0}, "measure.semivalue=1: each unit stays on with a probability between 0 and 1"),
        ({"semivalue_coalitions": 0}, "measure.semivalue_coalitions must be at least 1"),
        ({"width": 0.0}, "measure.width=0: half of an interval is above 0"),
        ({"seed": -1}, "measure.seed at least 0"),
        ({"kinds": [AttentionKind.CROSS]}, "no cross attention"),
    ],
)
def test_samples_that_are_none_are_refused(options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Shapley(**options).check(LAYOUT)


def test_one_unit_has_no_coalitions() -> None:
    with pytest.raises(InputError, match="here there is one: encoder_self.0.0"):
        Shapley().check(HeadLayout({AttentionKind.ENCODER_SELF: [1]}))


def test_an_option_without_a_semivalue_is_refused(place: Path) -> None:
    with pytest.raises(InputError, match="measure.semivalue_coalitions has no effect here"):
        MeasuringJob(to_study(job(place, "measure.semivalue_coalitions=9"))).run()


def test_samples_too_small_for_any_value_are_doubted(caplog) -> None:
    Shapley(coalitions=1000, semivalue_coalitions=500).check(LAYOUT)
    assert "too few" not in caplog.text
    Shapley(coalitions=2, semivalue_coalitions=72).check(LAYOUT)
    assert "measure.coalitions=2 is too few for values of 72 units: take 576 or more" in caplog.text
    assert "measure.semivalue_coalitions=72 is too few for values of 72 units: take 144 or more" in caplog.text


def test_a_width_goes_by_a_mean_over_examples() -> None:
    assert headline(metric("accuracy"), ("loss",), "float32").name == "loss"
    assert headline(metric("accuracy"), ("loss",), "screened|sample:64").name == "accuracy"
    with pytest.raises(InputError, match="a mean over examples, and BLEU is none"):
        headline(metric("bleu"), (), "float32")


def test_a_width_is_looked_at_without_shards(place: Path) -> None:
    with pytest.raises(InputError, match="run it without shards"):
        TASK(job(place, "measure.coalitions=40", "measure.width=1", "shards=2", "shard=0"))
