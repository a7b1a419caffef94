"""A later task that is taught to free heads: what moves, what is still to the bit, where it starts, how it goes on."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from fixtures.killed import kill_twice
from fixtures.second_tasks.later import FREED, HEADS, free_heads, later_training, reuse, teach, train_again
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from study.data.source import DataSource
from study.record.errors import InputError, Interruption
from study.record.examples import Examples
from study.record.metrics import Task
from study.record.orders import Steps
from study.record.training.tasks import FREE_FILE, TASKS_FILE, read_free, read_tasks, write_free
from study.record.units import Head
from study.reuse.options import AllWeights, BiasesAndNorms, LaterTask, LowRank, OutputLayer, Weights
from study.subjects.classifier import Classifier
from study.subjects.huggingface.classifier_folder import HubClassifier
from study.subjects.regressor import Regressor
from study.subjects.tasks.config import TasksFolder
from study.subjects.tasks.head_parts import HeadParts
from study.training.classifier import train_classifier
from study.training.classifier_options import FineTuning
from study.training.second_task.free_slices import free_slices, plain_state
from study.training.trainer import STATE_FILE, Trainer

CPU = torch.device("cpu")
D = 6
"""Size of a head of the tiny BERT."""


@pytest.fixture(scope="module")
def taught(place_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model/`, and `run/` in which a later task was taught to three of its heads."""
    place = shutil.copytree(place_once, tmp_path_factory.mktemp("taught"), dirs_exist_ok=True)
    teach(later_training(place, weight_decay=0.5, save_every=3, keep=[0.0]), place / "run")
    return place


def numbers_of_head(address: str, name: str, tensor: Tensor) -> Tensor:
    """Which numbers of a tensor of BERT are a head's, by its own arithmetic."""
    head, own = Head.parse(address), torch.zeros_like(tensor, dtype=torch.bool)
    rows = slice(head.index * D, (head.index + 1) * D)
    if name.startswith(f"bert.encoder.layer.{head.layer}.attention.self."):
        own[rows] = True
    if name == f"bert.encoder.layer.{head.layer}.attention.output.dense.weight":
        own[:, rows] = True
    return own


def numbers_of_heads(freed: tuple[str, ...], name: str, tensor: Tensor) -> Tensor:
    return torch.stack([numbers_of_head(head, name, tensor) for head in freed]).any(0)


def same_bits(a: Tensor, b: Tensor) -> Tensor:
    return a.contiguous().view(torch.int32) == b.contiguous().view(torch.int32)


def task(folder: Path, name: str = "") -> Classifier:
    return TasksFolder(name="", path=str(folder), task_name=name, max_length=32).load(CPU)


def plain(place: Path) -> Classifier:
    return HubClassifier(name="", path=str(place / "model"), max_length=32).load(CPU)


def answers(subject: Classifier, off: tuple[str, ...] = ()) -> Tensor:
    rows = subject.probe(9) + subject.probe(13)
    mask = subject.as_xi(subject.layout.without([Head.parse(head) for head in off])[None].repeat(len(rows), 0))
    return subject.response(rows, mask)


def test_only_free_heads_move_and_all_else_is_equal_to_the_bit(taught: Path) -> None:
    """Under a weight decay that would be seen in any weight that it reached."""
    before = load_file(taught / "model" / "model.safetensors")
    after = load_file(taught / "run" / "epoch-2" / "model.safetensors")
    assert after.keys() == {name for name in before if not name.startswith(("classifier.", "bert.pooler."))}
    moved = 0
    for name, tensor in after.items():
        own, same = numbers_of_heads(FREED, name, tensor), same_bits(tensor, before[name])
        assert same[~own].all(), name
        moved += int((~same).sum())
    of_heads = 3 * (4 * 24 * D + 3 * D)  # of which the biases of keys have no gradient but what rounding leaves
    assert of_heads - 3 * D <= moved <= of_heads


def test_the_earlier_task_is_its_masked_model_to_the_bit_and_the_later_one_has_learned(taught: Path) -> None:
    earlier, before = task(taught / "run" / "epoch-2", "nli"), plain(taught)
    masked = answers(before, FREED)
    assert torch.equal(answers(earlier), masked)
    assert not torch.equal(answers(before), masked)
    assert torch.equal(answers(earlier, FREED), masked), "heads that are off have an effect of exactly nothing"
    later = task(taught / "run" / "epoch-2")
    assert later.labels == ("other", "same")
    assert not torch.equal(answers(later, FREED), answers(later))


def test_the_record_says_what_was_taught(taught: Path) -> None:
    chain = read_tasks(taught / "run" / "epoch-2" / TASKS_FILE)
    nli, mood = chain.tasks
    assert (nli.on, mood.on, mood.taught, mood.freed) == ("01101101", "1" * 8, FREED, FREED)
    assert mood.output_parameters == 24 * 24 + 24 + 2 * 24 + 2
    assert mood.parameters == mood.output_parameters + 3 * (4 * 24 * D + 3 * D)
    assert (mood.updates, mood.training, chain.exact) == (10, later_training(taught, weight_decay=0.5).id, True)
    assert chain.candidates() == tuple(sorted(FREED))
    untaught, taught_ = (read_tasks(taught / "run" / f"epoch-{epoch}" / TASKS_FILE) for epoch in (0, 2))
    assert untaught.task("nli").digest == taught_.task("nli").digest, "an earlier task's numbers stay the same"
    assert untaught.task("mood").digest != taught_.task("mood").digest


def test_gradients_of_free_slices_are_those_of_the_whole_weights(place: Path) -> None:
    models = [AutoModelForSequenceClassification.from_pretrained(place / "model").eval() for _ in range(2)]
    subject = plain(place)
    parts = HeadParts(subject.module, subject.gate.sites).parts([Head.parse(head) for head in FREED])
    models[1].requires_grad_(requires_grad=False)
    free_slices(models[1], parts)
    inputs = {"input_ids": torch.tensor([[2, 9, 17, 3, 8, 3], [2, 30, 5, 7, 3, 3]]), "labels": torch.tensor([0, 2])}
    for model in models:
        model(**inputs).loss.backward()
    for name, part in parts.items():
        path, _, own = name.rpartition(".")
        found = models[1].get_submodule(path).parametrizations[own].original.grad
        expected = models[0].get_parameter(name).grad
        assert torch.equal(found, part.read(expected)), name
        assert found.numel() == int(numbers_of_heads(FREED, name, expected).sum())
    moving = [parameter for parameter in models[1].parameters() if parameter.requires_grad]
    assert len(moving) == len(parts)
    state, before = plain_state(models[1]), models[0].state_dict()
    assert state.keys() == before.keys()
    assert all(same_bits(state[name], before[name]).all() for name in before)


def test_the_optimizer_has_what_moves_and_nothing_else(place: Path, tmp_path: Path) -> None:
    training = later_training(place, save_every=3)
    with pytest.raises(Interruption):
        _stop_at(5, training, tmp_path / "run")
    state = torch.load(tmp_path / "run" / STATE_FILE, weights_only=True)
    held = sum(one["exp_avg"].numel() for one in state["optimizer"]["state"].values())
    assert held == 24 * 24 + 24 + 2 * 24 + 2 + 3 * (4 * 24 * D + 3 * D)


def _stop_at(step: int, training: FineTuning, folder: Path) -> None:
    free_heads(training, folder)
    update = Trainer.update

    def stop(trainer: Trainer, batch: list[int]) -> None:
        if trainer.step == step:
            raise KeyboardInterrupt
        update(trainer, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", stop)
        train_classifier(training, folder, "cpu", 1)


def test_a_training_that_was_stopped_ends_with_the_same_bits(place: Path, tmp_path: Path) -> None:
    training = later_training(place, save_every=3)
    straight = teach(training, tmp_path / "straight")
    with pytest.raises(Interruption, match="goes on after step 6"):
        _stop_at(7, training, tmp_path / "stopped")
    train_classifier(training, tmp_path / "stopped", "cpu", 1)
    assert read_tasks(straight / TASKS_FILE) == read_tasks(tmp_path / "stopped" / "epoch-2" / TASKS_FILE)
    assert (straight / "task-mood.safetensors").read_bytes() == (
        tmp_path / "stopped" / "epoch-2" / "task-mood.safetensors"
    ).read_bytes()


def test_a_training_does_not_go_on_with_other_free_heads(place: Path, tmp_path: Path) -> None:
    """As many of the same shape, which the saved state would fit."""
    training = later_training(place, save_every=3)
    with pytest.raises(Interruption):
        _stop_at(4, training, tmp_path / "run")
    whole = read_free(tmp_path / "run" / FREE_FILE)
    write_free(replace(whole, freed=(*FREED[:2], HEADS[2])), tmp_path / "run" / FREE_FILE)
    with pytest.raises(InputError, match="they differ in encoder_self.0.2 and encoder_self.0.3"):
        train_classifier(training, tmp_path / "run", "cpu", 1)
    write_free(whole, tmp_path / "run" / FREE_FILE)
    train_classifier(training, tmp_path / "run", "cpu", 1)


@pytest.mark.exhaustive
def test_a_training_that_was_killed_ends_with_the_same_bits(place: Path, tmp_path: Path) -> None:
    training = later_training(place, save_every=1, record_every=1, epochs=60)
    straight = teach(training, tmp_path / "straight")
    free_heads(training, tmp_path / "killed")
    kill_twice(train_again, training, tmp_path / "killed", after=(20, 90), of=300)
    train_classifier(training, tmp_path / "killed", "cpu", 1)
    found = tmp_path / "killed" / "epoch-60"
    for file in ("model.safetensors", "task-mood.safetensors"):
        assert (found / file).read_bytes() == (straight / file).read_bytes()


def test_frozen_weights_that_moved_are_refused_by_name_and_nothing_is_saved(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, update = later_training(place), Trainer.update

    def nudge(trainer: Trainer, batch: list[int]) -> None:
        update(trainer, batch)
        if trainer.step == 7:
            weight = trainer.module.bert.encoder.layer[1].output.dense.weight.data
            weight[3, 4] = torch.nextafter(weight[3, 4], torch.tensor(9.0))

    monkeypatch.setattr(Trainer, "update", nudge)
    with pytest.raises(InputError, match=r"moved: bert.encoder.layer.1.output.dense.weight\."):
        teach(training, tmp_path / "run")
    assert not (tmp_path / "run" / "epoch-2").exists()


def test_heads_with_zero_outputs_start_silent_and_have_gradients(place: Path, tmp_path: Path) -> None:
    """Before the first step the later task reads what the masked model gives; then all of their numbers move."""
    training = later_training(place, reuse(heads_from=Weights.zero_output), keep=[0.0])
    teach(training, tmp_path / "run")
    start, before = task(tmp_path / "run" / "epoch-0"), plain(place)
    rows = before.probe(9)
    ids, _ = before.inputs(rows)
    off = before.as_xi(before.layout.without([Head.parse(head) for head in FREED])[None].repeat(len(rows), 0))
    with torch.inference_mode(), before.gate.masked(off):
        expected = before.module.bert(input_ids=ids).last_hidden_state
    with torch.inference_mode():
        assert torch.equal(start.module.bert(input_ids=ids).last_hidden_state, expected)
    first, last = (load_file(tmp_path / "run" / f"epoch-{epoch}" / "model.safetensors") for epoch in (0, 2))
    for role in ("self.query", "self.key", "self.value", "output.dense"):
        name = f"bert.encoder.layer.0.attention.{role}.weight"
        own = numbers_of_heads(FREED, name, first[name])
        assert (first[name] != last[name])[own].all(), f"{name} moves, all of it"
        assert bool((first[name][own] == 0).all()) == (role == "output.dense")


def test_heads_and_the_body_can_be_those_of_a_pretrained_model(place: Path, tmp_path: Path) -> None:
    other = shutil.copytree(place / "model", tmp_path / "pretrained")
    model = AutoModelForSequenceClassification.from_pretrained(other)
    generator = torch.Generator().manual_seed(5)
    for weight in model.parameters():
        weight.data.normal_(generator=generator)
    model.save_pretrained(other)
    theirs = model.state_dict()
    ours = load_file(place / "model" / "model.safetensors")
    options = {"heads_from": Weights.pretrained, "pretrained": str(other)}
    teach(later_training(place, reuse(**options), keep=[0.0]), tmp_path / "heads")
    for name, tensor in load_file(tmp_path / "heads" / "epoch-0" / "model.safetensors").items():
        own = numbers_of_heads(FREED, name, tensor)
        assert torch.equal(tensor, torch.where(own, theirs[name], ours[name]))
    options = {"body": Weights.pretrained, "pretrained": str(other)}
    training = later_training(place, reuse(**options), keep=[0.0])
    teach(training, tmp_path / "body")
    chain = read_tasks(tmp_path / "body" / "epoch-2" / TASKS_FILE)
    assert [one.name for one in chain.tasks] == ["mood"], "it never saw the earlier task"
    for name, tensor in load_file(tmp_path / "body" / "epoch-0" / "model.safetensors").items():
        assert torch.equal(tensor, theirs[name])
    assert training.id != later_training(place, reuse(**options, free=0.5), keep=[0.0]).id


def test_what_a_method_does_not_use_is_not_in_its_identity(place: Path) -> None:
    """The ids of free heads are those of earlier versions."""
    assert reuse().identity() == {"name": "free_heads", "order": {"name": "importance"}, "free": 0.4}
    off = reuse(OutputLayer, free_on=False).identity()
    assert off == {"name": "output_layer", "order": {"name": "importance"}, "free": 0.4, "free_on": False}
    assert reuse(LowRank).identity() == {**reuse().identity(), "name": "lora"}
    idle = {"free": 0.2, "limit": 5, "steps": Steps.every, "data": later_training(place).train}
    for kind, own in ((OutputLayer, {}), (BiasesAndNorms, {}), (AllWeights, {}), (LowRank, {"rank": 2})):
        options = reuse(kind, **own)
        assert options.identity() == {"name": options.name, **own}
        assert reuse(kind, **own, **idle).identity() == options.identity()
        assert "0.4" not in options.words()


@pytest.mark.parametrize(
    ("kind", "moving"),
    [
        (OutputLayer, ("classifier.", "bert.pooler.")),
        (BiasesAndNorms, ("classifier.", "bert.pooler.", ".bias", "LayerNorm.")),
        (AllWeights, ("",)),
    ],
)
def test_each_control_moves_what_it_says(
    place: Path, tmp_path: Path, kind: type[LaterTask], moving: tuple[str, ...]
) -> None:
    end = teach(later_training(place, reuse(kind)), tmp_path / "run")
    before, after = load_file(place / "model" / "model.safetensors"), task(end).module.state_dict()
    unused = ("attention.self.key.bias",)  # have no gradient but what rounding leaves
    for name, tensor in before.items():
        moves = any(part in name for part in moving)
        if not moves:
            assert torch.equal(after[name], tensor), name
        elif not name.endswith(unused) and "position_embeddings" not in name and "word_embeddings" not in name:
            assert after[name].shape != tensor.shape or not torch.equal(after[name], tensor), name
    chain = read_tasks(end / TASKS_FILE)
    assert chain.tasks[0].on == "1" * 8, "none of these takes a head from the earlier task"
    assert chain.candidates() == HEADS, "both tasks share them, and a third may be given some"
    assert chain.latest.freed is None
    is_kept = torch.equal(answers(task(end, "nli")), answers(plain(place)))
    assert is_kept == chain.exact == kind.keeps_earlier
    moved = sum(p.numel() for n, p in task(end).module.named_parameters() if any(part in n for part in moving))
    assert chain.latest.parameters == moved


def test_free_heads_can_be_off_for_the_later_task(place: Path, tmp_path: Path) -> None:
    runs = {
        on: teach(later_training(place, reuse(OutputLayer, free_on=on)), tmp_path / str(on)) for on in (True, False)
    }
    assert [read_tasks(end / TASKS_FILE).latest.on for end in runs.values()] == ["1" * 8, "01101101"]
    off = task(runs[False])
    assert torch.equal(answers(off, FREED), answers(off))
    own = {on: load_file(end / "task-mood.safetensors")["classifier.weight"] for on, end in runs.items()}
    assert not torch.equal(own[True], own[False]), "they are off while it is taught as well"


def test_a_chain_frees_heads_of_its_latest_task_until_none_is_left(place: Path, tmp_path: Path) -> None:
    first = teach(later_training(place), tmp_path / "one")
    start = {"start": str(first)}
    second = later_training(place, reuse(task="tone", biases=False), **start)
    with pytest.raises(InputError, match=r"encoder_self.0.1 cannot be freed: task 'mood' has encoder_self.0.0"):
        teach(second, tmp_path / "wrong", (HEADS[1],))
    end = teach(second, tmp_path / "two", FREED[:2])
    chain = read_tasks(end / TASKS_FILE)
    assert [one.name for one in chain.tasks] == ["nli", "mood", "tone"] == second.task_names()
    assert [one.on for one in chain.tasks] == ["01101101", "01111101", "1" * 8]
    assert chain.candidates() == tuple(sorted(FREED[:2]))
    assert torch.equal(answers(task(end, "nli")), answers(plain(place), FREED))
    assert torch.equal(answers(task(end, "mood")), answers(task(first, "mood"), FREED[:2]))
    names = {
        name: [TasksFolder(name="", path=str(at), task_name=name).identity() for at in (first, end)]
        for name in ("nli", "mood")
    }
    assert names["nli"][0] == names["nli"][1], "what is taught later does not change an earlier setting"
    assert names["mood"][0] != names["mood"][1], "it has lost two heads"
    last = teach(later_training(place, reuse(task="fourth"), start=str(end)), tmp_path / "three", FREED[:2])
    assert read_tasks(last / TASKS_FILE).task("tone").on == "01111101"


@pytest.mark.parametrize("kind", [OutputLayer, BiasesAndNorms, AllWeights])
def test_a_chain_goes_on_after_a_control_and_all_tasks_that_share_heads_give_them(
    place: Path, tmp_path: Path, kind: type[LaterTask]
) -> None:
    first = teach(later_training(place, reuse(kind), epochs=1), tmp_path / "one")
    second = later_training(place, reuse(task="tone"), start=str(first), epochs=1)
    end = teach(second, tmp_path / "two")
    chain = read_tasks(end / TASKS_FILE)
    assert [one.on for one in chain.tasks] == ["01101101", "01101101", "1" * 8]
    assert chain.candidates() == tuple(sorted(FREED))
    for name in ("nli", "mood"):
        assert torch.equal(answers(task(end, name)), answers(task(first, name), FREED)), name


@dataclass(kw_only=True)
class Lengths(DataSource):
    """How many words a text has: a regression."""

    name: str = "lengths"
    task: Task = Task.REGRESSION

    def examples(self) -> Examples:
        texts = tuple((" ".join(f"w{(i * j) % 50}" for j in range(1, 2 + i % 6)),) for i in range(40))
        return Examples(tuple(map(str, range(40))), texts, tuple(str(len(text[0].split())) for text in texts))


def test_data_for_the_order_is_of_the_task_of_the_model_whose_heads_are_ranked(place: Path) -> None:
    regression = {"train": Lengths(), "dev": Lengths(), "task": Task.REGRESSION}
    pairs = later_training(place).train
    later_training(place, reuse(task="", data=replace(pairs, path=place / "pairs.tsv")), **regression).check()
    with pytest.raises(InputError, match="the model whose heads are ranked is of classification, data 'lengths' is"):
        later_training(place, reuse(task="", data=Lengths()), **regression).check()


def test_a_later_task_may_be_a_regression(place: Path, tmp_path: Path) -> None:
    training = later_training(place, reuse(task=""), train=Lengths(), dev=Lengths(), task=Task.REGRESSION)
    end = teach(training, tmp_path / "run")
    later, earlier = task(end), task(end, "nli")
    assert (type(later), type(earlier)) == (Regressor, Classifier)
    assert read_tasks(end / TASKS_FILE).latest.name == "lengths"
    assert torch.equal(answers(earlier), answers(plain(place), FREED))
    config = TasksFolder(name="", path=str(end))
    assert (config.tasks(), config.output_names()) == ((Task.REGRESSION,), ())
    config.check_targets(Lengths().examples())
    assert replace(config, task_name="nli").tasks() == (Task.CLASSIFICATION,)
