"""A composed config goes through JSON and comes back as typed as it was; tasks are found by their import paths."""

import json

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

import launchers.sweep.composed
from launchers.errors import LauncherError
from launchers.sweep.composed import compose_again, import_path, imported, node_types, plain_values
from launchers.sweep.task import load_task, task_path
from study.config import register, to_study
from study.entry_files import CONF
from study.jobs.task import StudyTask

JOBS = [
    ["experiment=table1", "measure.kinds=[ENCODER_SELF]"],
    ["experiment=figure3_bert", "measure=pruning", "precision=screened"],
    [
        "model=hf_classifier",
        "model.path=x",
        "data=nli_file",
        "data.path=y",
        "+model.expected={y:{score:1,tolerance:2}}",
    ],
    ["model=toy_classifier", "data=toy_matched", "results='1e3'", "data.limit=0"],
]


@pytest.mark.parametrize("overrides", JOBS)
def test_a_config_comes_back_as_it_was(overrides: list[str]) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=overrides, return_hydra_config=True)
    values, types = json.loads(json.dumps([plain_values(config), node_types(config)], default=str))
    again = compose_again(values, types)
    assert plain_values(again) == plain_values(config)
    assert OmegaConf.get_type(again, "hydra") is OmegaConf.get_type(config, "hydra")
    for each in (config, again):
        with open_dict(each):
            each.pop("hydra")
    assert to_study(again) == to_study(config)
    with pytest.raises(Exception, match="not in"):
        again.model.nonsense = 1


def test_a_task_is_found_by_its_path() -> None:
    assert task_path(StudyTask()) == "study.jobs.task:StudyTask"
    assert isinstance(load_task("study.jobs.task:StudyTask"), StudyTask)
    assert imported(import_path(launchers.sweep.composed.plain_values)) is plain_values


def test_one_that_no_other_process_could_find_is_refused() -> None:
    with pytest.raises(LauncherError, match="function at the top of a module"):
        task_path(lambda config: config)

    class Local:
        def __call__(self) -> None: ...

    with pytest.raises(LauncherError, match="has no import path"):
        task_path(Local())


def test_one_whose_class_needs_arguments_is_refused() -> None:
    with pytest.raises(LauncherError, match="constructor takes no arguments"):
        task_path(Needy(1))


class Needy:
    def __init__(self, number: int) -> None: ...

    def __call__(self) -> None: ...
