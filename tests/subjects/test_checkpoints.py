"""Checkpoints of one training by their epoch: names, errors, and the subjects that they become."""

import shutil
from pathlib import Path

import pytest
from fixtures.fairseq.files import write_folder

from study.record.errors import InputError
from study.record.factors import Factors
from study.subjects.checkpoints import at_epoch, at_seed, epochs_there, shared_name
from study.subjects.fairseq.folder import FairseqFolder
from study.subjects.huggingface.classifier_folder import HubClassifier


def test_a_path_of_an_epoch() -> None:
    assert at_epoch("run/epoch-{epoch}", 3.0, "model.path") == "run/epoch-3"
    assert at_epoch("run/epoch-{epoch}", 0.25, "model.path") == "run/epoch-0.25"
    assert at_epoch("run", None, "model.path") == "run"
    with pytest.raises(InputError, match=r"model\.epoch=3 .* write \{epoch\}"):
        at_epoch("run", 3.0, "model.path")
    with pytest.raises(InputError, match=r"choose one by model\.epoch=NUMBER"):
        at_epoch("run/epoch-{epoch}", None, "model.path")


def test_a_path_of_a_seed() -> None:
    assert at_seed("runs/{seed}/epoch-{epoch}", 3, "model.path") == "runs/3/epoch-{epoch}"
    assert at_seed("run", 3, "model.path") == "run", "a model alone may say its seed"
    with pytest.raises(InputError, match=r"choose one by model\.seed=NUMBER"):
        at_seed("runs/{seed}", None, "model.path")


def test_a_training_of_one_of_several_seeds_says_where_it_stands() -> None:
    model = HubClassifier(name="", path="runs/mine/{seed}/epoch-{epoch}", seed=1, epoch=2.0, initial="bert")
    assert model.name == "mine-seed1-epoch2"
    assert model.factors("d", "float32") == Factors("mine", "d", "float32", 1, 2.0, "bert")


def test_epochs_that_are_there_are_sorted_as_numbers(tmp_path: Path) -> None:
    for name in ("checkpoint1.pt", "checkpoint10.pt", "checkpoint2.pt", "checkpoint0.5.pt", "checkpoint_best.pt"):
        (tmp_path / name).touch()
    assert epochs_there(tmp_path / "checkpoint{epoch}.pt") == [0.5, 1, 2, 10]
    assert epochs_there(tmp_path / "none" / "checkpoint{epoch}.pt") == []
    (tmp_path / "run-3").mkdir()
    (tmp_path / "run-3" / "model").touch()
    assert epochs_there(tmp_path / "run-{epoch}" / "model") == [3]


def test_a_training_is_named_by_what_its_checkpoints_share() -> None:
    assert shared_name("/runs/mine/epoch-{epoch}") == "mine"
    assert shared_name("/runs/mine/{epoch}/model") == "model"
    assert shared_name("/runs/mine/{seed}/epoch-{epoch}") == "mine"


def translator(folder: Path, **options) -> FairseqFolder:
    options = {"name": "", "path": str(folder), "source_lang": "en", "target_lang": "fr", **options}
    return FairseqFolder(**options)


def test_each_checkpoint_of_fairseq_s_is_a_subject(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "mine")
    (folder / "epochs").mkdir()
    shutil.copy(folder / "checkpoint_best.pt", folder / "epochs" / "checkpoint3.pt")
    model = translator(folder, checkpoint="epochs/checkpoint{epoch}.pt", epoch=3.0)
    assert model.name == "mine-epoch3"
    assert model.factors("d", "float32") == Factors("mine", "d", "float32", epoch=3.0)
    assert model.identity() == translator(folder).identity()
    assert translator(folder).factors("d", "float32").epoch is None
    with pytest.raises(InputError, match="no checkpoint of epoch 4 .* that are there: 3"):
        translator(folder, checkpoint="epochs/checkpoint{epoch}.pt", epoch=4.0).identity()
    with pytest.raises(InputError, match=r"model\.epoch=3 chooses one"):
        translator(folder, epoch=3.0).identity()


def test_each_checkpoint_of_a_classifier_is_a_subject(place: Path) -> None:
    (place / "run").mkdir()
    (place / "model").rename(place / "run" / "epoch-0.5")
    model = HubClassifier(name="", path=f"{place}/run/epoch-{{epoch}}", epoch=0.5)
    assert model.name == "run-epoch0.5"
    assert model.missing() == []
    assert model.factors("d", "float32") == Factors("run", "d", "float32", epoch=0.5)
    assert model.folder() == place / "run" / "epoch-0.5"
    with pytest.raises(InputError, match=r"no checkpoint of epoch 1 .* that are there: 0\.5"):
        HubClassifier(name="", path=f"{place}/run/epoch-{{epoch}}", epoch=1.0).missing()
