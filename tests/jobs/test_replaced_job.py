"""A job with something else than zero in the place of units: its means, its draws, its shards, its plan."""

from pathlib import Path

import polars as pl
import pytest
from fixtures import jobs
from polars.testing import assert_frame_equal

from study.config import compose, to_study
from study.jobs.cache import JobCache
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.record.store import read_examples, read_parts


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jobs.make_place(tmp_path_factory.mktemp("replaced"))


def job(place: Path, *more: str) -> MeasuringJob:
    return MeasuringJob(
        to_study(compose(*jobs.overrides(place, "measure=ablation", "data.limit=20", *more))), JobCache()
    )


def rows(folder: Path) -> pl.DataFrame:
    return read_parts(folder).rows.sort("mask", "example").drop("margin", "loss")


def test_shards_and_jobs_that_go_on_take_the_means_that_are_there(place: Path, tmp_path: Path) -> None:
    whole = job(place, "replacement=mean", f"results={tmp_path / 'whole'}")
    whole.run()
    results = tmp_path / "parts"
    for shard in (0, 1):
        part = job(place, "replacement=mean", f"results={results}", f"shard={shard}", "shards=2")
        part.run()
    (kept,) = results.rglob("*.safetensors")
    assert kept.parent == results / part.setting.model / "replacements"
    assert part.setting == whole.setting
    assert_frame_equal(rows(part.setting.folder(results)), rows(whole.setting.folder(tmp_path / "whole")))
    written = kept.stat().st_mtime_ns
    assert job(place, "replacement=mean", f"results={results}").run()["computed"] == 0
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize("name", ["mean", "mean_by_position", "resample"])
def test_a_plan_stores_nothing(place: Path, tmp_path: Path, name: str) -> None:
    planned = job(place, f"replacement={name}", f"results={tmp_path}", "plan=true").run()
    assert planned["state"] == "planned"
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_a_plan_tells_the_time_of_the_means(place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    wanted = "replacement=mean_by_position", f"results={tmp_path}"
    timed = job(place, *wanted, "plan=true")
    with_means = timed.run()["expected"]
    assert 0 < timed._seconds_of_means < with_means
    count = len(timed.examples)
    said = caplog.text
    assert f"before, the means of {count} reference examples, " in said
    assert f"mean by position: the mean of 32 reference examples stands in for this plan; all {count} are" in said
    assert "stands in the place of what is masked, certified" not in said
    job(place, *wanted).run()
    caplog.clear()
    later = job(place, *wanted, "plan=true", "measure=all_but_one")
    later.run()
    assert later._seconds_of_means == 0
    assert "stands in the place of what is masked, certified" in caplog.text


def test_no_plan_leaves_its_means_to_a_study(place: Path, tmp_path: Path) -> None:
    """Jobs of one process share the model that one has loaded."""
    cache = JobCache()
    for plan in ("true", "false"):
        found = job(place, "replacement=mean", f"results={tmp_path}", f"plan={plan}")
        found._cache = cache
        found.run()
    alone = job(place, "replacement=mean", f"results={tmp_path / 'alone'}")
    alone.run()
    assert_frame_equal(rows(found.setting.folder(tmp_path)), rows(alone.setting.folder(tmp_path / "alone")))


def test_examples_are_studied_with_each_of_their_donors(place: Path, tmp_path: Path) -> None:
    twice = job(place, "replacement=resample", "replacement.draws=2", f"results={tmp_path}")
    twice.run()
    folder = twice.setting.folder(tmp_path)
    stored = rows(folder)
    assert stored["example"].n_unique() == 40
    known = read_examples(folder)
    assert known.height == 2 * len(twice.examples)
    assert known.group_by("group").len()["len"].min() >= 2
    full = "".join(max(stored["mask"].unique().to_list()))
    effects = stored.filter(pl.col("mask") != full)
    by_example = effects.with_columns(pl.col("example").str.replace("~.$", "")).group_by("mask", "example")
    assert by_example.agg(pl.col("prediction").n_unique())["prediction"].max() == 2, "another donor, another answer"
    assert twice.setting.examples == job(place).setting.examples


def test_a_plan_counts_each_example_once_whatever_its_draws(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    job(place, "replacement=resample", "replacement.draws=2", f"results={tmp_path}", "plan=true").run()
    assert "9 masks × 20 examples (2 draws of each) = 360 outcomes" in caplog.text


def test_ids_of_one_draw_are_those_of_the_data(place: Path, tmp_path: Path) -> None:
    once = job(place, "replacement=resample", "replacement.seed=4", f"results={tmp_path}")
    once.run()
    assert set(rows(once.setting.folder(tmp_path))["example"]) == set(once.view.ids) <= set(once.examples.ids)


def test_the_groups_of_which_donors_are_drawn_belong_to_the_setting(place: Path) -> None:
    usual, alone = (job(place, "replacement=resample", *more).setting for more in ([], ["data.group=null"]))
    assert usual.id != alone.id
    usual, alone = (job(place, "replacement=mean", *more).setting for more in ([], ["data.group=null"]))
    assert usual.id == alone.id, "a mean has no donor"


def test_the_data_under_study_is_its_own_reference_set_by_whatever_name(place: Path) -> None:
    usual = job(place, "replacement=mean")
    path = usual.study.data.path
    named = job(place, "replacement=mean", "replacement.data=nli_file", f"replacement.data.path={path}")
    assert (named.setting.id, named.setting.factors) == (usual.setting.id, usual.setting.factors)
    assert named.reference.digest == usual.reference.digest


def test_another_reference_set_is_another_setting(place: Path, tmp_path: Path) -> None:
    lines = (place / "pairs.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "pairs.tsv").write_text("".join(lines[:-5]))
    other = [f"replacement.data.path={tmp_path / 'pairs.tsv'}", "replacement.limit=9"]
    named = job(place, "replacement=mean", "replacement.data=nli_file", *other).setting
    assert named.subject["replacement"]["reference"]["count"] == 9
    assert named.factors[0].replacement == "mean of 9 examples of pairs"
    assert named.id != job(place, "replacement=mean", "replacement.limit=9").setting.id


def test_an_empty_reference_set_is_refused(place: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.tsv"
    empty.write_text("id\tpremise\thypothesis\tlabel\n")
    with pytest.raises(InputError, match=r"empty.tsv"):
        job(place, "replacement=mean", "replacement.data=nli_file", f"replacement.data.path={empty}").check()


def test_a_sweep_of_replacements_says_once_what_holds_for_all(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for name in ("zero", "uniform", "mean"):
        job(place, f"replacement={name}", "measure=no_head", "data.limit=4", f"results={tmp_path}").run()
    for words in ("cannot tell whether the labels are in the model's order", "no base score is expected"):
        (said,) = {message for message in caplog.messages if words in message}
        assert caplog.messages.count(said) == 1
        assert "model on pairs" in said


def test_units_that_a_model_has_not_are_refused_before_means_are_taken(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.replacement.make.means", None)
    with pytest.raises(InputError, match="MLP"):
        job(place, "replacement=mean", "measure.unit=mlp", f"results={tmp_path}").run()


def test_fewer_groups_than_draws_are_refused_by_name(place: Path, tmp_path: Path) -> None:
    few = job(place, "replacement=resample", "replacement.draws=9", "replacement.limit=4", f"results={tmp_path}")
    with pytest.raises(InputError, match=r"replacement.draws=9: for example"):
        few.run()
