"""Filling a project run by run: settled after one push, true where two labs share it, never silent or without end."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.wandb.stand_in import StandIn

from analysis.tracking.fetch import fetch_outcomes
from analysis.tracking.push import PushResult, push
from analysis.tracking.wandb_artifacts import Content
from analysis.tracking.wandb_project import WandbError, WandbProject
from analysis.tracking.wandb_runs import PlannedRun
from study.tracking.history import Point
from study.tracking.run import Run

OUTCOMES = {"model": "m", "data": "d", "setting": "s", "subject": "u"}


def job(name: str, **more: object) -> PlannedRun:
    """A run of its own, with two points."""
    run = Run(name, "s", f"model-{name}", "d", "base", 1, {"model": {"name": f"model-{name}"}}, group=f"group-{name}")
    return PlannedRun(replace(run, **more), [Point(step, {"progress/rows": step}) for step in (1, 2)])


def filled(runs: list[PlannedRun], results: Path, wait: float = 60.0) -> PushResult:
    return push(runs, WandbProject("lab", "heads"), results, offline=False, wait=wait)


def outcomes(folder: Path, *parts: str) -> Content:
    folder.mkdir(exist_ok=True)
    names = ("setting.json", "examples.parquet", *parts)
    for name in names:
        (folder / name).write_text(f"of {name}")
    return Content("outcomes", ("m", "d", "s"), {name: folder / name for name in names}, OUTCOMES)


def lab(content: Content, name: str) -> list[PlannedRun]:
    """A job that has computed some outcomes, and what sums them up."""
    said = Content("effects", ("m", "d", "s"), {"effects.csv": content.files["setting.json"]})
    summary = Run("effects", "s", "m", "d", "effects", 1, {}, summary={"masks": len(content.files)})
    effects = PlannedRun(summary, inputs=(content,), outputs=(said,), media_digest=content.digest, sums_up=(content,))
    return [replace(job(name), outputs=(content,)), effects]


def test_two_labs_that_share_a_setting_never_take_from_each_other(server: StandIn, tmp_path: Path) -> None:
    """Whoever has less leaves what sums up more; whoever has fetched all says all; then nothing moves any more."""
    first = lab(outcomes(tmp_path / "a", "part-1.parquet"), "a")
    second = lab(outcomes(tmp_path / "b", "part-2.parquet"), "b")
    assert filled(first, tmp_path).sent == 2
    done = filled(second, tmp_path)
    assert (done.sent, done.outdated) == (1, ("effects of m on d",))
    assert server.runs["effects"].summary["masks"] == 3
    content = outcomes(tmp_path / "c", "part-1.parquet", "part-2.parquet")
    both = [replace(job(name), outputs=(content,)) for name in "ab"] + lab(content, "a")[1:]
    assert (filled(both, tmp_path).sent, server.runs["effects"].summary["masks"]) == (1, 4)
    done = filled([*both, *first], tmp_path)
    assert (done.sent, done.unchanged, done.outdated) == (0, 4, ("effects of m on d",))


def test_what_had_one_id_is_two_runs_and_each_keeps_what_it_is(server: StandIn, tmp_path: Path) -> None:
    """The one that W&B shows under the id of before goes on there; the other one is sent under its own."""
    named, last = (replace(job(name), former_id="old") for name in ("named", "last"))
    assert filled([replace(named, run=replace(named.run, id="old"), former_id="")], tmp_path).sent == 1
    assert filled([named, last], tmp_path).sent == 1, "the marks of the one there are as before"
    assert {(run.id, run.name, run.group) for run in server.runs.values()} == {
        ("old", named.run.name, "group-named"),
        ("last", last.run.name, "group-last"),
    }
    assert server.runs["last"].config["model"] == {"name": "model-last"}
    assert filled([named, last], tmp_path).sent == 0
    assert all(run.steps == [1, 2] for run in server.runs.values())


def test_a_server_that_falls_silent_is_left_in_time_and_all_is_said(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [job(name) for name in ("a", "b", "c")]
    server.fault = lambda _path: "slow600" if "b" in server.runs else ""
    begin = time.monotonic()
    with pytest.raises(WandbError) as error:
        filled(runs, tmp_path, wait=4.0)
    assert time.monotonic() - begin < 60
    assert "no answer within 4 seconds. 1 of 3 runs are done with (1 sent now), 2 remain" in str(error.value)
    assert "the same command goes on from there" in str(error.value)
    assert "pushing 2 of 3: base of model-b on d" in capsys.readouterr().err
    server.fault = lambda _path: ""
    done = filled(runs, tmp_path)
    assert (done.sent, done.unchanged) == (2, 1)
    assert all((run.steps, run.exit_code) == ([1, 2], 0) for run in server.runs.values())


def test_storage_that_sends_nothing_is_left_in_time(server: StandIn, tmp_path: Path) -> None:
    content = outcomes(tmp_path / "a", "part-1.parquet")
    known = {"content": content.digest, "files": content.hashes, **content.about}
    filled([replace(job("a"), outputs=(replace(content, about=known),))], tmp_path)
    server.fault = lambda path: "slow600" if path.startswith(("/blob", "/manifest")) else ""
    begin = time.monotonic()
    with pytest.raises(WandbError, match="no answer within 1 second"):
        fetch_outcomes(WandbProject("lab", "heads"), tmp_path / "fetched", wait=1.0)
    assert time.monotonic() - begin < 30
    assert not [path for path in (tmp_path / "fetched").rglob("*") if path.is_file()]
