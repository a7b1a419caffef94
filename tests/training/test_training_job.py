"""The training of a model as a job of a sweep: its stage, what waits for it, what a plan says of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from analysis import read_results
from analysis.dynamics import dynamics
from study.config import compose
from study.errors import InputError
from study.job import StudyTask
from study.measures.measure import Stage


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
    done = task(compose(*overrides(place, "measure=base", "model.epoch=2", "model.check_labels=false")))
    assert done["masks"] == 1
    assert [path.name for path in (place / "results").iterdir()] == ["mine-seed42-epoch2"]


def test_epochs_that_are_not_kept_and_models_that_are_not_trained_are_refused(place: Path) -> None:
    with pytest.raises(InputError, match=r"model\.epoch=1\.5: the training keeps checkpoints of epochs 1, 2, 3"):
        StudyTask().check(compose(*overrides(place, "measure=base", "model.epoch=1.5")))
    plain = ["model=hf_classifier", f"model.path={place}/model", "data=nli_file", f"data.path={place}/pairs.tsv"]
    with pytest.raises(InputError, match="model 'model' is not trained here"):
        StudyTask().check(compose(*plain, "measure=train"))


def test_a_sweep_over_epochs_trains_once_and_ends_in_figure_5(place: Path) -> None:
    sweep = ["measure=train,importance,pruning", "model.epoch=1,2,3", "model.check_labels=false", "--multirun"]
    command = [sys.executable, "-m", "study", *overrides(place), *sweep]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "jobs: 7" in done.stdout, "one training, three checkpoints measured twice"
    table = dynamics(read_results(place / "results").domains)
    assert table["training"].unique().to_list() == ["mine"]
    assert table["epoch"].unique().sort().to_list() == [1, 2, 3]
    assert table.filter(removed=0)["kept"].to_list() == [1.0] * 3
