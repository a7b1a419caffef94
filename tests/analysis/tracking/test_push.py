"""Filling the stand-in from a results folder, through the real client, as often as one likes."""

import base64
import io
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest
from fixtures.jobs import NUM_PAIRS, make_place, overrides
from fixtures.wandb.home import settle, visit
from fixtures.wandb.run_file import read_run
from fixtures.wandb.stand_in import KEY, StandIn, serving
from PIL import Image

from analysis.__main__ import main
from analysis.results.read import read_domain
from analysis.tracking.wandb_project import WandbError, WandbProject
from analysis.tracking.wandb_tables import _strokes, wandb_table
from study.config import compose
from study.jobs.task import StudyTask
from study.record.factors import Factors
from study.record.parts import every_part
from study.tracking.run import read_runs

PLACE = "lab/heads"

OTHER_KEY = "hf_planted_as_well"

QUICK = ("--resamples", "200", "--splits", "3")
"""How sure one can be of an effect is not what is tested here."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with the results of three measures that were tracked nowhere."""
    place = make_place(tmp_path_factory.mktemp("made"))
    for measure in ("ablation", "importance", "pruning"):
        StudyTask()(compose(*overrides(place, f"measure={measure}")))
    return place


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    shutil.copytree(made / "results", tmp_path / "results")
    return tmp_path / "results"


@dataclass(frozen=True)
class Sent:
    """What a push with weights has sent to a server of its own: the results it is of, and what was said."""

    results: Path
    server: StandIn
    said: str


@pytest.fixture(scope="module")
def sent_once(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    place = tmp_path_factory.mktemp("sent")
    shutil.copytree(made / "results", place / "results")
    with serving() as stand_in:
        with pytest.MonkeyPatch.context() as environment, redirect_stdout(io.StringIO()) as said:
            settle(place, environment)
            visit(stand_in, environment)
            environment.setenv("HF_TOKEN", OTHER_KEY)
            assert push(place / "results", "--weights") == 0
        yield Sent(place / "results", stand_in, said.getvalue())
        assert not stand_in.unknown, stand_in.unknown


@pytest.fixture
def sent(sent_once: Sent, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """One push for all tests that look at what it sent, or push once more."""
    visit(sent_once.server, monkeypatch)
    return sent_once


def setting_of(results: Path) -> Path:
    (path,) = results.glob("*/*/*/setting.json")
    return path.parent


def push(results: Path, *more: str) -> int:
    return main(["push", str(results), "--wandb", PLACE, *QUICK, *more])


def test_push_fills_a_project_and_a_second_one_sends_nothing(sent: Sent, capsys) -> None:
    results, server = sent.results, sent.server
    runs = {run.job_type: run for run in server.runs.values()}
    assert set(runs) == {"ablation", "importance", "pruning", "effects", "report"}
    folder = setting_of(results)
    for kept in read_runs(folder):
        run = server.runs[kept.id]
        mine = [part for part in every_part(folder) if json.loads(_known(part))["run"] == kept.id]
        assert run.steps == pl.Series([pl.read_parquet(part).height for part in mine]).cum_sum().to_list()
        assert {name: run.summary[name] for name in kept.summary} == kept.summary
        asked = {name: value for name, value in kept.config["measure"].items() if value not in (None, "", [])}
        assert run.config["measure"] == asked
    artifacts = {made.type: made for made in server.artifacts.values()}
    assert set(artifacts) == {"model", "data", "outcomes", "effects", "report", "run_table"}
    outcomes = artifacts["outcomes"]
    assert set(outcomes.manifest["contents"]) == set(outcomes.metadata["files"])
    used = {(server.runs[run].job_type, server.artifacts[made].type) for run, made in server.used}
    assert {("ablation", "model"), ("ablation", "data"), ("effects", "outcomes"), ("report", "effects")} <= used
    assert "5 runs sent, 0 were there already" in sent.said
    uploads, artifacts_before, views = list(server.uploads), len(server.artifacts), set(server.views)
    history = {run.id: dict(run.history) for run in server.runs.values()}
    assert push(results, "--weights") == 0
    assert "0 runs sent, 5 were there already" in capsys.readouterr().out
    assert (server.uploads, len(server.artifacts)) == (uploads, artifacts_before)
    assert {run.id: dict(run.history) for run in server.runs.values()} == history
    assert set(server.views) == views, "the view is renewed, and no second one is made"


def test_a_view_shows_the_effects_at_first_sight(sent: Sent) -> None:
    from analysis.tracking.wandb_view import NAME

    server = sent.server
    (view,) = server.views.values()
    assert f"The view '{NAME}': " in sent.said
    assert view["displayName"] == NAME
    section = json.loads(view["spec"])["section"]
    (runset,) = section["runSets"]
    assert '"effects"' in json.dumps(runset["filters"]), "of other runs nothing is shown"
    assert [key["name"] for key in runset["grouping"]] == ["group"]
    pinned = [f"summary:{name}" for name in ("base", "strongest", "effect", "significant", "heads")]
    assert set(pinned) <= set(json.dumps(runset).split('"'))
    panels = {panel["viewType"] for group in section["panelBankConfig"]["sections"] for panel in group["panels"]}
    assert {"Parallel Coordinates Plot", "Bar Chart"} <= panels
    (run,) = [run for run in server.runs.values() if run.job_type == "effects"]
    assert {"base", "strongest", "effect", "significant", "heads"} <= set(run.summary), "what is pinned is there"
    assert (run.config["family"], run.config["domain"]) == ("model", "pairs")
    assert f"{run.summary['base']:.2f} %" in run.notes


def test_factors_that_differ_are_columns_and_groups(made: Path) -> None:
    from analysis.tracking.wandb_view import build  # its library warns when it is imported

    domain = read_domain(setting_of(made / "results"))
    places = [Factors("model", "pairs", "float32", seed=seed) for seed in (1, 2)]
    view = build([replace(domain, factors=(place,)) for place in places], WandbProject("lab", "heads"))
    assert [str(key.name) for key in view.runset_settings.groupby] == ["Group", "seed"]
    assert "config:seed" in view.runset_settings.pinned_columns
    plot = view.sections[0].panels[0]
    assert [column.metric.name for column in plot.columns] == ["seed", "base", "effect", "significant"]


def test_a_server_that_keeps_no_view_costs_no_run(results: Path, server: StandIn, monkeypatch, capsys) -> None:
    from analysis.tracking import wandb_view

    def refused(*_: object) -> str:
        raise WandbError("no views here")

    monkeypatch.setattr(wandb_view, "save_view", refused)
    assert push(results) == 0
    said = capsys.readouterr().out
    assert "5 runs sent" in said
    assert "is not saved, push again for it: no views here" in said


def _known(part: Path) -> str:
    return pl.read_parquet_metadata(part)["provenance"]


def test_tables_are_the_numbers_of_the_analysis(sent: Sent) -> None:
    results, server = sent.results, sent.server
    (run,) = [run for run in server.runs.values() if run.job_type == "effects"]
    shown = {name: json.loads(body) for name, body in run.files.items() if name.endswith(".table.json")}
    (effects,) = [table for name, table in shown.items() if "/effects_" in name and "charts" not in name]
    assert main([str(results), *QUICK]) == 0
    computed = pl.read_parquet(results / "analysis" / "tables" / "effects.parquet")
    sent = [dict(zip(effects["columns"], row, strict=True)) for row in effects["data"]]
    assert [row["effect"] for row in sent] == pytest.approx(computed["effect"].to_list())
    assert [row["p_corrected"] for row in sent] == computed["p_corrected"].to_list()
    first = computed.row(0, named=True)
    assert sent[0]["head"] == f"{first['kind']}.{first['layer']}.{first['head']}"
    assert {"charts/effects_table", "charts/curves_table", "charts/importance_table"} <= set(run.summary)
    (report,) = [run for run in server.runs.values() if run.job_type == "report"]
    pictures = [body for name, body in report.files.items() if name.endswith(".png")]
    assert pictures
    assert {Image.open(io.BytesIO(body)).mode for body in pictures} == {"RGB"}, "opaque, on a dark ground too"
    used = run.config["inference"]
    assert (used["alpha"], used["test"], used["correction"]) == (0.05, "randomisation", computed["correction"][0])
    assert None not in used.values()


def test_a_run_tracked_while_it_ran_is_continued(place: Path, server: StandIn) -> None:
    StudyTask()(compose(*overrides(place, "measure=ablation", "tracking=wandb", "tracking.project=heads")))
    (run,) = server.runs.values()
    before = list(run.steps)
    assert push(place / "results") == 0
    assert run.steps == before == [NUM_PAIRS, 9 * NUM_PAIRS]


def test_without_a_key_all_is_left_for_later_as_often_as_one_likes(results: Path, capsys) -> None:
    for _ in range(2):
        assert push(results) == 0
        assert "wandb sync" in capsys.readouterr().out
        logged = [read_run(folder) for folder in (results / "wandb-push" / "wandb").glob("offline-run-*")]
        assert sorted(run.job_type for run in logged) == ["ablation", "effects", "importance", "pruning", "report"]
        (ablation,) = [run for run in logged if run.job_type == "ablation"]
        assert ablation.history[-1]["progress/rows"] == 9 * NUM_PAIRS


def test_offline_nobody_need_say_whose_project_it_is(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a key, and where nobody answers."""
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    assert main(["push", str(results), *QUICK, "--offline"]) == 0
    assert "5 runs left for W&B" in capsys.readouterr().out
    logged = [read_run(folder) for folder in (results / "wandb-push" / "wandb").glob("offline-run-*")]
    assert {run.project for run in logged} == {"mine"}


def test_seeds_are_one_stroke_and_kinds_of_heads_are_two() -> None:
    """A line that goes on at a share where it has been before runs back and forth."""
    known = {"subject": "m", "subject_id": "i", "domain": "d", "setting_id": "s", "metric": "accuracy", "level": "head"}
    rows = [
        {"kinds": kinds, "curve": "random", "order": "random", "share": share, "score": score, **known}
        for kinds, seeds in (("all", [(0.0, 80.0), (1.0, 30.0), (0.0, 80.0), (1.0, 40.0)]), ("cross", [(0.0, 80.0)]))
        for share, score in seeds
    ]
    points = pl.DataFrame(rows).with_columns(base_score=80.0, low=0.0, high=100.0)
    assert _strokes(points).rows() == [(0.0, 80.0, "random"), (1.0, 35.0, "random"), (0.0, 80.0, "random, cross")]


def test_a_long_table_is_cut_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    made = wandb_table(pl.DataFrame({"a": range(10_001)}), "long")
    assert len(made.data) == 10_000
    assert "table long has 10,001 rows: W&B is shown the first 10,000" in caplog.text


@pytest.mark.parametrize(
    ("wrong", "says"), [("lab/", "ENTITY/PROJECT"), ("lab/a:b", "does not allow"), ("a b/c", "a b")]
)
def test_a_wrong_place_is_refused_in_words(results: Path, wrong: str, says: str, capsys) -> None:
    assert main(["push", str(results), "--wandb", wrong]) == 2
    assert says in capsys.readouterr().err


def test_weights_are_those_of_the_model_and_are_sent_once(sent: Sent, made: Path) -> None:
    server = sent.server
    (model,) = [artifact for artifact in server.artifacts.values() if artifact.type == "model"]
    assert set(model.manifest["contents"]) == {"subject.json", *(path.name for path in (made / "model").iterdir())}
    assert (made / "model" / "model.safetensors").read_bytes() in server.blobs.values()
    uploads = list(server.uploads)
    assert push(sent.results) == 0, "without them it is another run, and none of its files is new"
    assert not any(path.startswith("/blob/") and path in uploads for path in server.uploads[len(uploads) :])


def test_a_folder_that_cannot_be_written_is_said(results: Path, capsys) -> None:
    (results / "wandb-push").write_text("a file where a folder should be")
    assert push(results) == 2
    assert f"cannot write to {results / 'wandb-push'}" in capsys.readouterr().err


def test_a_wrong_key_is_said(results: Path, server: StandIn, capsys, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "expired" * 6)
    assert push(results) == 2
    said = capsys.readouterr().err
    assert "does not accept the key" in said
    assert "wandb login --relogin" in said


def test_a_foreign_entity_is_refused_before_anything_is_sent(results: Path, server: StandIn, capsys) -> None:
    for command in ("push", "report"):
        assert main([command, str(results), "--wandb", "others/heads"]) == 2
        assert "may not write to the entity 'others'; it may to lab" in capsys.readouterr().err
    assert not server.runs
    assert not server.views


def test_no_key_is_in_anything_that_is_pushed_fetched_or_reported(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
) -> None:
    monkeypatch.setenv("HF_TOKEN", OTHER_KEY)
    assert main(["report", str(sent.results), "--wandb", PLACE, *QUICK]) == 0
    assert main(["fetch", PLACE, str(tmp_path / "fetched")]) == 0
    assert (sent.results / "analysis" / "report" / "index.html").is_file()
    assert list((tmp_path / "fetched").rglob("part-*"))
    assert sent.server.views
    said = capsys.readouterr()
    kept = [path.read_bytes() for place in (tmp_path, sent.results) for path in place.rglob("*") if path.is_file()]
    told = [text.encode() for text in (sent.said, said.out, said.err)]
    everything = [*sent.server.bodies, *sent.server.blobs.values(), *kept, *told]
    for secret in (KEY.encode(), OTHER_KEY.encode(), base64.b64encode(f"api:{KEY}".encode())):
        assert not any(secret in content for content in everything)
