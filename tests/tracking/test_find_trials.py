"""Trials: which trainings differ in named options alone, and the best of them by its last score."""

from pathlib import Path

import pytest

from study.record.errors import InputError
from study.record.training.history import Record, write_history
from study.tracking.run import TRAININGS, Run, write_run
from study.tracking.trials import Trial, better_trial, find_trials, may_differ

OPTIONS = ("learning_rate", "gates.penalty")


def run(name: str, **options: object) -> Run:
    training = {
        "learning_rate": 1e-3,
        "epochs": 4,
        "seed": 0,
        "folder": f"/somewhere/{name}",
        "gates": {"name": "none"},
    } | options
    return Run(name, "", "toy", "pairs", "train", 0, {"model": {"name": "toy", "training": training}})


def keep(results: Path, trained: Run, *scores: float | None, epochs: float = 4) -> Run:
    folder = results / TRAININGS / f"toy-{trained.id}"
    folder.mkdir(parents=True)
    ends = [epochs * (i + 1) / len(scores) for i in range(len(scores))]
    records = [
        Record(round(10 * end), end, 0.1, 1.0, None, score, 0.0) for end, score in zip(ends, scores, strict=True)
    ]
    write_history(folder, records)
    write_run(trained, folder)
    return trained


def test_trials_differ_in_the_named_options_alone(tmp_path: Path) -> None:
    first = keep(tmp_path, run("a"), 60.0, 70.0)
    keep(tmp_path, run("b", learning_rate=1e-4), 90.0, 75.0, None)
    keep(tmp_path, run("c", learning_rate=1e-5, gates={"name": "none", "penalty": 0.1}), 50.0)
    keep(tmp_path, run("other seed", seed=1), 99.0)
    keep(tmp_path, run("other gates", gates={"name": "subset"}), 98.0)
    keep(tmp_path, run("not evaluated", learning_rate=2e-5), None)
    (tmp_path / TRAININGS / "empty").mkdir()
    found = find_trials(tmp_path, first, OPTIONS, {})
    assert [trial.score for trial in found] == [75.0, 70.0, 50.0], "the last score of each, and no other training"
    assert found[0] == Trial({"learning_rate": 1e-4, "gates.penalty": None}, 75.0)
    assert str(find_trials(tmp_path, first, OPTIONS[:1], {})[0]) == "learning_rate=0.0001: 75.00"
    assert [trial.score for trial in find_trials(tmp_path, first, ["seed"], {})] == [99.0, 70.0]


@pytest.mark.parametrize(
    ("option", "differs"),
    [
        ("learning_rate", True),
        ("batch_size", True),
        ("gates.learning_rate", True),
        ("gates.penalty", False),
        ("gates.keep", False),
        ("seed", False),
        ("weights_seed", False),
        ("train", False),
        ("train.limit", False),
        ("threads", False),
        ("reuse.order", False),
    ],
)
def test_trials_differ_in_how_they_are_optimised(option: str, differs: bool) -> None:
    assert may_differ(option) is differs


def test_of_equal_scores_the_first_by_name_is_best(tmp_path: Path) -> None:
    for name, rate in (("b", 1e-4), ("a", 1e-5)):
        keep(tmp_path, run(name, learning_rate=rate), 80.0)
    assert find_trials(tmp_path, run("a"), OPTIONS[:1], {})[0].options == {"learning_rate": 1e-5}


def test_an_unfinished_trial_is_named_and_not_compared(tmp_path: Path) -> None:
    first = keep(tmp_path, run("a"), 80.0, 85.0)
    begun = keep(tmp_path, run("b", learning_rate=1e-4), 90.0, epochs=0.5)
    for one in (first, begun):
        with pytest.raises(InputError, match=r"'toy' with learning_rate=0\.0001 has not ended"):
            better_trial(tmp_path, one, OPTIONS[:1], {})


def test_a_training_of_so_many_updates_has_ended_with_the_last_of_them(tmp_path: Path) -> None:
    first = keep(tmp_path, run("a", updates=20), 85.0, epochs=2)
    assert better_trial(tmp_path, first, OPTIONS[:1], {}) == ""
    short = keep(tmp_path, run("b", learning_rate=1e-4, updates=20), 90.0, epochs=1.9)
    with pytest.raises(InputError, match="has not ended"):
        better_trial(tmp_path, short, OPTIONS[:1], {})


def test_an_option_that_was_not_there_yet_has_its_usual_value(tmp_path: Path) -> None:
    usual = {"gates.top": None, "gates.penalty": 0.05, "reuse.name": "none"}
    now = keep(tmp_path, run("now", gates={"name": "none", "top": None, "penalty": 0.05}, reuse={"name": "none"}), 60.0)
    keep(tmp_path, run("before", learning_rate=1e-4), 70.0)
    keep(tmp_path, run("with another", learning_rate=1e-5, gates={"name": "none", "top": 6}), 80.0)
    assert [trial.score for trial in find_trials(tmp_path, now, OPTIONS, usual)] == [70.0, 60.0]
    assert find_trials(tmp_path, now, OPTIONS, usual)[0].options == {"learning_rate": 1e-4, "gates.penalty": 0.05}
