"""The measure `sufficient` as a job: who chooses and who judges, what is stored, what is refused or said."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.jobs import NUM_PAIRS, overrides

from study.config import compose
from study.jobs.task import StudyTask
from study.measures.sets.sufficient import Sufficient
from study.record.designs import Design, read_designs, write_design
from study.record.designs.coalitions import kernel_coalitions
from study.record.designs.files import read_design
from study.record.errors import InputError
from study.record.setting import read_setting
from study.record.store import read_parts
from study.record.units import AttentionKind, HeadLayout

TASK = StudyTask()
LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: [4, 4]})


def job(place: Path, *more: str):
    return compose(*overrides(place, "measure=sufficient", *more))


def stored(place: Path) -> tuple[pl.DataFrame, HeadLayout, dict[str, Design]]:
    (folder,) = (path.parent for path in (place / "results").glob("*/*/*/setting.json"))
    layout = read_setting(folder).layout
    return read_parts(folder).rows, layout, {str(each.kind): each for each in read_designs(folder, layout)[0]}


def cut_a_growth(place: Path, coalitions: int) -> None:
    """Leave a sample as a job does that was asked for more and ended before it had the first new row."""
    (path,) = (place / "results").glob("*/*/*/designs/*.json")
    short, folder = read_design(path), path.parent.parent
    write_design(replace(short, on=kernel_coalitions(len(short.units), coalitions, 0)), folder)
    assert len(read_design(path)) == coalitions + 2 > len(short)


def test_searches_by_other_examples_stand_beside_each_other(place: Path) -> None:
    for limit in (40, 60, 40):
        TASK(job(place, "measure.lose=30", "measure.unit=layer", f"data.limit={limit}"))
    (folder,) = (path.parent for path in (place / "results").glob("*/*/*/setting.json"))
    designs = read_designs(folder, read_setting(folder).layout)[0]
    assert sorted(len(each.examples) for each in designs if each.kind == "step") == [20, 30]
    assert sorted(len(each.examples) for each in designs if each.kind == "set") == [20, 30]


def test_a_set_is_chosen_by_some_examples_and_judged_by_all_others(place: Path, caplog) -> None:
    caplog.set_level("INFO")
    TASK(compose(*overrides(place, "measure=shapley", "measure.coalitions=40", "measure.semivalue=null")))
    before = set(stored(place)[0]["mask"])
    cut_a_growth(place, 60)
    TASK(job(place, "measure.lose=30"))
    assert TASK(job(place, "measure.lose=30"))["computed"] == 0
    assert TASK.remaining(job(place, "measure.lose=30")) == 0
    assert "suffice, as far as measured" in caplog.text
    assert "judged by the other 60: where it changes 10 % of the answers" in caplog.text
    assert "are few to show" not in caplog.text
    rows, layout, designs = stored(place)
    steps, judged = designs["step"], designs["set"]
    assert steps.examples == judged.examples
    assert len(steps.examples) == NUM_PAIRS // 2
    assert steps.names[0] == "full"
    assert judged.names == ("chosen", "importance", "effect", "shapley")
    assert np.array_equal(judged.on[0], steps.on[-1])
    assert len(set(judged.on.sum(axis=1))) == 1, "rivals are of its size"
    count = dict(rows.group_by("mask").len().iter_rows())
    assert all(count[key] == NUM_PAIRS for key in judged.keys(layout))
    choosing = rows.filter(pl.col("example").is_in(list(steps.examples)))
    score = dict(choosing.group_by("mask").agg(100 * pl.col("correct").mean()).iter_rows())
    floor = score[layout.full_key] - 30
    assert all(score[key] >= floor - 1e-9 for key in steps.keys(layout))
    units = steps.parsed()
    off = [unit for unit, on in zip(units, steps.on[-1], strict=True) if not on]
    kept = [unit for unit in units if unit not in off]
    assert all(score[layout.key(layout.without([*off, unit]))] < floor for unit in kept), "1-minimal, measured"
    searched = set(count) - before - set(judged.keys(layout))
    assert {count[mask] for mask in searched} == {NUM_PAIRS // 2}, "what only decides is computed on no other example"


def test_a_margin_that_no_removal_meets_is_said(place: Path, caplog) -> None:
    TASK(job(place, "measure.lose=1", "measure.unit=layer"))
    assert "60 examples are few to show that a set loses no more than 1 point: it takes about 6,183" in caplog.text
    assert "no layer can go within measure.lose=1: the least costly is encoder_self." in caplog.text
    assert stored(place)[2]["step"].names == ("full",)


def test_a_model_at_chance_is_refused_before_the_search_and_doubted_elsewhere(place: Path, caplog) -> None:
    header, *lines = (place / "pairs.tsv").read_text().splitlines()
    other = {"entailment": "neutral", "neutral": "contradiction", "contradiction": "entailment"}
    wrong = ["\t".join([text, other[label]]) for text, label in (line.rsplit("\t", 1) for line in lines)]
    (place / "pairs.tsv").write_text("\n".join([header, *wrong]) + "\n")
    with pytest.raises(InputError, match=r"the base score is .* %, no better than chance \(.* %\): any set of heads"):
        TASK(job(place, "model.check_labels=false"))
    assert not list((place / "results").rglob("designs"))
    TASK(compose(*overrides(place, "measure=pairs", "model.check_labels=false", "data.limit=4")))
    assert re.search(r"no better than chance \(.* %\): its effects say nothing of a task", caplog.text)


def test_examples_of_one_label_are_refused(place: Path) -> None:
    """A set that is chosen by them may be the empty one, of a model that always gives this label."""
    header, *lines = (place / "pairs.tsv").read_text().splitlines()
    one = [line.rsplit("\t", 1)[0] + "\tneutral" for line in lines]
    (place / "pairs.tsv").write_text("\n".join([header, *one]) + "\n")
    with pytest.raises(InputError, match="all examples have one label, .*: any set of heads, the empty one too"):
        TASK(job(place, "measure.lose=10", "data.limit=10", "model.check_labels=false"))
    assert not list((place / "results").rglob("designs"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lose": 0.0}, "measure.lose=0: a set may lose a number of points above 0"),
        ({"choosing": 1.0}, "measure.choosing=1: a share of the examples between 0 and 1"),
        ({"swaps": -1}, "at least 0"),
        ({"kinds": [AttentionKind.CROSS]}, "no cross attention"),
    ],
)
def test_searches_that_make_no_sense_are_refused(options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Sufficient(**options).check(LAYOUT)


def test_shards_cannot_search(place: Path) -> None:
    with pytest.raises(InputError, match="run it without shards"):
        TASK(job(place, "shards=2"))


def test_a_plan_says_between_how_many_rows_a_search_computes(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    options = ["measure.lose=30", "measure.unit=layer", "measure.swaps=1"]
    planned = TASK(job(place, *options, "plan=true"))
    (line,) = (record.getMessage() for record in caplog.records if "rows to compute" in record.getMessage())
    least, most = (int(number.replace(",", "")) for number in re.findall(r"([\d,]+) to ([\d,]+) rows", line)[0])
    assert planned["missing"] == most
    TASK(compose(*overrides(place, "measure=base")))
    left = TASK.remaining(job(place, *options))
    done = TASK(job(place, *options))["computed"] + NUM_PAIRS
    assert least <= done <= most
    assert left is not None
    assert left + NUM_PAIRS >= done, "what a job shows as left is never exceeded"
    assert least >= 4 * NUM_PAIRS // 2, "the search by two layers, on the half that chooses"
