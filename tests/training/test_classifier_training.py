"""Tests of the training of classifiers: what is saved, what is random, what it can learn, how it goes on."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixtures.processes import running
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from study.data.nli import NliFile
from study.record.errors import InputError, Interruption
from study.record.factors import Factors
from study.record.training.history import read_history
from study.toy.nli import NliDomain
from study.toy.sources import ToyNli
from study.training.classifier import train_classifier
from study.training.classifier_options import FineTuning, NewBert
from study.training.initial_classifier import learn_tokenizer
from study.training.trained_models import TrainedClassifier
from study.training.trainer import STATE_FILE, Trainer
from study.training.transformers_training import epoch_batches, triangle

LABELS = ("entailment", "neutral", "contradiction")
TOY = ToyNli(name="toy", domain=NliDomain.TRAIN, count=200)
TINY = NewBert(
    train=TOY, dev=TOY, layers=1, heads=2, hidden=16, inner=16, epochs=1, batch_size=32, learning_rate=2e-3, seed=0
)


def write_pairs(path: Path, pairs: list[tuple[str, str, str]]) -> NliFile:
    lines = [f"{i}\t{a}\t{b}\t{label}" for i, (a, b, label) in enumerate(pairs)]
    path.write_text("\n".join(["id\tpremise\thypothesis\tlabel", *lines]) + "\n")
    return NliFile(name="pairs", path=path)


def fine_tuning(place: Path, **changes) -> FineTuning:
    """A training of the tiny BERT of `place`, which has dropout, on its pairs."""
    pairs = NliFile(name="pairs", path=place / "pairs.tsv")
    options = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "max_length": 32, "record_every": 4}
    options |= {"start": str(place / "model"), "train": pairs, "dev": pairs}
    return FineTuning(**{**options, **changes})


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_a_checkpoint_is_a_plain_transformers_model(tmp_path: Path) -> None:
    train_classifier(TINY, tmp_path / "run", "cpu", 1)
    folder = tmp_path / "run" / "epoch-1"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert list(model.config.id2label.values()) == ["contradiction", "entailment", "neutral"]
    right, loss, examples = 0, 0.0, TOY.examples()
    model.requires_grad_(requires_grad=False)
    for texts, target in zip(examples.texts, examples.targets, strict=True):
        logits = model(**tokenizer(*texts, return_tensors="pt")).logits[0]
        right += model.config.id2label[int(logits.argmax())] == target
        loss -= float(logits.log_softmax(-1)[model.config.label2id[target]])
    last = read_history(tmp_path / "run")[-1]
    assert last.dev_score == pytest.approx(100 * right / len(examples))
    assert last.dev_loss == pytest.approx(loss / len(examples), abs=1e-5)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["epoch-1", "history.jsonl", "training.json"]


def test_the_seed_decides_and_the_callers_random_state_stays(tmp_path: Path) -> None:
    made = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        state, threads = torch.get_rng_state(), torch.get_num_threads()
        train_classifier(replace(TINY, seed=seed), tmp_path / name, "cpu", 1)
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
        torch.rand(1)
        made[name] = weights(tmp_path / name / "epoch-1")
    assert made["a"] == made["b"]
    assert made["a"] != made["c"]


def test_the_first_weights_and_the_order_have_seeds_of_their_own(tmp_path: Path) -> None:
    made = {}
    for name, seeds in {"plain": {}, "order": {"order_seed": 1}, "weights": {"weights_seed": 1}}.items():
        train_classifier(replace(TINY, keep=[0.0], **seeds), tmp_path / name, "cpu", 1)
        made[name] = [weights(tmp_path / name / f"epoch-{epoch}") for epoch in (0, 1)]
    assert made["order"][0] == made["plain"][0] != made["weights"][0]
    assert made["order"][1] != made["plain"][1] != made["weights"][1]


def test_seeds_that_are_all_the_same_are_one_training(place: Path) -> None:
    assert replace(TINY, weights_seed=0, order_seed=0).id == TINY.id
    assert replace(TINY, seed=3, weights_seed=0).id == replace(TINY, order_seed=3).id != TINY.id
    assert replace(TINY, seed=3, weights_seed=0).initial() == TINY.initial() != replace(TINY, seed=3).initial()
    assert fine_tuning(place, weights_seed=5).initial() == fine_tuning(place).initial(), (
        "a new output layer has no head"
    )


def test_trainings_that_differ_in_one_of_their_seeds_differ_in_their_place() -> None:
    """Held or varied, each seed that is given stands on an axis of its own; three orders are no three same places."""

    def places(option: str, **held: int) -> list[Factors]:
        trainings = [replace(TINY, **{option: seed}, **held) for seed in (0, 1, 2)]
        return [TrainedClassifier(name="m", training=own).factors("d", "float32") for own in trainings]

    for option, held in (
        ("seed", {}),
        ("order_seed", {}),
        ("weights_seed", {}),
        ("seed", {"weights_seed": 0}),
        ("seed", {"order_seed": 0}),
    ):
        found = places(option, **held)
        assert [getattr(place, option) for place in found] == [0, 1, 2]
        line = {replace(place, **{option: None}, initial=None) for place in found}
        assert len(line) == 1, f"{option} with {held}: they differ in nothing else, so that they are one line"


def test_what_is_kept_recorded_and_evaluated_changes_no_weight(place: Path, tmp_path: Path) -> None:
    train_classifier(fine_tuning(place), tmp_path / "a", "cpu", 1)
    busy = {"keep": [0.0, 0.5, 1.0], "record_every": 1, "evaluate_every": 0.1, "save_every": 1}
    train_classifier(fine_tuning(place, **busy), tmp_path / "b", "cpu", 1)
    assert weights(tmp_path / "a" / "epoch-2") == weights(tmp_path / "b" / "epoch-2")
    assert (tmp_path / "a" / "training.json").read_text() == (tmp_path / "b" / "training.json").read_text()
    assert sorted(path.name for path in (tmp_path / "b").glob("epoch-*")) == [
        "epoch-0",
        "epoch-0.5",
        "epoch-1",
        "epoch-2",
    ]


def test_training_is_that_of_a_plain_loop(place: Path, tmp_path: Path) -> None:
    """Without dropout: weights, losses and learning rates of a loop written plainly."""
    _without_dropout(place / "model")
    training = fine_tuning(place, new_head=False, record_every=1, warmup=0.25)
    train_classifier(training, tmp_path / "run", "cpu", 1)
    tokenizer = AutoTokenizer.from_pretrained(place / "model")
    model = AutoModelForSequenceClassification.from_pretrained(place / "model").train()
    decaying = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decaying}, {"params": others, "weight_decay": 0.0}], weight_decay=0.01)
    examples, lengths = training.train.examples(), []
    for texts in examples.texts:
        lengths.append(len(tokenizer(*texts)["input_ids"]))
    generator = torch.Generator().manual_seed(42)
    batches = [b for _ in range(2) for b in epoch_batches(torch.tensor(lengths), 8, generator)]
    records = read_history(tmp_path / "run")
    for step, batch in enumerate(batches):
        progress = (step + 1) / (len(batches) + 1)
        rate = 1e-3 * (progress / 0.25 if progress < 0.25 else (1 - progress) / 0.75)
        for group in optimizer.param_groups:
            group["lr"] = rate
        first, second = zip(*(examples.texts[i] for i in batch), strict=True)
        inputs = tokenizer(list(first), list(second), padding=True, return_tensors="pt")
        gold = torch.tensor([LABELS.index(examples.targets[i]) for i in batch])
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits, gold)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        assert records[step].loss == pytest.approx(loss.item(), abs=1e-4)
        assert records[step].learning_rate == pytest.approx(rate)
    found = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "epoch-2").state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.allclose(found[name], tensor, atol=1e-4), name


def _without_dropout(folder: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.0
    model.save_pretrained(folder)


@pytest.mark.slow
def test_killed_and_run_again_ends_with_the_same_bits(place: Path, tmp_path: Path) -> None:
    """Weights of every checkpoint, and the history, with dropout; killed by force at two places."""
    training = fine_tuning(place, epochs=12, keep=[1.0, 6.0], save_every=3)
    train_classifier(training, tmp_path / "undisturbed", "cpu", 1)
    folder = tmp_path / "killed"
    for least in (20, 80):
        with running(train_classifier, training, folder, "cpu", 1, place=tmp_path):
            deadline = time.monotonic() + 120
            while _last_step(folder) < least and time.monotonic() < deadline:
                time.sleep(0.005)
        assert (folder / STATE_FILE).is_file()
        assert least <= _last_step(folder) < 180, "killed in the middle"
    train_classifier(training, folder, "cpu", 1)
    for epoch in ("epoch-1", "epoch-6", "epoch-12"):
        assert weights(folder / epoch) == weights(tmp_path / "undisturbed" / epoch), epoch
    both = [[replace(r, seconds=0.0) for r in read_history(tmp_path / run)] for run in ("killed", "undisturbed")]
    assert both[0] == both[1]
    assert not (folder / STATE_FILE).exists()


def _last_step(folder: Path) -> int:
    return max((record.step for record in read_history(folder)), default=0)


def test_ctrl_c_before_anything_is_saved_says_so(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    update = Trainer.update

    def stopped(trainer: Trainer, batch: Sequence[int]) -> None:
        if trainer.step == 2:
            raise KeyboardInterrupt
        update(trainer, batch)

    monkeypatch.setattr(Trainer, "update", stopped)
    says = "The training was at step 2 of 30: the same command begins it anew, as nothing of it is saved yet"
    with pytest.raises(Interruption, match=says):
        train_classifier(fine_tuning(place, keep=[]), tmp_path / "run", "cpu", 1)


def test_a_training_that_is_done_is_left_alone(place: Path, tmp_path: Path) -> None:
    training = fine_tuning(place)
    train_classifier(training, tmp_path / "run", "cpu", 1)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    train_classifier(training, tmp_path / "run", "cpu", 1)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def test_it_learns_what_the_words_tell(tmp_path: Path) -> None:
    """The label is a word of the hypothesis: a few steps must find it."""
    pairs = [(f"some text {i % 7}", f"so it is {'good' if i % 2 else 'bad'}", ["no", "yes"][i % 2]) for i in range(600)]
    data = write_pairs(tmp_path / "pairs.tsv", pairs)
    train_classifier(replace(TINY, train=data, dev=data, hidden=32, inner=32, epochs=4), tmp_path / "run", "cpu", 1)
    history = read_history(tmp_path / "run")
    assert history[-1].dev_score == 100
    assert history[-1].epoch == 4
    assert history[-1].loss < history[0].loss


@pytest.mark.parametrize("new_head", [True, False])
def test_the_head_is_new_or_kept(
    place: Path, tmp_path: Path, new_head: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    train_classifier(fine_tuning(place, new_head=new_head, keep=[0.0]), tmp_path / "run", "cpu", 1)
    assert "Loading weights" not in capfd.readouterr().err, "a bar of transformers' among ours"
    old = AutoModelForSequenceClassification.from_pretrained(place / "model")
    new = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run" / "epoch-0")
    assert torch.equal(old.classifier.weight, new.classifier.weight) is not new_head
    assert torch.equal(old.bert.pooler.dense.weight, new.bert.pooler.dense.weight)
    labels = sorted(LABELS) if new_head else list(LABELS)
    assert list(new.config.id2label.values()) == labels


def test_a_training_starts_from_a_checkpoint_of_another(place: Path, tmp_path: Path) -> None:
    first = fine_tuning(place, keep=[1.0], folder=str(tmp_path / "origin"))
    origin = TrainedClassifier(name="first", training=first, epoch=1.0)
    second = fine_tuning(place, start="", origin=origin, keep=[0.0], new_head=False)
    known = second.id
    with pytest.raises(InputError, match="has not been trained until epoch 1"):
        train_classifier(second, tmp_path / "second", "cpu", 1)
    origin.train("cpu", 1)
    train_classifier(second, tmp_path / "second", "cpu", 1)
    assert weights(tmp_path / "second" / "epoch-0") == weights(tmp_path / "origin" / "epoch-1")
    assert second.id == known != fine_tuning(place, start="", origin=replace(origin, epoch=2.0), new_head=False).id
    assert second.initial() == replace(second, seed=9).initial() != first.initial()


def test_a_checkpoint_within_an_epoch_knows_the_updates_behind_it(tmp_path: Path) -> None:
    """Of 31 steps an epoch half an epoch is 16, where the history has 16 / 31."""
    data = ToyNli(name="toy", domain=NliDomain.TRAIN, count=31)
    learnt = replace(TINY, train=data, dev=data, batch_size=1, keep=[0.0, 0.5], folder=str(tmp_path / "run"))
    models = [TrainedClassifier(name="x", training=learnt, epoch=epoch) for epoch in (0.0, 0.5, None)]
    models[-1].train("cpu", 1)
    assert [model.gates().step for model in models] == [0, 16, 31]


@pytest.mark.parametrize("start", [{"start": ""}, {"origin": TrainedClassifier(name="x", training=TINY)}])
def test_one_model_to_start_from_is_wanted(place: Path, start: dict) -> None:
    with pytest.raises(InputError, match="give one of them"):
        fine_tuning(place, **start).check()


def test_what_cannot_be_learnt_is_refused(place: Path, tmp_path: Path) -> None:
    same = write_pairs(tmp_path / "same.tsv", [("w1", "w2", "neutral")] * 5)
    other = write_pairs(tmp_path / "other.tsv", [("w1", "w2", "neutral"), ("w1", "w3", "maybe")])
    wrong = {
        r"all of its 5 examples have the label 'neutral'": {"train": same},
        r"data 'pairs': labels \['maybe'\] are not the model's": {"train": other, "new_head": False},
        r"data 'pairs': labels \['maybe'\]": {"dev": other},
    }
    for number, (message, changes) in enumerate(wrong.items()):
        folder = tmp_path / f"run{number}"
        with pytest.raises(InputError, match=message):
            train_classifier(fine_tuning(place, **changes), folder, "cpu", 1)
        assert not list(folder.glob("epoch-*"))


def test_a_checkpoint_of_another_model_or_setting_is_refused(place: Path, tmp_path: Path) -> None:
    train_classifier(fine_tuning(place, epochs=1), tmp_path / "run", "cpu", 1)
    with pytest.raises(InputError, match=r"learning_rate: expected 0\.1, found 0\.001"):
        train_classifier(fine_tuning(place, epochs=1, learning_rate=0.1), tmp_path / "run", "cpu", 1)
    _without_dropout(place / "model")
    with pytest.raises(InputError, match=r"start\.config\.json: expected"):
        train_classifier(fine_tuning(place, epochs=1), tmp_path / "run", "cpu", 1)


@pytest.mark.parametrize(
    "changes", [{"epochs": 0}, {"keep": [3.0]}, {"warmup": 1.0}, {"batch_size": 0}, {"evaluate_every": 0.0}]
)
def test_values_out_of_range_are_refused(changes) -> None:
    with pytest.raises(InputError, match=r"or more|at least|between|within"):
        replace(TINY, **changes).check()


def test_a_pair_is_read_as_two_segments() -> None:
    tokenizer = learn_tokenizer([text for texts in TOY.examples().texts for text in texts], TINY)
    words = tokenizer("Every hen is sleeping.", "No BIRD")
    assert tokenizer.decode(words["input_ids"]) == "[CLS] every hen is sleeping. [SEP] no bird [SEP]"
    assert words["token_type_ids"] == sorted(words["token_type_ids"])
    assert set(words["token_type_ids"]) == {0, 1}
    assert len(tokenizer) <= TINY.vocabulary


@pytest.mark.parametrize(("size", "batch_size"), [(1, 4), (1000, 7), (257, 64)])
def test_an_epoch_has_every_example_once(size: int, batch_size: int) -> None:
    lengths = torch.randint(3, 40, (size,), generator=torch.Generator().manual_seed(0))
    batches = epoch_batches(lengths, batch_size, torch.Generator().manual_seed(1))
    assert Counter(row for batch in batches for row in batch) == Counter(range(size))
    assert max(map(len, batches)) <= batch_size
    assert batches == epoch_batches(lengths, batch_size, torch.Generator().manual_seed(1))


def test_batches_pad_little() -> None:
    lengths = torch.randint(5, 40, (2000,), generator=torch.Generator().manual_seed(0))
    batches = epoch_batches(lengths, 20, torch.Generator().manual_seed(1))
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert padded < 1.1 * int(lengths.sum())


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    assert [triangle(p, 0.1) for p in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_the_identity_follows_settings_and_data_and_not_what_is_kept(place: Path) -> None:
    one = fine_tuning(place).id
    assert one == fine_tuning(place, keep=[0.5], record_every=9, folder="x").id
    assert one != fine_tuning(place, seed=1).id
    (place / "pairs.tsv").write_text((place / "pairs.tsv").read_text().replace("neutral", "entailment", 1))
    assert one != fine_tuning(place).id
