"""Later tasks that cannot be taught, and folders of tasks that are no such: refused in words, most before any work."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from fixtures.second_tasks.later import free_heads, later_training, reuse, teach
from safetensors.torch import load_file, save_file
from transformers import DistilBertConfig

from study.gates.options import HardConcrete
from study.record.errors import InputError
from study.record.orders import Steps
from study.record.training.tasks import FREE_FILE, read_free, write_free
from study.reuse.options import AllWeights, BiasesAndNorms, LaterTask, LowRank, OutputLayer, Weights
from study.subjects.huggingface.classifier_folder import HubClassifier
from study.subjects.tasks.config import TasksFolder
from study.training.classifier import train_classifier
from study.training.classifier_options import FineTuning, NewBert
from study.training.folder import require_same
from study.training.trained_models import TrainedClassifier

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def taught(place_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place like any, with `run/epoch-1`, a folder of tasks."""
    place = shutil.copytree(place_once, tmp_path_factory.mktemp("taught"), dirs_exist_ok=True)
    teach(later_training(place, epochs=1), place / "run")
    return place


def changed(folder: Path, place: Path, **fields: object) -> str:
    """A copy of the tiny BERT of `place` with other fields in its config."""
    shutil.copytree(place / "model", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | fields))
    return str(folder)


def other_words(folder: Path, place: Path) -> str:
    shutil.copytree(place / "model", folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    words = tokenizer["model"]["vocab"]
    words["w1"], words["w2"] = words["w2"], words["w1"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return str(folder)


def with_body(path: str) -> dict[str, object]:
    return {"reuse": reuse(body=Weights.pretrained, pretrained=path)}


CASES: dict[str, tuple[Callable[[Path, Path], dict], str]] = {
    "the name of a task that there is": (lambda *_: {"reuse": reuse(task="nli")}, "has a task 'nli' already"),
    "a name that is none": (lambda *_: {"reuse": reuse(task="a/b")}, "reuse.task=a/b: a task is named by letters"),
    "an earlier task's name that is none": (
        lambda *_: {"reuse": reuse(earlier="a/b")},
        "reuse.earlier=a/b: a task is named by letters",
    ),
    "gates": (lambda *_: {"gates": HardConcrete()}, "gates=hard_concrete does not go with reuse=free_heads"),
    "random weights": (lambda *_: {"scratch": True}, "scratch=true does not go with"),
    "another architecture": (
        lambda place, tmp: with_body(changed(tmp / "wide", place, intermediate_size=64)),
        "another architecture .* intermediate_size 64, not 32",
    ),
    "tasks of different tokenizers": (
        lambda place, tmp: with_body(other_words(tmp / "words", place)),
        "another tokenizer than the model to start from",
    ),
    "the output layer of a model that is not its body": (
        lambda place, _: {**with_body(str(place / "model")), "new_head": False},
        "body=pretrained begins with a model that has no output layer",
    ),
    "a pre-trained model without its name": (
        lambda *_: {"reuse": reuse(body=Weights.pretrained)},
        "give both or neither",
    ),
    "other labels than the output layer of the earlier task has": (
        lambda *_: {"new_head": False},
        "output layer of task 'nli', which has the 3 labels .*; data 'mood' needs 2: other and same",
    ),
}


def test_a_pooler_is_not_shared_where_there_is_none(place: Path, tmp_path: Path) -> None:
    """Told by the config alone, before anything is loaded."""
    later_training(place, reuse(pooler=False)).check()
    small: dict[str, Any] = {"vocab_size": 9, "n_layers": 1, "n_heads": 1, "dim": 4, "hidden_dim": 4}
    DistilBertConfig(**small, id2label={0: "a", 1: "b"}, label2id={"a": 0, "b": 1}).save_pretrained(tmp_path)
    shutil.copyfile(place / "model" / "tokenizer.json", tmp_path / "tokenizer.json")
    (tmp_path / "model.safetensors").touch()
    later_training(place, reuse(), start=str(tmp_path)).check()
    with pytest.raises(InputError, match="reuse.pooler=false has no effect here: DistilBertForSequence"):
        later_training(place, reuse(pooler=False), start=str(tmp_path)).check()


def test_low_rank_updates_are_told_apart_by_alpha_and_refused_without_any() -> None:
    words = [reuse(LowRank, alpha=alpha).words() for alpha in (None, 1.0, 5.0)]
    assert len(set(words)) == 3
    assert len({reuse(steps=steps).words() for steps in Steps}) == len(Steps)
    for alpha in (0.0, -1.0):
        with pytest.raises(InputError, match="reuse.alpha=.*expected a number above 0"):
            reuse(LowRank, alpha=alpha).check()


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ({"free": 0.2}, OutputLayer),
        ({"free": None, "margin": 1.0}, AllWeights),
        ({"most_needed": True}, BiasesAndNorms),
        ({"limit": 60}, OutputLayer),
        ({"steps": Steps.every}, AllWeights),
        ({"seed": 1}, OutputLayer),
    ],
)
def test_options_of_free_heads_change_nothing_where_these_play_no_part(
    option: dict[str, Any], kind: type[LaterTask]
) -> None:
    """A sweep over shares of free heads has one training of each control; model entries may set such options too."""
    for make in (partial(reuse, kind), partial(reuse, LowRank, rank=2)):
        plain, given = make(), make(**option)
        given.check()
        assert given.identity() == plain.identity()
        assert given.words() == plain.words()


@pytest.mark.parametrize("case", CASES)
def test_options_that_make_no_sense_are_refused_early(place: Path, tmp_path: Path, case: str) -> None:
    change, said = CASES[case]
    training = later_training(place, **change(place, tmp_path))
    with pytest.raises(InputError, match=said):
        training.check()


def test_a_later_task_with_the_same_labels_may_begin_with_the_output_layer(place: Path, tmp_path: Path) -> None:
    pairs = later_training(place).train
    nli = replace(pairs, name="more", path=place / "pairs.tsv")
    training = later_training(place, new_head=False, train=nli, dev=nli, keep=[0.0], epochs=1)
    training.check()
    teach(training, tmp_path / "run")
    own = load_file(tmp_path / "run" / "epoch-0" / "task-mood.safetensors")
    assert torch.equal(own["classifier.weight"], load_file(place / "model" / "model.safetensors")["classifier.weight"])


def test_a_training_of_its_own_knows_nothing_of_several_tasks(taught: Path) -> None:
    training = later_training(taught, start=str(taught / "run" / "epoch-1"))
    training.reuse = type(training).__dataclass_fields__["reuse"].default_factory()
    with pytest.raises(InputError, match="the model to start from has several tasks"):
        training.check()


def test_a_training_that_starts_from_no_model_teaches_no_later_task(place: Path) -> None:
    data = later_training(place).train
    with pytest.raises(InputError, match="starts from no such model"):
        NewBert(train=data, dev=data, reuse=reuse()).check()


def test_a_task_is_not_chosen_where_there_is_one(place: Path) -> None:
    plain = FineTuning(start=str(place / "model"), train=later_training(place).train, dev=later_training(place).train)
    assert "task_name" in TrainedClassifier(name="x", training=plain).idle()
    assert "task_name" not in TrainedClassifier(name="x", training=later_training(place)).idle()


def test_a_chain_goes_on_from_its_latest_task(taught: Path) -> None:
    origin = TrainedClassifier(name="chain", task_name="nli", training=later_training(taught, epochs=1))
    with pytest.raises(InputError, match="training.origin.task_name"):
        later_training(taught, reuse(task="tone"), start="", origin=origin).check()


def test_another_order_of_a_chain_is_refused_with_a_diff(taught: Path, tmp_path: Path) -> None:
    first = later_training(taught, reuse(task="tone"), start=str(taught / "run" / "epoch-1"))
    with pytest.raises(InputError, match="no head of task 'mood' is free"):
        teach(first, tmp_path / "run", ())
    mood = TrainedClassifier(name="chain", training=later_training(taught, reuse(task="tone"), epochs=1))
    other = later_training(taught, start="", origin=mood)
    with pytest.raises(InputError, match=r"(?s)another training.*tasks.*tone.*mood"):
        require_same(tmp_path / "run", other.identity())


def test_free_heads_of_another_training_or_model_are_refused(taught: Path, tmp_path: Path) -> None:
    training = later_training(taught, epochs=1)
    file = tmp_path / "run" / FREE_FILE
    with pytest.raises(InputError, match=r"no record of free heads at .*free.json"):
        train_classifier(training, tmp_path / "run", "cpu", 1)
    free_heads(training, tmp_path / "run")
    whole = read_free(file)
    for change, said in (
        ({"training": "other"}, "found for training other"),
        ({"before": "1" * 7 + "0"}, "found on another model"),
        ({"freed": ("encoder_self.9.0",)}, "encoder_self.9.0 cannot be freed"),
    ):
        write_free(replace(whole, **change), file)
        with pytest.raises(InputError, match=said):
            train_classifier(training, tmp_path / "run", "cpu", 1)


def test_a_folder_of_tasks_and_a_model_of_one_are_not_taken_for_each_other(taught: Path) -> None:
    folder, model = str(taught / "run" / "epoch-1"), str(taught / "model")
    for ask in (HubClassifier.identity, lambda config: config.load(CPU)):
        with pytest.raises(InputError, match="model of several tasks .*nli and mood.*: model=tasks_folder"):
            ask(HubClassifier(name="", path=folder))
    with pytest.raises(InputError, match="is a model of one task"):
        TasksFolder(name="", path=model).identity()
    with pytest.raises(InputError, match="no task 'cola': the model has nli and mood"):
        TasksFolder(name="", path=folder, task_name="cola").tasks()
    with pytest.raises(InputError, match="untrained=true"):
        TasksFolder(name="", path=folder, untrained=True).identity()
    nli, mood = TasksFolder(name="", path=folder, task_name="nli"), later_training(taught).train.examples()
    with pytest.raises(InputError, match="labels.*Task 'mood' of this model has these labels: model.task_name=mood"):
        nli.check_targets(mood)


def test_weights_that_were_changed_are_told_before_anything_is_measured(taught: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(taught / "run" / "epoch-1", tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    own = weights["bert.encoder.layer.0.attention.self.value.weight"]
    own[2, 5] = torch.nextafter(own[2, 5], torch.tensor(9.0))  # of encoder_self.0.0, which is off for the earlier task
    save_file(weights, folder / "model.safetensors")
    TasksFolder(name="", path=str(folder), task_name="nli", max_length=32).load(CPU)
    with pytest.raises(InputError, match=r"tasks.json: the weights of task 'mood' are not those"):
        TasksFolder(name="", path=str(folder), task_name="mood", max_length=32).load(CPU)
