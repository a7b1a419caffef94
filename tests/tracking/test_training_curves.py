"""The curves of a training in W&B are its `history.jsonl`: live, pushed later, and after it was killed."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import wandb
from fixtures.jobs import overrides as measured
from fixtures.wandb.halting import arrived, halting, until_arrived
from fixtures.wandb.run_file import Logged, read_run
from fixtures.wandb.stand_in import StandIn

from analysis.__main__ import main
from study.config import compose
from study.jobs.task import StudyTask
from study.record.training.history import Record, read_history, write_history
from study.toy.translation import TranslationDomain, translation_examples
from study.tracking.history import TrainingHistory
from study.tracking.run import read_runs, training_folders

pytestmark = pytest.mark.usefixtures("undrawn")

CLOCK = {"training/seconds", "_timestamp", "_runtime", "_wandb"}
"""What is not the same when steps are made again."""

SHORT = ("model.training.epochs=2", "model.training.keep=[1]", "model.training.record_every=3")


def overrides(place: Path, *more: str, measure: str = "train") -> list[str]:
    """A fine-tuning of the tiny model on its pairs: 8 steps an epoch."""
    pairs = f"{place}/pairs.tsv"
    return [
        "model=hf_finetuned", "model.name=mine", f"model.training.start={place}/model",
        f"model.training.train.path={pairs}", f"model.training.dev.path={pairs}",
        "model.training.batch_size=16", "model.training.learning_rate=1e-3", "model.training.max_length=32",
        f"model.training.folder={place}/training", "data=nli_file", f"data.path={pairs}",
        f"results={place}/results", "device=cpu", f"measure={measure}", *more,
    ]  # fmt: skip


def expected(record: Record) -> dict[str, Any]:
    """What a record comes to in W&B."""
    known = {f"training/{name}": value for name, value in asdict(record).items() if value is not None}
    return {"_step": record.step, **known}


def but_clock(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in point.items() if name not in CLOCK} for point in points]


def logged(place: Path) -> list[Logged]:
    wandb.teardown()  # as at the end of a process: what is logged is on the disk
    return [read_run(folder) for folder in sorted((place / "results" / "wandb").glob("offline-run-*"))]


def test_what_is_logged_is_the_history(place: Path) -> None:
    StudyTask()(compose(*overrides(place, *SHORT, "tracking=wandb")))
    history = read_history(place / "training")
    assert [record.step for record in history] == [3, 4, 6, 8, 9, 12, 15, 16], "each third, each half an epoch"
    (run,) = logged(place)
    assert but_clock(run.history) == but_clock([expected(record) for record in history])
    assert [point["training/seconds"] for point in run.history] == [record.seconds for record in history]
    assert run.axes["training/*"] == "training/step"
    assert (run.job_type, run.exit_code) == ("train", 0)
    assert set(run.tags) == {"mine", "pairs"}
    assert run.config["model"]["training"]["learning_rate"] == 1e-3
    assert run.summary["dev_score"] == history[-1].dev_score
    (folder,) = training_folders(place / "results")
    assert read_history(folder) == history, "the results folder has a copy, for a push"
    (kept,) = read_runs(folder)
    assert (kept.id, kept.summary["loss"]) == (run.id, history[-1].loss)


def test_points_are_told_as_they_are_recorded(tmp_path: Path) -> None:
    """Also over a kill: the history goes back to the last state, and the records since then are made again."""
    rows = [Record(step, step / 8, 1e-3, 1 / step, None, None, float(step)) for step in (5, 10, 15, 20)]
    training, kept = tmp_path / "training", tmp_path / "kept"
    history = TrainingHistory(kept, training)
    assert (history.fresh(), history.summary()) == ([], {})
    told = []
    for upto in (1, 3, 2, 3, 4):
        write_history(training, rows[:upto])
        told.append([point.step for point in history.fresh()])
        assert read_history(kept) == rows[:upto]
    assert told == [[5], [10, 15], [], [], [20]]
    assert [point.step for point in TrainingHistory(kept).fresh()] == [5, 10, 15, 20]
    assert history.summary()["seconds"] == 20.0


def test_a_training_that_was_tracked_nowhere_is_pushed(place: Path, server: StandIn, capsys) -> None:
    StudyTask()(compose(*overrides(place, *SHORT)))
    history = read_history(place / "training")
    StudyTask()(compose(*overrides(place, *SHORT, measure="base")))
    StudyTask()(compose(*measured(place, "measure=base")))
    push = ["push", str(place / "results"), "--wandb", "lab/heads", "--resamples", "200"]
    assert main([*push, "--model", "model"]) == 0
    assert not any(run.job_type == "train" for run in server.runs.values())
    assert main([*push, "--weights"]) == 0
    weights = (place / "training" / "epoch-2" / "model.safetensors").read_bytes()
    assert weights in server.blobs.values()
    (place / "training").rename(place / "elsewhere")
    assert main(push) == 0
    assert main(push) == 0
    assert "0 runs sent" in capsys.readouterr().out.splitlines()[-1]
    (run,) = [run for run in server.runs.values() if run.job_type == "train"]
    points = [run.history[line] for line in sorted(run.history)]
    assert but_clock(points) == but_clock([expected(record) for record in history])
    assert run.summary["dev_loss"] == history[-1].dev_loss


def test_trainings_alone_are_pushed_too(place: Path, server: StandIn, capsys) -> None:
    StudyTask()(compose(*overrides(place, *SHORT)))
    assert main(["push", str(place / "results"), "--wandb", "lab/heads"]) == 0
    assert "1 runs sent" in capsys.readouterr().out
    (run,) = server.runs.values()
    assert run.job_type == "train"
    assert len(run.history) == len(read_history(place / "training"))


@pytest.mark.slow
def test_a_training_that_is_killed_and_goes_on_is_one_history(
    place: Path, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed by force while its points arrive; what it had sent stays, what follows has no gap and no double."""
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "0.1")
    asked = overrides(
        place, "model.training.epochs=60", "model.training.record_every=5", "model.training.save_every=7",
        "tracking=wandb",
    )  # fmt: skip
    with halting(8, *asked, place=place):
        until_arrived(server, 8)
    assert arrived(server) == 8
    StudyTask()(compose(*asked))
    (run,) = server.runs.values()
    points = [run.history[line] for line in sorted(run.history)]
    history = read_history(place / "training")
    assert history[-1].step == 60 * 8
    assert but_clock(points) == but_clock([expected(record) for record in history])
    assert (run.exit_code, run.summary["epochs"]) == (0, 60)


def test_a_history_that_cannot_be_kept_stops_no_training(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    (place / "results").mkdir(exist_ok=True)
    (place / "results" / "trainings").write_text("a file where a folder should be")
    assert StudyTask()(compose(*overrides(place, *SHORT, "tracking=wandb")))["epochs"] == 2
    assert sum("tracking has stopped" in message for message in caplog.messages) == 1


def test_seeds_are_runs_of_their_own_and_epochs_are_not(place: Path) -> None:
    for seed, epoch in ((1, 1), (1, 2), (2, 2)):
        more = (f"model.training.seed={seed}", f"model.epoch={epoch}", f"model.training.folder={place}/seed-{seed}")
        StudyTask()(compose(*overrides(place, *SHORT, *more)))
    runs = [run for folder in training_folders(place / "results") for run in read_runs(folder)]
    assert [run.model for run in runs] == ["mine", "mine"]
    assert len({run.id for run in runs}) == 2


@pytest.mark.slow
@pytest.mark.fairseq
@pytest.mark.skipif(importlib.util.find_spec("fairseq") is None, reason="fairseq is not installed")
def test_so_is_a_training_by_fairseq(tmp_path: Path) -> None:
    examples = translation_examples(TranslationDomain.TRAIN, 60)
    for side, lines in (("en", [texts[0] for texts in examples.texts]), ("fr", examples.targets)):
        (tmp_path / f"text.{side}").write_text("".join(f"{line}\n" for line in lines))
    text = [f"{side}={tmp_path}/text.{lang}" for side, lang in (("source", "en"), ("target", "fr"))]
    sizes = ["merges=50", "encoder_layers=1", "decoder_layers=1", "heads=2", "hidden=8", "inner=8", "epochs=3"]
    training = [*sizes, "keep=[1]", "source=en", "target=fr", f"folder={tmp_path}/training"]
    training += [f"{part}.{word}" for part in ("train", "dev") for word in text]
    asked = ["model=fairseq_trained", "model.name=tiny", *(f"model.training.{word}" for word in training)]
    data = ["data=parallel_file", *(f"data.{word}" for word in text), f"results={tmp_path}/results"]
    StudyTask()(compose(*asked, *data, "measure=train", "tracking=wandb"))
    history = read_history(tmp_path / "training")
    (run,) = logged(tmp_path)
    assert [record.epoch for record in history] == [1, 2, 3]
    assert all(record.loss and record.dev_loss for record in history)
    assert but_clock(run.history) == but_clock([expected(record) for record in history])
