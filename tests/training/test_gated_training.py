"""Trainings whose heads have gates: what moves, what is kept and recorded, how they go on, what is told early."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fixtures.gated import train_whatever_it_knows
from fixtures.killed import kill_twice
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from study.data.nli import NliFile
from study.gates.hard_concrete import HardConcreteGates
from study.gates.options import Gates, GivenMask, HardConcrete, Subset, Weights
from study.masking.gate import Gate
from study.record.errors import InputError, Interruption
from study.record.training.gates import GATES_FILE, GatesRecord, read_course, read_gates
from study.record.training.history import read_history
from study.record.units import AttentionKind
from study.toy.induction import InductionDomain
from study.toy.sources import ToyInduction
from study.training import gate_learner
from study.training.classifier import train_classifier
from study.training.classifier_options import FineTuning
from study.training.decoder import train_decoder
from study.training.decoder_options import NewLlama
from study.training.gate_learner import GateLearner, given_gates, parts
from study.training.trainer import Trainer
from study.training.transformers_training import epoch_batches, triangle

LABELS = ("entailment", "neutral", "contradiction")
STEPS = 30


def tuning(place: Path, gates: Gates, **changes) -> FineTuning:
    """A training of the tiny BERT of `place`, of 2 x 4 heads and with dropout, on its pairs."""
    pairs = NliFile(name="pairs", path=place / "pairs.tsv")
    options = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "max_length": 32, "record_every": 4}
    options |= {"start": str(place / "model"), "train": pairs, "dev": pairs, "new_head": False, "gates": gates}
    return FineTuning(**{**options, **changes})


@pytest.fixture(autouse=True)
def any_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates are learned here of models with random weights, which `test_converged` sees refused."""
    monkeypatch.setattr(gate_learner, "require_converged", lambda *_: None)


def gates_at(folder: Path, epoch: float = 2) -> GatesRecord:
    return read_gates(folder / f"epoch-{epoch:g}" / GATES_FILE)


def moved(place: Path, folder: Path) -> set[str]:
    """The weights that the training has changed."""
    before, after = (load_file(path / "model.safetensors") for path in (place / "model", folder / "epoch-2"))
    return {name for name, weight in after.items() if not torch.equal(weight, before[name])}


@pytest.fixture
def plain_model(place: Path) -> Path:
    """The tiny BERT of `place` without dropout."""
    model = AutoModelForSequenceClassification.from_pretrained(place / "model")
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.0
    model.save_pretrained(place / "model")
    return place / "model"


def test_training_is_that_of_a_plain_loop(place: Path, plain_model: Path, tmp_path: Path) -> None:
    """Gates, weights and losses of a loop that multiplies the input of each output projection itself."""
    options = HardConcrete(penalty=0.2, warmup=0.5, learning_rate=0.05, initial=None)
    train_classifier(tuning(place, options, record_every=1, warmup=0.25), tmp_path / "run", "cpu", 1)
    tokenizer = AutoTokenizer.from_pretrained(plain_model)
    model = AutoModelForSequenceClassification.from_pretrained(plain_model).train()
    gates = HardConcreteGates(options, Gate.on(model, causal=False).layout.heads, seed=42)
    drawn = torch.ones(8)

    def gate(layer: int) -> None:
        def multiply(_: torch.nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
            size = inputs[0].shape[-1] // 4
            return (inputs[0] * drawn[4 * layer : 4 * layer + 4].repeat_interleave(size),)

        model.bert.encoder.layer[layer].attention.output.dense.register_forward_pre_hook(multiply)

    gate(0)
    gate(1)
    decaying = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": decaying}, {"params": others, "weight_decay": 0.0}], weight_decay=0.01)
    of_gates = torch.optim.Adam(gates.parameters())
    examples = NliFile(name="pairs", path=place / "pairs.tsv").examples()
    lengths = torch.tensor([len(tokenizer(*texts)["input_ids"]) for texts in examples.texts])
    generator = torch.Generator().manual_seed(42)
    batches = [batch for _ in range(2) for batch in epoch_batches(lengths, 8, generator)]
    records, course = read_history(tmp_path / "run"), read_course(tmp_path / "run")
    for step, batch in enumerate(batches):
        rate = triangle((step + 1) / (STEPS + 1), 0.25)
        for group in optimizer.param_groups:
            group["lr"] = rate * 1e-3
        of_gates.param_groups[0]["lr"] = rate * 0.05
        first, second = zip(*(examples.texts[i] for i in batch), strict=True)
        inputs = tokenizer(list(first), list(second), padding=True, return_tensors="pt")
        gold = torch.tensor([LABELS.index(examples.targets[i]) for i in batch])
        drawn = gates.draw(0.0)
        loss = torch.nn.functional.cross_entropy(model(**inputs).logits, gold)
        opened = (gates.log_alpha + 0.33 * math.log(11)).sigmoid().sum()
        penalty = 0.2 * min(1.0, step / STEPS / 0.5) * opened
        optimizer.zero_grad()
        of_gates.zero_grad()
        (loss + penalty).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        of_gates.step()
        assert records[step].loss == pytest.approx(loss.item(), abs=1e-4), "without the penalty"
        assert course[step + 1].log_alpha == pytest.approx(gates.log_alpha.tolist(), abs=1e-4)
    found = load_file(tmp_path / "run" / "epoch-2" / "model.safetensors")
    for name, tensor in model.state_dict().items():  # a key bias has no gradient but what rounding leaves
        assert name.endswith("key.bias") or torch.allclose(found[name], tensor, atol=1e-4), name
    assert gates_at(tmp_path / "run").log_alpha == pytest.approx(gates.log_alpha.tolist(), abs=1e-4)


def test_what_is_recorded(place: Path, tmp_path: Path) -> None:
    learnt = tuning(place, HardConcrete(penalty=0.05), keep=[0.0, 1.0])
    train_classifier(learnt, tmp_path / "run", "cpu", 1)
    records = [gates_at(tmp_path / "run", epoch) for epoch in (0, 1, 2)]
    course = {moment.step: moment for moment in read_course(tmp_path / "run")}
    assert {record.step for record in read_history(tmp_path / "run")} <= set(course)
    assert list(course) == list(range(STEPS + 1)), "with so few updates each is a moment"
    for step, record in zip((0, 15, 30), records, strict=True):
        assert (record.step, record.training, record.method) == (step, learnt.id, "hard_concrete")
        assert record.options == learnt.gates.identity()
        assert (record.log_alpha, record.open) == (course[step].log_alpha, course[step].open)
        assert len(record.heads) == len(record.kept) == 8
        assert course[step].penalty == pytest.approx(0.05 * sum(record.open))
    assert records[0].log_alpha == (2.0,) * 8
    assert records[0].kept == "1" * 8
    assert records[0].undecided == records[0].fractional == records[0].heads, "at 2 a gate is 1 with P = .77"
    assert len(set(records[2].log_alpha)) > 4


def test_a_subset_keeps_exactly_so_many_heads(place: Path, tmp_path: Path) -> None:
    for name, options in {"soft": {}, "straight": {"straight_through": True}}.items():
        train_classifier(tuning(place, Subset(keep=3, **options)), tmp_path / name, "cpu", 1)
        record = gates_at(tmp_path / name)
        assert record.kept.count("1") == 3
        largest = sorted(zip(record.log_alpha, record.heads, strict=True))[-3:]
        kept = {head for head, on in zip(record.heads, record.kept, strict=True) if on == "1"}
        assert {head for _, head in largest} == kept
        assert read_course(tmp_path / name)[0].log_alpha != record.log_alpha


def test_weights_or_parts_of_them_are_frozen(place: Path, tmp_path: Path) -> None:
    train_classifier(tuning(place, HardConcrete(weights=Weights.frozen)), tmp_path / "frozen", "cpu", 1)
    assert not moved(place, tmp_path / "frozen")
    assert set(gates_at(tmp_path / "frozen").log_alpha) != {2.0}
    train_classifier(
        tuning(place, HardConcrete(freeze=["embeddings", "bert.encoder.layer.1"])), tmp_path / "parts", "cpu", 1
    )
    names = set(load_file(place / "model" / "model.safetensors"))
    still = names - moved(place, tmp_path / "parts")
    assert still == {name for name in names if ".embeddings." in name or name.startswith("bert.encoder.layer.1.")}


def test_after_until_gates_are_hard_and_weights_go_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, loss = [], GateLearner.loss

    def watched(learner: GateLearner, forward) -> Tensor:
        with monkeypatch.context() as patched:
            masked = learner.gate.masked
            patched.setattr(learner.gate, "masked", lambda xi: (seen.append(xi.detach().clone()), masked(xi))[1])
            return loss(learner, forward)

    monkeypatch.setattr(GateLearner, "loss", watched)
    learnt = tuning(place, HardConcrete(until=0.5, initial=None), keep=[1.0], record_every=1)
    train_classifier(learnt, tmp_path / "run", "cpu", 1)
    half, end = gates_at(tmp_path / "run", 1), gates_at(tmp_path / "run", 2)
    assert (half.kept, half.log_alpha) == (end.kept, end.log_alpha)
    penalties = {moment.step: moment.penalty for moment in read_course(tmp_path / "run")}
    assert all((penalty > 0) == (step < 15) for step, penalty in penalties.items()), "nothing is added after step 15"
    assert "0" in end.kept
    mask = torch.tensor([[float(on) for on in end.kept]])
    assert all(torch.equal(xi, mask) for xi in seen[15:])
    assert not any(torch.equal(xi, mask) for xi in seen[:15])
    first, last = (load_file(tmp_path / "run" / f"epoch-{epoch}" / "model.safetensors") for epoch in (1, 2))
    assert any(not torch.equal(first[name], last[name]) for name in first)


def test_dev_data_is_evaluated_with_the_heads_that_stay(place: Path, tmp_path: Path) -> None:
    """By the checkpoint itself, the columns of the others' projections set to zero."""
    train_classifier(tuning(place, HardConcrete(initial=None)), tmp_path / "run", "cpu", 1)
    folder = tmp_path / "run" / "epoch-2"
    record, last = gates_at(tmp_path / "run"), read_history(tmp_path / "run")[-1]
    assert "0" in record.kept
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    model.requires_grad_(requires_grad=False)
    for column, on in enumerate(record.kept):
        weight = model.bert.encoder.layer[column // 4].attention.output.dense.weight
        size = weight.shape[1] // 4
        weight[:, column % 4 * size : (column % 4 + 1) * size] *= int(on)
    examples = NliFile(name="pairs", path=place / "pairs.tsv").examples()
    loss = 0.0
    for texts, target in zip(examples.texts, examples.targets, strict=True):
        logits = model(**tokenizer(*texts, return_tensors="pt")).logits[0]
        loss -= float(logits.log_softmax(-1)[model.config.label2id[target]]) / len(examples)
    assert last.dev_loss == pytest.approx(loss, abs=1e-5)


@torch.no_grad()
def test_a_hard_gate_of_one_is_the_model_and_of_zero_the_masked_model_bit_for_bit(place: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(place / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(place / "model")
    inputs = tokenizer(["w1 w2 w3", "w4"], ["w5 w6", "w7 w8 w9"], padding=True, return_tensors="pt")
    gate = Gate.on(model, causal=False)
    plain = model(**inputs).logits
    for kept in ("11111111", "01101110"):
        record = GatesRecord("kept", {}, "", 0, tuple(map(str, gate.layout.heads)), kept)
        learner = GateLearner(GivenMask(keep=5), gate, given_gates(record, gate.layout), updates=1)
        with learner.hard():
            found = model(**inputs).logits
        assert torch.equal(learner.loss(lambda: model(**inputs).logits), found)
        with gate.masked(torch.tensor([[float(on) for on in kept]] * 2)):
            assert torch.equal(model(**inputs).logits, found)
        assert torch.equal(found, plain) == (kept == "11111111")


def test_gates_change_neither_the_batches_nor_dropout(place: Path, tmp_path: Path) -> None:
    """With all of them at 1 the weights are those of the training without gates, bit for bit."""
    never = HardConcrete(penalty=0.0, initial=50.0, learning_rate=1e-9)
    train_classifier(tuning(place, never), tmp_path / "gates", "cpu", 1)
    train_classifier(tuning(place, Gates()), tmp_path / "none", "cpu", 1)
    one, other = ((tmp_path / name / "epoch-2" / "model.safetensors").read_bytes() for name in ("gates", "none"))
    assert one == other
    assert not (tmp_path / "none" / "gates.jsonl").exists()
    assert not (tmp_path / "none" / "epoch-2" / GATES_FILE).exists()


@pytest.mark.parametrize("gates", [HardConcrete(penalty=0.05, until=0.8), Subset(keep=3)], ids=["concrete", "subset"])
def test_stopped_and_run_again_ends_with_the_same_bits(
    place: Path, tmp_path: Path, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = tuning(place, gates, keep=[1.0], save_every=3)
    train_classifier(learnt, tmp_path / "whole", "cpu", 1)
    update, folder = Trainer.update, tmp_path / "stopped"
    for step in (8, 22):

        def stopped(trainer: Trainer, batch: Sequence[int], last: int = step) -> None:
            if trainer.step == last:
                raise KeyboardInterrupt
            update(trainer, batch)

        monkeypatch.setattr(Trainer, "update", stopped)
        with pytest.raises(Interruption):
            train_classifier(learnt, folder, "cpu", 1)
        torch.rand(5)
    monkeypatch.setattr(Trainer, "update", update)
    train_classifier(learnt, folder, "cpu", 1)
    assert_same(folder, tmp_path / "whole", (1, 2))


@pytest.mark.slow
def test_killed_twice_and_run_again_ends_with_the_same_bits(place: Path, tmp_path: Path) -> None:
    learnt = tuning(place, HardConcrete(penalty=0.02), epochs=12, keep=[1.0, 6.0], save_every=3)
    train_classifier(learnt, tmp_path / "whole", "cpu", 1)
    kill_twice(train_whatever_it_knows, learnt, tmp_path / "killed", after=(20, 80), of=180)
    train_classifier(learnt, tmp_path / "killed", "cpu", 1)
    assert_same(tmp_path / "killed", tmp_path / "whole", (1, 6, 12))


def assert_same(folder: Path, other: Path, epochs: Sequence[int]) -> None:
    """Weights and gates of every checkpoint, and the course of both, to the bit."""
    for epoch in epochs:
        for name in ("model.safetensors", GATES_FILE):
            assert (folder / f"epoch-{epoch}" / name).read_bytes() == (other / f"epoch-{epoch}" / name).read_bytes()
    assert (folder / "gates.jsonl").read_bytes() == (other / "gates.jsonl").read_bytes()
    both = [[replace(record, seconds=0.0) for record in read_history(run)] for run in (folder, other)]
    assert both[0] == both[1]


def test_a_decoder_learns_gates_as_well(tmp_path: Path) -> None:
    texts = ToyInduction(name="t", domain=InductionDomain.TRAIN, count=60)
    learnt = NewLlama(train=texts, dev=texts, epochs=1, batch_size=12, max_length=64, gates=Subset(keep=5))
    train_decoder(learnt, tmp_path / "run", "cpu", 1)
    record = gates_at(tmp_path / "run", 1)
    assert (len(record.heads), record.kept.count("1")) == (8, 5)
    assert all(address.startswith("decoder_self.") for address in record.heads)


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        (
            HardConcrete(penalty=30.0, initial=0.0, learning_rate=1.0),
            r"step \d+ of 30: gates.penalty=30 has closed all 8 heads",
        ),
        (HardConcrete(scope=[AttentionKind.CROSS]), "gates.scope has cross: the model has heads of encoder_self"),
        (Subset(keep=9), "gates.keep=9, and the model has 8 heads"),
        (HardConcrete(top=9), "gates.top=9, and the model has 8 heads"),
        (HardConcrete(until=0.01), r"gates\.until=0\.01 of 30 updates leaves none in which gates are learned"),
        (
            HardConcrete(freeze=["decoder"]),
            "gates.freeze=decoder: .* weights are in bert.embeddings, bert.encoder.layer.0 to 1, .*classifier; a piece",
        ),
    ],
)
def test_what_cannot_be_is_told_early(place: Path, tmp_path: Path, gates: Gates, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train_classifier(tuning(place, gates), tmp_path / "run", "cpu", 1)
    assert not list((tmp_path / "run").glob("epoch-*"))


def test_a_training_with_other_constants_is_refused(place: Path, tmp_path: Path) -> None:
    train_classifier(tuning(place, HardConcrete(), epochs=1), tmp_path / "run", "cpu", 1)
    for changes, says in (
        ({"beta": 0.5}, r"gates\.beta: expected 0\.5, found 0\.33"),
        ({"weights": Weights.frozen}, r'gates\.weights: expected "frozen", found "trained"'),
    ):
        with pytest.raises(InputError, match=says):
            train_classifier(tuning(place, HardConcrete(**changes), epochs=1), tmp_path / "run", "cpu", 1)


def test_parts_of_a_model_hold_all_of_its_weights() -> None:
    names = [f"model.encoder.layers.{layer}.fc1.weight" for layer in (0, 1, 10)]
    names += ["model.encoder.embed_tokens.weight", "lm_head.weight", "model.shared.weight"]
    assert parts(names) == ["model.encoder.layers.0 to 10", "model.encoder", "lm_head", "model.shared"]


def test_where_no_head_stays_it_is_said_what_keeps_some(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Gates that are likelier 0 than 1, none of them for certain."""
    gate = Gate.on(AutoModelForSequenceClassification.from_pretrained(place / "model"), causal=False)
    options = HardConcrete(penalty=0.3, initial=-1.0)
    learner = GateLearner(options, gate, HardConcreteGates(options, gate.layout.heads, seed=0), updates=5)
    trainer = object.__new__(Trainer)
    for trainer.step, said in ((4, 0), (5, 1)):
        learner.after_step(trainer)
        assert len(caplog.messages) == said
    assert "no head that has a gate stays after step 5" in caplog.text
    assert "A smaller gates.penalty keeps some (gates.penalty=0.15)" in caplog.text
