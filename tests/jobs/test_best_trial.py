"""The best of several trials is measured, by its score on what was held out, and no other one ever is."""

from dataclasses import replace
from pathlib import Path

import pytest

from study.config import compose
from study.jobs.task import StudyTask
from study.record.errors import InputError
from study.tracking.run import read_runs, training_folders, write_run

LATER = ("gates", "reuse")
"""Options of a training that there were not always."""


def overrides(place: Path, *more: str) -> list[str]:
    """A fine-tuning of the tiny model whose trials differ in the learning rate."""
    pairs = f"{place}/pairs.tsv"
    return [
        "model=hf_finetuned", "model.name=mine", f"model.training.start={place}/model", "model.training.new_head=false",
        "model.training.keep=[]", f"model.training.train.path={pairs}", f"model.training.dev.path={pairs}",
        "model.training.held_out=0.3", "model.training.epochs=1", "model.training.max_length=32", "data=nli_file",
        f"data.path={pairs}", f"results={place}/results", "device=cpu", "measure.trials=[learning_rate]", *more,
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path / "cache"))


def forget_later_options(results: Path) -> None:
    """Store trainings as they were before there were gates and later tasks."""
    for folder in training_folders(results):
        for kept in read_runs(folder):
            training = {name: value for name, value in kept.config["model"]["training"].items() if name not in LATER}
            write_run(
                replace(kept, config={**kept.config, "model": {**kept.config["model"], "training": training}}), folder
            )


def test_the_best_trial_alone_is_measured(place: Path) -> None:
    plain = [word for word in overrides(place, "measure=train") if not word.startswith("measure.")]
    rates = ("model.training.learning_rate=1e-9", "model.training.learning_rate=3e-2")
    scores = [StudyTask()(compose(*plain, rate))["dev"] for rate in rates]
    assert scores[0] != scores[1], "one rate learns nothing, the other too much"
    forget_later_options(place / "results")
    done = []
    for rate in rates:
        task, config = StudyTask(), compose(*overrides(place, rate, "measure=gates"))
        task.check(config)
        task.rehearse(config)
        done.append(task(config))
        assert task.remaining(config) == 0
    passed, chosen = done if scores[0] < scores[1] else reversed(done)
    assert passed["state"] == "not chosen"
    assert passed["chosen"].startswith("of 2 trials the best is learning_rate=")
    assert passed["chosen"].endswith(f": {max(scores):.2f}")
    assert chosen["masks"] == 1
    assert len(list((place / "results/mine/pairs").iterdir())) == 1, "the other has not even a base score"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["measure.trials=[rate]"], "measure.trials has 'rate', which is no option of mine's training"),
        (["measure.trials=[gates.penalty]"], "has 'gates.penalty', which is no option"),
        (["measure.trials=[seed]"], "has 'seed': trials differ in how they are optimised"),
        (["model.training.held_out=0"], "the best trial on data 'pairs' would be measured on the same data"),
    ],
)
def test_trials_that_would_tell_nothing_are_refused(place: Path, more: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        StudyTask().check(compose(*overrides(place, "measure=gates", *more)))


def test_trials_that_are_not_in_the_results_are_asked_for(place: Path) -> None:
    plain = [word for word in overrides(place, "measure=train") if not word.startswith("measure.")]
    StudyTask()(compose(*plain))
    other = compose(*overrides(place, "measure=gates", f"results={place}/other"))
    StudyTask().check(other)
    with pytest.raises(InputError, match="no score of the training of 'mine' is in .*measure=train first"):
        StudyTask()(other)
