"""Jobs that are composed once for many are what Hydra itself composes for each."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from launchers.sweep.composed import node_types, plain_values
from launchers.sweep.composition import Composer
from study.command.commands import CommandCallback
from study.config import register
from study.entry_files import CONF, options

TOY = ["model=toy_classifier", "data=toy_matched"]
CASES = [
    TOY,
    ["model=toy_classifier", "data=toy_mismatched", "data.limit=7", "threads=2", "device=cpu"],
    ["data.limit=7", "data=toy_news", "model=toy_translator", "results='a b'", "memory_gb=1"],
    ["model=hf_classifier", "model.path=${results}/x", "data=toy_matched", "measure=pruning", "measure.steps=every"],
    [*TOY, "measure.order.seeds=5", "measure=pruning", "measure/order=random"],
    [*TOY, "measure=pruning_random", "measure/order=file", "measure.order.file=x", "measure.order.reverse=true"],
    [*TOY, "+model.expected={toy_matched:{score:3,tolerance:1}}", "precision=bfloat16"],
    [*TOY, "+model.expected={a:{score:3,tolerance:1}}", "model.expected.a.score=4", "data.limit=null"],
    [*TOY, "hydra.job.chdir=true", "hydra.job.name=${device}", "device=cpu"],
    [*TOY, "shard=1", "shards=2", "shard=0"],
    ["measure.kinds=[CROSS]", "data=toy_news", "model=toy_translator"],
    [*TOY, "++results=elsewhere", "plan=true"],
]


@pytest.fixture
def sweep() -> Iterator[DictConfig]:
    """The config of a sweep with options of its own."""
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        options = ["hydra.job.name=mine", "batch_tokens=5"]
        yield GlobalHydra.instance().config_loader().load_configuration("config", options, RunMode.MULTIRUN)


def by_hydra(sweep: DictConfig, overrides: list[str], number: int) -> DictConfig:
    config = GlobalHydra.instance().config_loader().load_sweep_config(sweep, overrides)
    with open_dict(config):
        config.hydra.job.id, config.hydra.job.num = str(number), number
    return config


def of(config: DictConfig) -> tuple[dict[str, Any], dict[str, str]]:
    return plain_values(config), node_types(config)


def compare(composer: Composer, sweep: DictConfig, jobs: Sequence[list[str]]) -> None:
    for number, overrides in enumerate(jobs):
        expected = by_hydra(sweep, overrides, number)
        composed = composer.compose(overrides, number)
        assert of(composed.config()) == of(expected), overrides
        assert composed.plain() == plain_values(expected), overrides
        assert composed.template.types == node_types(expected), overrides
        with open_dict(expected):
            expected.pop("hydra")
        assert of(composed.task_config()) == of(expected), overrides


def test_as_hydra_composes(sweep: DictConfig) -> None:
    compare(Composer(GlobalHydra.instance().config_loader(), sweep), sweep, CASES)


@pytest.mark.exhaustive
@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_job_of_an_experiment(experiment: str) -> None:
    compare_experiment(experiment, every=1)


def test_jobs_of_an_experiment() -> None:
    compare_experiment("toy_gates", every=12)


def compare_experiment(experiment: str, every: int) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        sweep = loader.load_configuration("config", [f"experiment={experiment}"], RunMode.MULTIRUN)
        CommandCallback().on_multirun_start(sweep)
        from hydra_plugins.sixteen_heads import GridSweeper  # Hydra loads its plugins anew

        sweeper = sweep.hydra.sweeper
        words = [*(f"{name}={value}" for name, value in sweeper.params.items()), f"experiment={experiment}"]
        grids = GridSweeper(None, sweeper.params, sweeper.get("grids"))
        (jobs,) = grids.split_arguments(OverridesParser.create().parse_overrides(words), None)
        compare(Composer(loader, sweep), sweep, jobs[-1::-every])


FILES = {
    "config": "defaults: [b: one, d: one, a: one, c: '${a}_${b}', _self_]\nroot: {x: 1}",
    "a/one": "x: 1",
    "a/two": "x: 2",
    "a/elsewhere": "# @package _global_\na: {x: 3}\nb: {x: 1}",
    "a/over": "# @package _global_\ndefaults: [override /d: two, _self_]\na: {x: 4}",
    "b/one": "x: 1",
    "b/two": "x: 2",
    "d/one": "x: 1",
    "d/two": "x: 2",
}


def test_choices_that_meet_elsewhere(tmp_path: Path) -> None:
    """One writes what another writes too, with the value that stands there; one chooses for it; one chooses by both."""
    files = FILES | {f"c/{a}_{b}": f"x: {a}{b}" for a in ("one", "two", "elsewhere", "over") for b in ("one", "two")}
    for name, text in files.items():
        file = tmp_path / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    jobs = [[f"a={a}", f"b={b}"] for a in ("one", "two", "elsewhere", "over") for b in ("one", "two")]
    jobs += [["a=one", "b=two", "d=${a}"], ["a=two", "b=two", "d=${a}"]]
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        sweep = loader.load_configuration("config", [], RunMode.MULTIRUN)
        compare(Composer(loader, sweep), sweep, jobs)


def test_one_template_for_jobs_that_differ_in_values(sweep: DictConfig) -> None:
    composer = Composer(GlobalHydra.instance().config_loader(), sweep)
    jobs = [composer.compose([*TOY, f"data.limit={limit}"], limit) for limit in (3, 4)]
    assert jobs[0].template is jobs[1].template
    assert [job.task_config().data.limit for job in jobs] == [3, 4]
    assert (
        composer.compose(["model=hf_classifier", "data=toy_matched", "data.limit=3"], 2).template
        is not jobs[0].template
    )


def test_overrides_are_parsed_as_hydra_parses_them(sweep: DictConfig) -> None:
    loader = GlobalHydra.instance().config_loader()
    composer, parser = Composer(loader, sweep), OverridesParser.create(loader)
    values = ["5", "", "0", "-1", "12", "90071992547409931", "007", "1_0", "+1", "-0", "1.0", "1e3", "3a", "5,6"]
    for key in ("threads", "data.limit", "hydra.job.num", "model/data", "+a_b.c1", "~threads"):
        for override in (f"{key}={value}" for value in values):
            assert composer._parse(override) == parser.parse_overrides([override])[0], override


@pytest.mark.parametrize("wrong", [["model=nothing"], ["threads=many"], ["nothing=1"], ["data.limit=x"]])
def test_what_hydra_refuses_is_refused(sweep: DictConfig, wrong: list[str]) -> None:
    composer = Composer(GlobalHydra.instance().config_loader(), sweep)
    with pytest.raises(HydraException) as ours:
        composer.compose([*TOY, *wrong], 0).task_config()
    with pytest.raises(HydraException) as theirs:
        by_hydra(sweep, [*TOY, *wrong], 0)
    assert str(ours.value) == str(theirs.value)
