"""The training of a model as a job of a sweep: its stage, what waits for it, what a plan says of it."""

from pathlib import Path

import pytest
from fixtures.processes import study

from analysis import read_results
from analysis.compute import analyse
from analysis.inference import Inference
from study.config import compose
from study.jobs.guard import BaseScoreError
from study.jobs.task import StudyTask
from study.measures.measure import Stage
from study.record.errors import InputError


def overrides(place: Path, *more: str) -> list[str]:
    """A fine-tuning of the tiny model on its pairs, three checkpoints kept."""
    pairs = f"{place}/pairs.tsv"
    return [
        "model=hf_finetuned", "model.name=mine", f"model.training.start={place}/model",
        f"model.training.train.path={pairs}", f"model.training.dev.path={pairs}", "model.training.keep=[1,2]",
        "model.training.batch_size=16", "model.training.learning_rate=1e-3", "model.training.max_length=32",
        "data=nli_file", f"data.path={pairs}", f"results={place}/results", "device=cpu", *more,
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path / "cache"))


def test_a_job_whose_model_is_not_trained_says_which_is_to_be_run(place: Path) -> None:
    task, config = StudyTask(), compose(*overrides(place, "measure=ablation", "model.epoch=2"))
    task.check(config)
    task.rehearse(config)
    assert task.remaining(config) is None
    with pytest.raises(InputError, match="'mine' has not been trained until epoch 2 yet: .* measure=train first"):
        task(config)
    planned = task(compose(*overrides(place, "measure=ablation", "plan=true")))
    assert "measure=train first" in planned["needs"]


def test_training_as_a_job(place: Path) -> None:
    task, config = StudyTask(), compose(*overrides(place, "measure=train"))
    assert task.stage(config) == Stage.TRAIN
    assert task.remaining(config) is None
    planned = task(compose(*overrides(place, "measure=train", "plan=true")))
    assert (planned["epochs"], planned["done"]) == (3, 0.0)
    assert not (place / "cache").exists()
    assert task(config)["epochs"] == 3
    assert (task.remaining(config), task.estimate(config)) == (0, 0.0)
    done = task(compose(*overrides(place, "measure=base", "model.epoch=2")))
    assert done["masks"] == 1
    assert sorted(path.name for path in (place / "results").iterdir()) == [
        "mine-seed42-epoch2",
        "progress",
        "trainings",
    ]


def test_a_training_that_another_folder_has_is_told_of_in_this_one_too(place: Path) -> None:
    """A launcher sends only jobs that have something left: without it the page had no curves of it."""
    task = StudyTask()
    task(compose(*overrides(place, "measure=train")))
    other = compose(*overrides(place, "measure=train", f"results={place}/other"))
    assert task.remaining(other) == 1
    task(other)
    assert task.remaining(other) == 0
    (own, copy) = (
        next((place / name / "trainings").glob("*/history.jsonl")).read_text() for name in ("results", "other")
    )
    assert own == copy


def test_what_is_expected_of_the_trained_model_is_not_of_its_earlier_checkpoints(place: Path) -> None:
    expected = "+model.expected={pairs: {score: 100, tolerance: 0.1}}"
    StudyTask()(compose(*overrides(place, "measure=train")))
    for epoch in (1, 2):
        assert StudyTask()(compose(*overrides(place, "measure=base", f"model.epoch={epoch}", expected)))["masks"] == 1
    for end in ("null", "3"):
        wrong = expected.replace("100", "-9")
        with pytest.raises(BaseScoreError, match="expected -9"):
            StudyTask()(compose(*overrides(place, "measure=base", f"model.epoch={end}", wrong)))


def test_epochs_that_are_not_kept_and_models_that_are_not_trained_are_refused(place: Path) -> None:
    with pytest.raises(InputError, match=r"model\.epoch=1\.5: the training keeps checkpoints of epochs 1, 2, 3"):
        StudyTask().check(compose(*overrides(place, "measure=base", "model.epoch=1.5")))
    plain = ["model=hf_classifier", f"model.path={place}/model", "data=nli_file", f"data.path={place}/pairs.tsv"]
    with pytest.raises(InputError, match="model 'model' is not trained here"):
        StudyTask().check(compose(*plain, "measure=train"))


def test_a_sweep_over_epochs_trains_once_and_ends_in_figure_5(place: Path) -> None:
    sweep = ["measure=train,importance,pruning", "model.epoch=1,2,3", "--multirun"]
    done = study(place, *overrides(place), *sweep)
    assert done.returncode == 0, done.stderr
    assert "7 of 7 jobs done" in done.stderr, "one training, three checkpoints measured twice"
    table = analyse(read_results(place / "results"), Inference(resamples=200)).dynamics
    assert table["training"].unique().to_list() == ["mine"]
    assert table["epoch"].unique().sort().to_list() == [1, 2, 3]
    whole = table.filter(removed=0)
    assert all((kept == 1.0) == (reason is None) for kept, reason in whole.select("kept", "reason").iter_rows())
    assert whole["epoch"].to_list() == [1, 2, 3], "also where so small a model has not learned enough to lose anything"


def test_a_folder_that_is_named_and_has_another_training_is_no_model_of_this_one(place: Path) -> None:
    task, own = StudyTask(), f"model.training.folder={place}/own"
    few = [own, "model.training.epochs=1", "model.training.keep=[]"]
    task(compose(*overrides(place, "measure=train", *few)))
    task.check(compose(*overrides(place, "measure=base", *few)))
    for measure in ("train", "base"):
        other = compose(*overrides(place, f"measure={measure}", *few, "model.training.learning_rate=2e-3"))
        with pytest.raises(InputError, match=r"another training:\n +learning_rate"):
            task.check(other)
