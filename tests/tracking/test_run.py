"""A run is of what was asked: its id, its name, what is shown of its configuration, where it goes."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from analysis.tracking.wandb_project import WandbProject, not_online
from study.config import StudyConfig, compose, to_study
from study.jobs.job_run import run_of
from study.record.errors import InputError
from study.record.setting import Setting
from study.tracking.options import Mode, WandbTracking
from study.tracking.run import Run, request_id, serves_trainings, with_distinct_id, with_past, write_run
from study.tracking.tracker import open_tracker
from study.tracking.wandb_config import wandb_config

OLD = "18f15317c178"
"""As an earlier version made it: of the setting and the measure alone."""


def asked(place: Path, *more: str) -> tuple[StudyConfig, Run]:
    """A job of a model, one of whose names is another's weights."""
    jobs = ("model=hf_classifier", "model.path=x", "data=nli_file", "data.path=y", f"results={place}")
    study = to_study(compose(*jobs, *more))
    setting = Setting(study.model.name, study.data.name, "accuracy", {"weights": 1}, {"digest": 2}, "v1")
    return study, run_of(study, setting, 120)


def kept_by_an_earlier_version(run: Run, place: Path, id_: str = OLD) -> None:
    """Its record, with the whole configuration, and without options that are newer than it."""
    measure = {name: value for name, value in run.measure_options.items() if name != "allow_empty_layers"}
    before = replace(run, id=id_, options={}, config={**run.config, "measure": measure, "tracking": {"mode": "online"}})
    write_run(before, place / run.model / run.data / run.setting_id)


def test_equal_weights_under_two_names_are_two_runs_of_one_setting(tmp_path: Path) -> None:
    (_, last), (_, named), (_, again) = (
        asked(tmp_path, *more) for more in (["model.epoch=4"], [], ["tracking=wandb", "device=cpu"])
    )
    assert last.setting_id == named.setting_id
    assert last.id != named.id == again.id
    assert (
        len({asked(tmp_path, *more)[1].id for more in (["data.limit=5"], ["shards=2"], ["measure=no_head"], [])}) == 4
    )


def test_a_run_that_an_earlier_version_has_kept_goes_on_under_its_id(tmp_path: Path) -> None:
    more = ("measure=pruning_random", "measure.seeds=2")
    _, run = asked(tmp_path, *more)
    kept_by_an_earlier_version(run, tmp_path)
    assert asked(tmp_path, *more)[1].id == OLD
    assert asked(tmp_path, "measure=pruning_random")[1].id != OLD, "another number of seeds is another job"
    assert asked(tmp_path, *more, "model.epoch=4")[1].id != OLD, "another name is another run"


def test_what_trainings_asked_for_is_theirs_until_somebody_asks_for_it(tmp_path: Path) -> None:
    _, run = asked(tmp_path)
    assert not serves_trainings(tmp_path), "a folder without runs is nobody's"
    helping = replace(run, for_training=True)
    for each, whose in ((helping, True), (run, False), (helping, False)):
        write_run(with_past(each, tmp_path), tmp_path)
        assert serves_trainings(tmp_path) is whose
    (tmp_path / "runs" / f"{run.id}.json").write_text("{")
    assert not serves_trainings(tmp_path), "what a damaged file is of is not known"


def test_two_names_that_had_one_id_are_told_apart_in_wandb(tmp_path: Path) -> None:
    """The first by name goes on under the id that it has there, the other has its own, always the same."""
    runs = [asked(tmp_path, *more)[1] for more in (["model.epoch=4"], [])]
    for run in runs:
        kept_by_an_earlier_version(run, tmp_path)
    last, named = (asked(tmp_path, *more)[1] for more in (["model.epoch=4"], []))
    assert last.id == named.id == OLD
    shown = [with_distinct_id(run, tmp_path).shown_id for run in (named, last)]
    assert shown[0] == OLD != shown[1]
    assert shown[1] == with_distinct_id(last, tmp_path).shown_id


@pytest.mark.parametrize(
    ("more", "name"),
    [
        (["measure=pruning"], "pruning by importance of x on y"),
        (["measure=pruning_random", "measure.seeds=5"], "pruning by random (seeds=5) of x on y"),
        (["measure=pruning_cross"], "pruning by importance (kinds=cross) of x on y"),
        (["measure=pruning", "measure.order=file", "measure.file=/home/me/o.txt"], "pruning by file (file=o.txt)"),
        (["measure=ablation", "model.epoch=4", "shards=2"], "ablation of x-epoch4 on y, shard 0 of 2"),
    ],
)
def test_a_name_tells_jobs_apart(tmp_path: Path, more: list[str], name: str) -> None:
    assert asked(tmp_path, *more)[1].name.startswith(name)


def test_a_full_name_tells_seeds_apart(tmp_path: Path) -> None:
    run = asked(tmp_path)[1]
    assert run.full_name == run.name
    seeded = replace(run, config={"model": {"training": {"seed": 3, "order_seed": 7}}})
    assert seeded.full_name == f"{run.name} (seed 3, order seed 7)"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), ""),
        (("replacement=mean",), "mean"),
        (("replacement=mean", "replacement.leave_out=none"), "mean over all tokens"),
        (("replacement=resample", "replacement.draws=4", "replacement.seed=1"), "resample in 4 draws (seed 1)"),
        (("replacement=resample", "replacement.position=random_token"), "resample at random tokens"),
        (("replacement.acts_on=scored",), "zero at scored tokens"),
    ],
)
def test_a_full_name_tells_replacements_apart(tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    run = asked(tmp_path, *more)[1]
    assert run.full_name == (f"{run.name} (replacement {words})" if words else run.name)


def test_ids_tell_replacements_apart(tmp_path: Path) -> None:
    run = asked(tmp_path)[1]
    options = ({"name": "zero"}, {"name": "mean"}, {"name": "mean", "limit": 5}, {"name": "zero", "acts_on": "scored"})
    ids = {request_id(replace(run, config={"replacement": own})) for own in options}
    assert len(ids) == 4
    assert request_id(replace(run, config={})) in ids, "ids of runs at zero stay"


def test_what_is_shown_is_what_one_would_group_by(tmp_path: Path) -> None:
    _, run = asked(tmp_path, "model.epoch=4", "data.limit=50", "shards=2", "tracking=wandb", "measure=pruning_cross")
    shown = wandb_config(run.config)
    assert shown["model"] == {
        "name": "x-epoch4", "epoch": 4.0, "max_length": 128, "truncate": False,
    }  # fmt: skip
    assert shown["data"] == {"name": "y", "limit": 50}
    assert (shown["measure"]["order"], shown["measure"]["kinds"]) == ("importance", ["cross"])
    assert (shown["precision"], shown["shards"]) == ("float32", 2)
    assert not {"tracking", "results", "device", "threads", "plan", "screening"} & set(shown)


def test_of_a_training_its_settings_are_shown(tmp_path: Path) -> None:
    study = to_study(compose("model=toy_classifier", "data=toy_matched", "measure=train"))
    training = wandb_config(json.loads(json.dumps(asdict(study), default=str)))["model"]["training"]
    assert (training["train"], training["seed"], training["epochs"]) == ({"name": "toy_train"}, 0, 4)
    assert not {"folder", "threads", "record_every", "save_every"} & set(training)


@pytest.mark.parametrize(
    ("given", "environment", "place", "command"),
    [
        ({}, {}, "sixteen-heads", "study push"),
        ({}, {"PROJECT": "mine"}, "mine", "study push"),
        ({"project": "x"}, {"PROJECT": "mine"}, "x", "study push --wandb x"),
        ({"project": "x", "entity": "lab"}, {}, "lab/x", "study push --wandb lab/x"),
        ({"project": "x"}, {"ENTITY": "us"}, "us/x", "study push --wandb us/x"),
    ],
)
def test_jobs_and_pushes_go_to_one_place(
    given: dict, environment: dict, place: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    tracking = WandbTracking(**given)
    assert tracking.push(Path("results")) == command
    assert str(WandbProject.parse(command.partition("--wandb ")[2], offline=True)) == place


def test_the_command_that_is_advised_names_the_results(tmp_path: Path) -> None:
    assert WandbTracking().push(tmp_path / "my results") == f"study push '{tmp_path}/my results'"


def test_where_wandb_is_disabled_nothing_is_kept_and_a_push_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert open_tracker(WandbTracking(), tmp_path) is None
    assert open_tracker(WandbTracking(mode=Mode.offline), tmp_path) is not None, "what is asked for goes first"
    with pytest.raises(InputError, match="WANDB_MODE=disabled: nothing is sent"):
        not_online()
