"""Jobs and sweeps through the command line, on a tiny saved classifier and a file of pairs."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures.jobs import NUM_PAIRS, overrides
from fixtures.processes import command, running, study

from study.config import compose
from study.engine import evaluator
from study.entry_files import description, groups, options
from study.jobs.guard import BaseScoreError
from study.jobs.task import StudyTask
from study.jobs.versions import versions_here
from study.record.errors import InputError
from study.record.files import WriteError, unsealed
from study.record.setting import SettingError
from study.record.store import read_parts


def stored(place: Path) -> pl.DataFrame:
    (folder,) = (path.parent for path in (place / "results").glob("*/*/*/setting.json"))
    return read_parts(folder).rows.sort("mask", "example")


def test_every_yaml_says_what_it_is() -> None:
    for group in groups():
        for name in options(group):
            assert len(description(group, name)) > 20, f"{group}/{name}"


def test_a_job_stores_every_mask_and_a_second_run_finds_all_done(place: Path) -> None:
    command = [sys.executable, "-m", "study", *overrides(place, "measure=ablation")]
    first = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert stored(place)["mask"].n_unique() == 1 + 8
    assert stored(place).height == 9 * NUM_PAIRS
    files = sorted(path.name for path in (place / "results").rglob("part-*"))
    second = study(place, *overrides(place, "measure=ablation"))
    assert second.returncode == 0, second.stderr
    assert "nothing to do" in second.stderr
    assert sorted(path.name for path in (place / "results").rglob("part-*")) == files


def test_a_finished_job_needs_no_model(place: Path) -> None:
    config = compose(*overrides(place, "measure=no_head"))
    assert StudyTask()(config)["computed"] == 3 * NUM_PAIRS
    look = "import sys, study.config as c; from study.jobs.task import StudyTask; "
    look += "print(StudyTask().remaining(c.compose(*sys.argv[1:])));"
    look += "print('torch' in sys.modules)"
    command = [sys.executable, "-c", look, *overrides(place, "measure=no_head")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0", "False"]


def test_measures_share_masks(place: Path) -> None:
    task = StudyTask()
    assert task(compose(*overrides(place, "measure=base")))["computed"] == NUM_PAIRS
    assert task.remaining(compose(*overrides(place, "measure=ablation"))) == 8 * NUM_PAIRS
    assert task(compose(*overrides(place, "measure=ablation")))["computed"] == 8 * NUM_PAIRS
    assert task.estimate(compose(*overrides(place, "measure=no_head"))) > 0


def test_the_same_model_on_other_data_tells_how_long_a_job_will_take(place: Path) -> None:
    task = StudyTask()
    other = [f"data.path={place}/other.tsv", "data.name=other"]
    lines = (place / "pairs.tsv").read_text().splitlines()
    (place / "other.tsv").write_text("\n".join(lines[:31]) + "\n")
    new = compose(*overrides(place, "measure=ablation", *other))
    assert (task.remaining(new), task.estimate(new)) == (1, None)
    task(compose(*overrides(place, "measure=ablation")))
    parts = [json.loads(pl.read_parquet_metadata(p)["provenance"]) for p in (place / "results").rglob("part-*.parquet")]
    seconds = sum(part["seconds"] for part in parts)
    assert task.estimate(new) == pytest.approx(seconds / (9 * NUM_PAIRS) * 9 * 30)
    assert [path.name for path in (place / "results").glob("*/*")] == ["pairs"], "nothing is written by asking"
    another = compose(*overrides(place, "measure=ablation", "model.max_length=24", *other))
    assert task.estimate(another) is None, "another subject"
    damaged = next((place / "results").rglob("setting.json"))
    damaged.write_text("{}")
    assert task.estimate(new) is None


def test_a_sweep_of_measures(place: Path) -> None:
    result = study(place, *overrides(place, "measure=ablation,all_but_one,no_head", "hydra.mode=MULTIRUN"))
    assert result.returncode == 0, result.stderr
    assert stored(place)["mask"].n_unique() == 1 + 8 + 8 + 2


def _parts_at_once(*words: str) -> None:
    evaluator.SECONDS_BETWEEN_PARTS = 0.0
    command(*words)


@pytest.mark.slow
def test_killed_and_run_again_agrees_with_an_undisturbed_run(place: Path) -> None:
    slow = overrides(place, "measure=all_but_one", "memory_gb=1e-6")
    with running(_parts_at_once, *slow, place=place):
        deadline = time.monotonic() + 300
        while len(list((place / "results").rglob("part-*"))) < 40 and time.monotonic() < deadline:
            time.sleep(0.01)
    left = stored(place).height
    assert 0 < left < 9 * NUM_PAIRS
    assert study(place, *overrides(place, "measure=all_but_one")).returncode == 0
    resumed = stored(place)
    undisturbed = overrides(place, "measure=all_but_one", f"results={place / 'again'}")
    StudyTask()(compose(*undisturbed))
    (folder,) = (path.parent for path in (place / "again").glob("*/*/*/setting.json"))
    fresh = read_parts(folder).rows.sort("mask", "example")
    exact = ["mask", "example", "correct", "count", "prediction"]
    assert resumed.select(exact).equals(fresh.select(exact))
    assert np.allclose(resumed["margin"], fresh["margin"], atol=1e-4)


def test_another_order_of_labels_is_refused_by_its_score(place: Path) -> None:
    config = compose(*overrides(place, "model.labels=[contradiction,entailment,neutral]", "measure=base"))
    with pytest.raises(BaseScoreError, match=r"in another order .* 'model\.labels=\[entailment,"):
        StudyTask()(config)


def test_an_unexpected_base_score_stops_the_sweep(place: Path) -> None:
    mine = "defaults: [hf_classifier]\nexpected: {pairs: {score: 12.0, tolerance: 1.0}}\n"
    (place / "conf" / "model").mkdir(parents=True)
    (place / "conf" / "model" / "mine.yaml").write_text(mine)
    arguments = ["--config-dir", "conf", *overrides(place), "model=mine"]
    result = study(place, *arguments)
    assert result.returncode == 1
    assert "expected 12.00 ± 1.00" in result.stderr
    assert stored(place)["mask"].n_unique() == 1, "nothing but the base score may be computed"
    assert study(place, *arguments, "data.limit=5", "measure=base").returncode == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["data=toy_news"], "model 'model' is for classification, data 'toy_news' is for translation"),
        (["device=gpu"], "device 'gpu': expected auto, cpu"),
        (["data.limit=0"], "must be at least 1"),
        (["measure.kinds=[CROSS]"], "has no cross attention: it has encoder_self"),
        (["model.path=./nowhere"], "no folder './nowhere'"),
    ],
)
def test_bad_input_is_refused_in_words(place: Path, wrong: list[str], says: str) -> None:
    StudyTask()(compose(*overrides(place, "measure=base")))
    keep = [item for item in overrides(place) if not any(item.split("=")[0] == w.split("=")[0] for w in wrong)]
    if wrong == ["data=toy_news"]:
        keep = [item for item in keep if not item.startswith("data.")]
    with pytest.raises(InputError, match=re.escape(says)):
        StudyTask().check(compose(*keep, *wrong))


def test_a_job_that_is_refused_says_so_alone(place: Path) -> None:
    result = study(place, *overrides(place, "device=gpu"))
    assert result.returncode == 1
    assert result.stderr == "study: device 'gpu': expected auto, cpu, cuda, cuda:N or mps\n"
    assert not list((place / "results").rglob("part-*"))


def test_a_folder_of_another_setting_is_refused_with_a_diff(place: Path) -> None:
    StudyTask()(compose(*overrides(place, "measure=base")))
    (path,) = (place / "results").glob("*/*/*/setting.json")
    changed = unsealed(json.loads(path.read_text()))
    changed["identity"]["subject"]["max_length"] = 64
    path.write_text(json.dumps(changed))
    with pytest.raises(SettingError, match="max_length: expected 32, found 64"):
        StudyTask()(compose(*overrides(place, "measure=ablation")))


def test_examples_that_are_too_long_are_counted_before_any_work(place: Path) -> None:
    with pytest.raises(InputError, match="120 of 120 examples are over 8 tokens"):
        StudyTask()(compose(*overrides(place, "model.max_length=8")))
    assert not list((place / "results").rglob("part-*"))


def test_a_sweep_with_one_wrong_base_score_computes_nothing_but_base_scores(place: Path) -> None:
    shutil.copy(place / "pairs.tsv", place / "more.tsv")
    mine = "defaults: [hf_classifier]\nexpected: {more: {score: 12.0, tolerance: 1.0}}\n"
    (place / "conf" / "model").mkdir(parents=True)
    (place / "conf" / "model" / "mine.yaml").write_text(mine)
    both = f"data.path={place}/pairs.tsv,{place}/more.tsv"
    result = study(place, "--config-dir", "conf", *overrides(place), "model=mine", both, "-m")
    assert result.returncode == 1
    assert "1 of 2 jobs cannot run; none was started" in result.stderr
    parts = [read_parts(path.parent).rows for path in (place / "results").glob("*/*/*/setting.json")]
    assert {rows["mask"].n_unique() for rows in parts} == {1}


def test_a_sweep_with_one_wrong_file_computes_nothing(place: Path) -> None:
    (place / "wrong.tsv").write_text("id\tpremise\thypothesis\tlabel\n1\tw1\tw2\tmaybe\n")
    result = study(place, *overrides(place), f"data.path={place}/pairs.tsv,{place}/wrong.tsv", "-m")
    assert result.returncode == 1
    assert "labels ['maybe'] are not the model's" in result.stderr
    assert not list((place / "results").rglob("part-*"))


def test_works_without_git(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(place))
    versions_here.cache_clear()
    assert versions_here()["revision"] is None
    versions_here.cache_clear()


def test_a_job_says_that_it_goes_on_and_of_what_its_score_is(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    task, shard = StudyTask(), [*overrides(place), "shards=2", "shard=1"]
    task(compose(*shard, "measure=base"))
    assert "goes on" not in caplog.text
    assert f"(of this shard's {NUM_PAIRS // 2} of {NUM_PAIRS} examples)" in caplog.text
    caplog.clear()
    task(compose(*shard, "measure=ablation"))
    assert f"goes on, {NUM_PAIRS // 2} of its rows are stored" in caplog.text
    assert re.search(r"; [+-][\d.]+ points with encoder_self\.\d\.\d off$", caplog.text, re.MULTILINE)
    caplog.clear()
    task(compose(*shard, "measure=shapley", "measure.coalitions=10", "measure.semivalue=null"))
    assert "masks stored" in caplog.text
    assert " off from " not in caplog.text, "the worst of random sets says nothing of heads"


def test_a_plan_says_what_there_is_to_do_and_does_nothing(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    done = StudyTask()(compose(*overrides(place, "measure=all_but_one", "plan=true")))
    assert (done["masks"], done["missing"]) == (9, 9 * NUM_PAIRS)
    assert str(done["expected"]).endswith(" s")
    (memory,) = re.findall(r"([\d.]+) GB of memory with the model", caplog.text)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert 0.2 * taken <= float(memory) * 1e9 <= 1.1 * taken
    assert not list((place / "results").rglob("part-*"))
    StudyTask()(compose(*overrides(place, "measure=all_but_one")))
    done = StudyTask()(compose(*overrides(place, "measure=all_but_one", "plan=true")))
    assert done == {"state": "done already", "masks": 9, "missing": 0, "expected": 0}


def test_a_sweep_can_be_planned(place: Path) -> None:
    ran = study(place, *overrides(place, "measure=ablation,importance,pruning", "plan=true", "--multirun"))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("missing") == 1
    assert ran.stdout.count("planned") == 3
    assert "3 of 3 jobs planned in" in ran.stderr
    assert "completed" not in ran.stdout + ran.stderr
    assert "All together: about " in ran.stdout
    assert "first" not in ran.stdout + ran.stderr, "what the curve needs is a job of the same plan"
    assert not list((place / "results").rglob("part-*"))


def test_the_precision_is_part_of_the_identity(place: Path) -> None:
    base = {}
    for precision in ("float32", "bfloat16", "screened"):
        done = StudyTask()(compose(*overrides(place, "measure=base", f"precision={precision}")))
        base[precision] = done["base"]
    identities = [json.loads(path.read_text())["identity"] for path in (place / "results").rglob("setting.json")]
    found = sorted(identity["subject"]["precision"] for identity in identities)
    assert found == ["bfloat16", "float32", "screened|sample:512|safety:2|audit:0.01"]
    assert base["screened"] == base["float32"]


@pytest.mark.parametrize("value", ["screening.safety=0.5", "screening.audit=2", "screening.sample=0", "memory_gb=-1"])
def test_refuses_values_out_of_range(place: Path, value: str) -> None:
    with pytest.raises((InputError, ValueError), match="screening|memory_gb"):
        StudyTask().check(compose(*overrides(place, value)))


def test_shards_make_one_result(place: Path) -> None:
    ran = study(place, *overrides(place, "measure=ablation", "shards=3", "shard=0,1,2", "data.limit=100", "--multirun"))
    assert ran.returncode == 0, ran.stderr
    assert stored(place).height == 9 * 100
    done = StudyTask()(compose(*overrides(place, "measure=ablation", "data.limit=100")))
    assert done["computed"] == 0
    with pytest.raises(InputError, match="counted from 0 to shards - 1"):
        StudyTask().check(compose(*overrides(place, "shard=3", "shards=3")))


@pytest.mark.parametrize("name", ["setting.json", "examples.parquet"])
def test_what_says_whose_the_rows_are_is_work_left_where_it_is_not_there(place: Path, name: str) -> None:
    """By this every launcher sends a finished job again, that would write it anew."""
    task, config = StudyTask(), compose(*overrides(place, "measure=base"))
    task(config)
    assert task.remaining(config) == 0
    path = next((place / "results").rglob(name))
    path.unlink()
    assert task.remaining(config) == 1
    assert task(config)["computed"] == 0
    assert path.is_file()
    assert task.remaining(config) == 0


def test_a_folder_that_cannot_be_written_is_found_before_the_model_is_loaded(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loaded(_: object) -> None:
        pytest.fail("the model was loaded")

    monkeypatch.setattr("study.jobs.measuring.MeasuringJob._load", loaded)
    monkeypatch.setattr("os.access", lambda path, mode: mode == os.F_OK and os.path.lexists(path))
    config = compose(*overrides(place, "measure=base"))
    for ask in (StudyTask().check, StudyTask().rehearse, StudyTask()):
        with pytest.raises(WriteError, match=rf"cannot write to {place}/results.*: {place} is read-only for you"):
            ask(config)
    assert not (place / "results").exists()
