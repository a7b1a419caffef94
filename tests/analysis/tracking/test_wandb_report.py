"""The report in W&B: what it says, that building it asks no one, and that a second one updates the first."""

import json
from pathlib import Path

import polars as pl
import pytest
from fixtures.jobs import make_place, overrides
from fixtures.wandb.stand_in import StandIn

from analysis.__main__ import main
from study.config import compose
from study.jobs.task import StudyTask
from study.record.training.history import Record, write_history
from study.tracking.run import Run, write_run

PLACE = "lab/heads"

QUICK = ("--resamples", "200", "--splits", "3")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = make_place(tmp_path_factory.mktemp("report"))
    for more in ((), ("data.limit=60",)):
        StudyTask()(compose(*overrides(place, "measure=ablation", f"results={place / 'mine'}", *more)))
    folder = place / "mine" / "trainings" / "model-0123"
    write_run(Run("ab", "", "model", "pairs", "train", 0, {}), folder)
    write_history(folder, [Record(8, 1.0, 1e-3, 1.1, 1.0, 40.0, 2.0)])
    return place / "mine"


def words_of(spec: dict) -> str:
    return json.dumps(spec, ensure_ascii=False)


def test_without_a_key_it_is_written_and_no_one_is_asked(results: Path, tmp_path: Path, capsys) -> None:
    """Nobody answers at the address of these tests: a question would fail."""
    assert main(["report", str(results), "--wandb", PLACE, "--out", str(tmp_path), *QUICK]) == 0
    assert "no W&B key is found" in capsys.readouterr().out
    spec = json.loads((tmp_path / "report" / "wandb.json").read_text())
    effects = pl.read_parquet(tmp_path / "tables" / "effects.parquet").filter(measure="ablation")
    base = pl.read_parquet(tmp_path / "tables" / "base.parquet")["base_score"][0]
    words = words_of(spec)
    assert f"{base:.2f} %" in words
    strongest = effects.sort(pl.col("effect").abs(), descending=True).row(0, named=True)
    assert f"{strongest['kind']}.{strongest['layer']}.{strongest['head']}" in words
    assert f"{effects['significant'].sum()} of {effects.height}" in words
    grids = [block["metadata"] for block in spec["blocks"] if block["type"] == "panel-grid"]
    assert effects["setting_id"][0] in json.dumps([grid["runSets"][0]["filters"] for grid in grids])
    (trained,) = [grid for grid in grids if grid["runSets"][0]["name"] == "trainings"]
    assert '"value": "train"' in json.dumps(trained["runSets"][0]["filters"])
    panels = [panel["config"] for panel in trained["panelBankSectionConfig"]["panels"]]
    shown = [name for panel in panels for name in panel["metrics"]]
    assert shown == [f"training/{name}" for name in ("loss", "dev_loss", "dev_score", "learning_rate")]
    assert {panel["xAxis"] for panel in panels} == {"training/epoch"}


def test_again_is_updated_and_not_doubled(results: Path, server: StandIn, tmp_path: Path, capsys) -> None:
    command = ["report", str(results), "--wandb", PLACE, "--out", str(tmp_path), *QUICK]
    assert main(command) == 0
    assert "W&B: saved" in capsys.readouterr().out
    assert main(command) == 0
    assert "W&B: updated" in capsys.readouterr().out
    (view,) = server.views.values()
    assert view["displayName"] == "Which attention heads are needed: model"
    blocks = json.loads(view["spec"])["blocks"]
    kept = json.loads((tmp_path / "report" / "wandb.json").read_text())["blocks"]
    assert [block["type"] for block in blocks] == [block["type"] for block in kept]
