"""Live tracking against the stand-in server, through the real client: what arrives, and what a fault costs."""

import base64
import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import wandb
from fixtures.jobs import NUM_PAIRS, overrides
from fixtures.processes import study
from fixtures.wandb.halting import halting, until_arrived
from fixtures.wandb.stand_in import KEY, StandIn

from analysis.__main__ import main
from study.config import compose
from study.jobs.task import StudyTask
from study.record.errors import InputError
from study.record.store import read_parts
from study.terminal.once import say_once
from study.tracking.history import OutcomesHistory
from study.tracking.run import read_runs
from study.tracking.wandb_access import online_refusal
from study.tracking.wandb_run import WandbRun

pytestmark = pytest.mark.usefixtures("undrawn")

ONLINE = ("tracking=wandb",)
IMPATIENT = "tracking.patience=2"
STOPPED = "tracking has stopped"


@pytest.fixture(autouse=True)
def _ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WandbRun, "lost", False)
    online_refusal.cache_clear()


def job(place: Path, *more: str, measure: str = "ablation") -> dict[str, object]:
    return StudyTask()(compose(*overrides(place, f"measure={measure}", *ONLINE, *more)))


def stored(place: Path) -> int:
    (path,) = (place / "results").glob("*/*/*/setting.json")
    return read_parts(path.parent).rows.height


def test_a_run_arrives_and_a_repeated_job_sends_and_changes_nothing(
    place: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job(place)
    (run,) = server.runs.values()
    assert (run.name, run.job_type, run.project) == ("ablation of model on pairs", "ablation", "sixteen-heads")
    assert run.tags == ["model", "pairs"]
    assert run.config["model"]["max_length"] == 32
    assert run.steps == [NUM_PAIRS, 9 * NUM_PAIRS]
    assert run.exit_code == 0
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("wandb.init", lambda **_: pytest.fail("W&B is started for nothing"))
    say_once.cache_clear()
    (record,) = (place / "results").glob("*/*/*/runs/*.json")
    before, asked = record.read_bytes(), len(server.bodies)
    for mode in ("online", "offline"):
        assert job(place, f"tracking.mode={mode}", "tracking.group=another")["masks"] == 9
    assert (record.read_bytes(), len(server.bodies)) == (before, asked)
    (said,) = [message for message in caplog.messages if "nothing is sent" in message]
    assert f"`study push {place / 'results'}` sends" in said


def test_two_measures_at_once_do_not_mix(place: Path, server: StandIn) -> None:
    """Two jobs of one packed element: two runs, each with its own rows."""
    from concurrent.futures import ThreadPoolExecutor

    configs = [compose(*overrides(place, f"measure={name}", *ONLINE)) for name in ("ablation", "all_but_one")]
    StudyTask()(compose(*overrides(place, "measure=base")))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(StudyTask(), configs))
    runs = {run.job_type: run for run in server.runs.values()}
    assert set(runs) == {"ablation", "all_but_one"}
    for run in runs.values():
        assert run.history[max(run.history)]["progress/rows"] == 8 * NUM_PAIRS
        assert run.config["measure"]["name"] == run.job_type


def test_no_key_is_in_anything_that_is_sent_or_kept(
    place: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_planted_as_well")
    job(place)
    secrets = [KEY.encode(), b"hf_planted_as_well", base64.b64encode(f"api:{KEY}".encode())]
    kept = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not any(secret in content for content in [*server.bodies, *kept])


def _gone(server: StandIn) -> Callable[[str], str]:
    """Answers until the run has begun, then never again."""
    return lambda path: "cut" if any(run.config for run in server.runs.values()) and "stream" in path else ""


FAULTS: dict[str, Callable[[StandIn], Callable[[str], str]]] = {
    "500": lambda _: lambda _path: "500",
    "429": lambda _: lambda _path: "429",
    "cut": lambda _: lambda _path: "cut",
    "too slow": lambda _: lambda _path: "slow5",
    "disappears": _gone,
    "uploads fail": lambda _: lambda path: "500" if path.startswith("/run/") or "stream" in path else "",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_a_warning_and_seconds_but_no_outcome(
    place: Path, server: StandIn, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.fault = FAULTS[fault](server)
    begin = time.monotonic()
    done = job(place, IMPATIENT)
    wandb.teardown()  # as at the end of the process
    assert time.monotonic() - begin < 300, "it would wait without end"
    assert done["masks"] == 9
    assert stored(place) == 9 * NUM_PAIRS
    assert sum(STOPPED in message for message in caplog.messages) == 1
    asked = len(server.bodies)
    job(place, IMPATIENT, measure="no_head")
    assert len(server.bodies) == asked, "a sweep waits for it once, not with every job"
    assert len(list((place / "results" / "wandb").glob("offline-run-*"))) == 1
    server.fault = lambda _path: ""
    WandbRun.lost = False  # a new process
    job(place)
    (run,) = server.runs.values()
    assert run.steps == [NUM_PAIRS, 9 * NUM_PAIRS], "the next time completes it"


def test_a_slow_server_is_waited_for(place: Path, server: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    server.fault = lambda _path: "slow0.2"
    job(place, "tracking.patience=10")
    (run,) = server.runs.values()
    assert run.steps == [NUM_PAIRS, 9 * NUM_PAIRS]
    assert not any(STOPPED in message for message in caplog.messages)


def test_a_wrong_key_stops_a_sweep_before_it_starts_and_costs_a_running_job_nothing(
    place: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "expired" * 6)
    with pytest.raises(InputError, match="does not accept the key"):
        StudyTask().check(compose(*overrides(place, *ONLINE)))
    assert job(place, IMPATIENT)["masks"] == 9
    assert stored(place) == 9 * NUM_PAIRS
    assert sum(STOPPED in message for message in caplog.messages) == 1


@pytest.mark.parametrize("asked", ["tracking.mode=online", "WANDB_MODE"])
def test_online_without_a_key_stops_a_sweep_and_costs_a_running_job_nothing(
    place: Path, asked: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a terminal, where wandb would ask for a key and wait."""
    more = [asked] if "=" in asked else []
    if not more:
        monkeypatch.setenv(asked, "online")
    monkeypatch.setattr("wandb.init", lambda **_: pytest.fail("wandb asks for a key"))
    with pytest.raises(InputError, match="no key is found: `wandb login`"):
        StudyTask().check(compose(*overrides(place, *ONLINE, *more)))
    assert job(place, *more, measure="base")["masks"] == 1
    assert sum(STOPPED in message for message in caplog.messages) == 1


def test_a_foreign_entity_is_refused_and_an_own_one_is_not(place: Path, server: StandIn) -> None:
    with pytest.raises(InputError, match="may not write to the entity 'others'; it may to lab"):
        StudyTask().check(compose(*overrides(place, *ONLINE, "tracking.entity=others")))
    StudyTask().check(compose(*overrides(place, *ONLINE, "tracking.entity=lab")))


def test_a_server_that_is_not_there_refuses_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    StudyTask().check(compose(*overrides(place, *ONLINE, IMPATIENT)))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("tracking.project=a/b", "does not allow the project name 'a/b'"),
        ("tracking.project=" + "x" * 129, "1 to 128 characters"),
        ("tracking.entity=a b", "no entity named 'a b'"),
        ("tracking.tags=[" + "x" * 65 + "]", "1 to 64 characters"),
        ("tracking.group=" + "x" * 129, "1 to 128 characters"),
        ("tracking.patience=0", "above 0"),
    ],
)
def test_names_that_are_not_allowed_are_refused_in_words(place: Path, wrong: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        StudyTask()(compose(*overrides(place, *ONLINE, wrong)))
    assert not list((place / "results").rglob("part-*"))


def test_a_folder_that_wandb_cannot_write_costs_nothing(
    place: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    (place / "results").mkdir(exist_ok=True)
    (place / "results" / "wandb").write_text("a file where a folder should be")
    assert job(place)["masks"] == 9
    assert stored(place) == 9 * NUM_PAIRS
    (said,) = [message for message in caplog.messages if STOPPED in message]
    assert f"cannot write to {place / 'results' / 'wandb'}" in said


def test_a_run_of_a_wandb_sweep_has_the_agents_id_also_for_a_push(
    place: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"SWEEP_ID": "sweep1", "RUN_ID": "agentrun", "PROJECT": "swept", "ENTITY": "lab"}
    for name, value in given.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    job(place)
    (run,) = server.runs.values()
    assert (run.id, run.project) == ("agentrun", "swept")
    wandb.teardown()
    for name in given:
        monkeypatch.delenv(f"WANDB_{name}")
    before = list(run.steps)
    assert main(["push", str(place / "results"), "--wandb", "lab/swept", "--resamples", "200"]) == 0
    assert [other.id for other in server.runs.values() if other.job_type == "ablation"] == ["agentrun"]
    assert run.steps == before == [NUM_PAIRS, 9 * NUM_PAIRS]


@pytest.mark.slow
def test_a_job_that_is_killed_and_goes_on_is_one_history(
    place: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed by force once its first point has arrived."""
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "0.1")
    asked = [*overrides(place, "measure=ablation", *ONLINE)]
    with halting(1, *asked, place=place):
        until_arrived(server, 1)
    assert stored(place) == NUM_PAIRS
    job(place)
    (run,) = server.runs.values()
    assert run.steps == [NUM_PAIRS, 9 * NUM_PAIRS]
    assert (run.exit_code, run.summary["masks"]) == (0, 9)
    wandb.teardown()
    assert main(["push", str(place / "results"), "--wandb", "lab/sixteen-heads", "--resamples", "200"]) == 0
    assert run.steps == [NUM_PAIRS, 9 * NUM_PAIRS]


@pytest.mark.slow
def test_jobs_of_a_pack_do_not_mix(place: Path, server: StandIn) -> None:
    """Each a process of its own, at the same time, as in an element of SLURM."""
    asked = overrides(place, "measure=ablation,all_but_one", *ONLINE, "hydra/launcher=local_pool")
    pool = ["hydra.launcher.processes=2", "tracking.group=packed", "--multirun"]
    assert study(place, *asked, *pool).returncode == 0
    runs = {run.job_type: run for run in server.runs.values()}
    assert set(runs) == {"ablation", "all_but_one"}
    (setting,) = (place / "results").glob("*/*/*/setting.json")
    for kept in read_runs(setting.parent):
        run = runs[kept.measure]
        points = OutcomesHistory(setting.parent, kept.id, kept.examples).fresh()
        assert run.steps == [point.step for point in points]
        assert (run.id, run.group, run.exit_code) == (kept.id, "packed", 0)
        assert run.config["measure"]["name"] == kept.measure
        assert run.summary["lowest_effect_of"] == kept.summary["lowest_effect_of"]
