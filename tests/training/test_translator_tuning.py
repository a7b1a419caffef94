"""Tests of the further training of translators: against fairseq's own updates, killed, and in what is written."""

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.fairseq.run import fairseq_losses
from fixtures.fairseq.tuning import SIZES, TOY, make_start, tune_whatever_it_knows, tuning
from fixtures.killed import kill_twice

from study.certification.certify import certify
from study.gates.options import GivenMask, HardConcrete
from study.measures.orders.random import RandomOrder
from study.record.errors import InputError
from study.record.training.gates import GATES_FILE, GatesRecord, read_gates, write_gates
from study.record.training.history import Record, read_history, write_history
from study.record.units import AttentionKind, HeadLayout
from study.subjects.decoding.beam import BeamConfig
from study.subjects.fairseq.checkpoint import read_checkpoint
from study.subjects.fairseq.folder import FairseqFolder
from study.training.folder import training_folder
from study.training.gate_learner import require_converged
from study.training.trained_models import TunedTranslator
from study.training.trainer import STATE_FILE
from study.training.translator.batches import TokenPairs, epochs_of_batches
from study.training.translator.initial import embeddings, initial_translator
from study.training.translator.loop import tune_translator
from study.training.translator.options import TranslatorTuning
from study.training.translator.schedules import Schedule

needs_fairseq = pytest.mark.skipif(importlib.util.find_spec("fairseq") is None, reason="fairseq is not installed")


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    make_start(folder)
    return folder


FAIRSEQ = {
    "source-lang": "en", "target-lang": "fr", "criterion": "label_smoothed_cross_entropy", "optimizer": "adam",
    "adam-betas": "(0.9, 0.98)", "max-update": 20, "num-workers": 0, "max-tokens": 300, "dropout": 0.0,
    "required-batch-size-multiple": 1, "warmup-init-lr": 1e-7, "arch": "transformer", "seed": 1,
    "label-smoothing": 0.1, "lr-scheduler": "inverse_sqrt",
}  # fmt: skip


def fairseq_run(start: Path, **options: object) -> list[str]:
    """The command line of a training by fairseq that goes on from a checkpoint, all else anew."""
    sizes = {name.replace("_", "-"): number for name, number in SIZES.items()}
    words = [str(x) for name, value in (FAIRSEQ | sizes | options).items() for x in (f"--{name}", value)]
    anew = [
        "--restore-file",
        str(start),
        *(f"--reset-{x}" for x in ("optimizer", "lr-scheduler", "dataloader", "meters")),
    ]
    switches = ["--share-all-embeddings", "--no-save", "--disable-validation", "--cpu", *anew]
    pre_norm = ["--encoder-normalize-before", "--decoder-normalize-before"] if start.stem == "pre" else []
    return [*words, *switches, *pre_norm]


@needs_fairseq
@pytest.mark.fairseq
def test_updates_are_those_of_fairseq(start, tmp_path):
    """From the same weights, its batches in its order: post-norm and pre-norm, with decay or clipping, two epochs."""
    common = {"learning_rate": 5e-3}
    runs = {
        "post": (common, {"lr": 5e-3, "warmup-updates": 4, "clip-norm": 1.0}),
        "pre": (
            common | {"weight_decay": 0.1, "clip_norm": 0.0, "warmup_updates": 8},
            {"lr": 5e-3, "warmup-updates": 8, "weight-decay": 0.1},
        ),
    }
    commands = [fairseq_run(start / f"{name}.pt", **given) for name, (_, given) in runs.items()]
    theirs, spreads = fairseq_losses(start, commands)
    for losses, fresh, (name, (options, _)) in zip(theirs, spreads, runs.items(), strict=True):
        folder = tmp_path / name
        tune_translator(tuning(start / f"{name}.pt", **options), folder, "cpu", 1)
        ours = [record.loss for record in read_history(folder)[1:]]
        assert len(ours) == 20
        np.testing.assert_allclose(ours, losses, rtol=1e-4, err_msg=name)
        assert ours[-1] < ours[0] - 0.5
        drawn = read_checkpoint(start / f"{name}.pt").weights
        for weight, spread in fresh.items():
            x = drawn[f"model.{weight}"]
            few = x.ndim == 1  # a bias of 16 numbers
            assert float(x.std(correction=0)) == pytest.approx(spread, rel=0.8 if few else 0.2), weight


def test_killed_twice_and_run_again_ends_with_the_same_bytes(start, tmp_path):
    """By force, with dropout and gates: weights, moments, order and random state all go on."""
    gates = HardConcrete(scope=[AttentionKind.ENCODER_SELF], freeze=["decoder"])
    training = tuning(start / "post.pt", dropout=0.2, gates=gates, save_every=3, updates=None, keep=[1])
    kill_twice(tune_whatever_it_knows, training, tmp_path / "killed", after=(5, 15), of=30)
    for run in ("killed", "undisturbed"):
        tune_whatever_it_knows(training, tmp_path / run)
    for name in ("checkpoint1", "checkpoint2"):
        for file in (f"{name}.pt", f"{name}.gates.json", "gates.jsonl"):
            assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "undisturbed" / file).read_bytes(), file
    both = [[replace(r, seconds=0.0) for r in read_history(tmp_path / run)] for run in ("killed", "undisturbed")]
    assert both[0] == both[1]
    assert not (tmp_path / "killed" / STATE_FILE).exists()


@pytest.mark.parametrize("kind", ["post", "pre"])
def test_a_checkpoint_is_a_subject_like_one_of_fairseqs(start, tmp_path, kind):
    """Read, certified, and with the loss on the dev data that the history has; shared embeddings move together."""
    training = tuning(start / f"{kind}.pt", folder=str(tmp_path / "run"), keep=[0], learning_rate=5e-3)
    model = TunedTranslator(name="tuned", training=training, source_lang="en", target_lang="fr")
    model.train("cpu", 1)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "checkpoint0.pt", "checkpoint2.pt", "dict.en.txt", "dict.fr.txt", "bpecodes", "history.jsonl", "training.json",
    }  # fmt: skip
    assert (tmp_path / "run/checkpoint0.pt").read_bytes() == (start / f"{kind}.pt").read_bytes()
    assert_shared_embeddings_move(start / f"{kind}.pt", tmp_path / "run/checkpoint2.pt")
    subject = model.load(torch.device("cpu"))
    assert certify(subject).largest_difference < 1e-4
    losses = subject.reference_losses(subject.encode(TOY["valid"].examples()))
    last = read_history(tmp_path / "run")[-1]
    assert last.step == 20
    assert float(losses.sum()) / int((losses > 0).sum()) == pytest.approx(last.dev_loss, rel=1e-5)
    assert last.dev_loss < read_history(tmp_path / "run")[0].dev_loss - 0.5
    assert model.factors("x", "float32").epoch == 2


def assert_shared_embeddings_move(start: Path, end: Path) -> None:
    """Those of source, target and output are one tensor; positions are computed, and not stored."""
    before, after = (read_checkpoint(path) for path in (start, end))
    source, target, output = (
        after.weights[name]
        for name in ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight")
    )
    assert source.data_ptr() == target.data_ptr() == output.data_ptr()
    assert not torch.equal(source, before.weights["model.encoder.embed_tokens.weight"])
    assert after.settings["share_all_embeddings"]
    assert not [name for name in after.weights if "positions" in name]


def test_batches_hold_every_pair_once_and_no_more_tokens_than_allowed(start):
    pairs = TokenPairs(
        [[7] * n for n in (3, 9, 4, 4, 2)], [[7] * n for n in (5, 2, 4, 6, 2)], tokens=BeamConfig(1, 1.0, 2, 2, 1)
    )
    first, second = epochs_of_batches(pairs, 12, seed=3, epochs=2)
    for batches in (first, second):
        assert sorted(row for batch in batches for row in batch) == [0, 1, 2, 3, 4]
        for batch in batches:
            assert len(batch) * max(max(len(pairs.sources[i]), len(pairs.targets[i])) for i in batch) <= 12
    assert sorted(first) == sorted(second), "the same batches in every epoch"
    with pytest.raises(InputError, match=r"a pair has 9 tokens: training\.max_tokens=8"):
        epochs_of_batches(pairs, 8, seed=3, epochs=1)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("inverse_sqrt", {0: 1e-7, 4: 0.5, 8: 1, 32: 0.5, 99: (8 / 99) ** 0.5}),
        ("linear", {0: 1e-7, 4: 0.5, 8: 1, 54: 0.5, 99: 1 / 92}),
        ("constant", {0: 1e-7, 4: 0.5, 8: 1, 99: 1}),
    ],
)
def test_learning_rates_by_name(schedule, rates):
    found = {k: Schedule(schedule).rate(k, peak=1.0, warmup=8, updates=100) for k in rates}
    assert found == pytest.approx(rates, rel=1e-6)
    assert Schedule(schedule).rate(0, peak=1.0, warmup=0, updates=100) == 1.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start": ""}, "give one of them"),
        ({"updates": 4}, "warmup_updates=4 updates, so there must be more"),
        ({"dropout": 1.0}, "at least 0 and below 1: {'dropout': 1.0}"),
        ({"max_tokens": 0}, "at least 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"source": "de"}, "has no source dictionary: expected dict.de.txt"),
        ({"start": "/nowhere"}, "no folder /nowhere with a fairseq model"),
    ],
)
def test_what_cannot_be_trained_is_refused_early(start, changes, says):
    with pytest.raises(InputError, match=re.escape(says)):
        replace(tuning(start / "post.pt"), **changes).check()


@pytest.mark.parametrize("kind", ["post", "pre"])
@pytest.mark.parametrize("side", ["encoder", "encoder.embed_tokens"])
def test_what_is_frozen_stays_with_its_embedding(start, kind, side):
    """Also where a tensor has several names, as the embedding of the source has in M2M100."""
    initial = initial_translator(tuning(start / f"{kind}.pt", gates=HardConcrete(freeze=[side])), torch.device("cpu"))
    module = initial.translator.module
    still = {name for name, weights in module.named_parameters(remove_duplicate=False) if not weights.requires_grad}
    inside = {name for name, _ in module.named_parameters(remove_duplicate=False) if name.startswith(f"model.{side}.")}
    assert "model.encoder.embed_tokens.weight" in inside <= still
    assert {name for name in still - inside if "embed_positions" not in name} <= {"model.shared.weight"}


@pytest.mark.parametrize("kind", ["post", "pre"])
def test_padding_is_zero_in_weights_drawn_anew(start, kind):
    """Also where the output layer is the same tensor."""
    initial = initial_translator(tuning(start / f"{kind}.pt", scratch=True), torch.device("cpu"))
    for table in embeddings(initial.translator.module)[:2]:
        assert not table.weight[table.padding_idx].any()
        assert table.weight.std().item() == pytest.approx(16**-0.5, rel=0.1)


@pytest.mark.parametrize("kind", ["post", "pre"])
def test_voitas_recipe_moves_the_encoder_and_its_embedding_alone(start, tmp_path, kind):
    """Where the sides share an embedding, that of the source becomes its own; dev is evaluated with the heads kept."""
    gates = HardConcrete(scope=[AttentionKind.ENCODER_SELF], freeze=["decoder"], penalty=0.5, initial=None)
    training = tuning(start / f"{kind}.pt", gates=gates, learning_rate=5e-3, keep=[0], folder=str(tmp_path))
    tune_whatever_it_knows(training, tmp_path)
    before, after = (read_checkpoint(path) for path in (start / f"{kind}.pt", tmp_path / "checkpoint2.pt"))
    moved = {name for name, x in after.weights.items() if not torch.equal(x, before.weights[name])}
    assert moved == {name for name in after.weights if name.startswith("model.encoder.")}
    assert after.settings["share_decoder_input_output_embed"]
    assert not after.settings["share_all_embeddings"]
    record = read_gates(tmp_path / "checkpoint2.gates.json")
    assert record.heads == tuple(f"encoder_self.{layer}.{head}" for layer in range(2) for head in range(4))
    assert (record.method, record.step, record.kept[8:]) == ("hard_concrete", 20, "1" * 16)
    assert "0" in record.kept, "some head goes, or nothing is seen of it below"
    model = TunedTranslator(name="tuned", training=training, source_lang="en", target_lang="fr")
    subject = model.load(torch.device("cpu"))
    assert certify(subject).largest_difference < 1e-4
    rows = subject.encode(TOY["valid"].examples())
    with subject.gate.masked(subject.as_xi(np.array([[x == "1" for x in record.kept]]))):
        losses = subject.reference_losses(rows)
    assert float(losses.sum()) / int((losses > 0).sum()) == pytest.approx(read_history(tmp_path)[-1].dev_loss, rel=1e-5)


def tune_given(training: TranslatorTuning, folder: Path, kept: str, layout: HeadLayout) -> None:
    """Train with given heads, whose record a job has left in the folder."""
    with training_folder(folder, training.identity()):
        write_gates(GatesRecord("kept", {}, "", 0, tuple(map(str, layout.heads)), kept), folder / GATES_FILE)
    tune_translator(training, folder, "cpu", 1)


def test_a_kept_mask_is_on_at_every_update(start, tmp_path):
    """Heads that are off take no gradient. With every head on, the training is the plain one to the byte."""
    layout = (
        FairseqFolder(name="", path=str(start), checkpoint="post.pt", source_lang="en", target_lang="fr")
        .load(torch.device("cpu"))
        .layout
    )
    kept, few = GivenMask(order=RandomOrder(), keep=20), {"dropout": 0.2, "updates": 6}
    masks = {"some": "1011" * 6, "all": "1" * 24}
    for name, mask in masks.items():
        tune_given(tuning(start / "post.pt", gates=kept, **few), tmp_path / name, mask, layout)
    tune_translator(tuning(start / "post.pt", **few), tmp_path / "none", "cpu", 1)
    checkpoints = {name: tmp_path / name / "checkpoint2.pt" for name in (*masks, "none")}
    assert checkpoints["all"].read_bytes() == checkpoints["none"].read_bytes()
    before, after = (read_checkpoint(path).weights for path in (start / "post.pt", checkpoints["some"]))
    for name in (n for n in after if n.endswith("v_proj.weight")):
        moved = [not torch.equal(*pair) for pair in zip(before[name].split(4), after[name].split(4), strict=True)]
        assert moved == [True, False, True, True], name
    assert read_gates(tmp_path / "some/checkpoint2.gates.json").kept == masks["some"]


def test_a_start_far_from_converged_is_refused(start, tmp_path):
    gates = HardConcrete(scope=[AttentionKind.ENCODER_SELF])
    with pytest.raises(InputError, match=r"far from converged: on the dev data it has a loss of 5\.\d+ nats a target"):
        tune_translator(tuning(start / "post.pt", gates=gates), tmp_path / "run", "cpu", 1)
    words = torch.tensor([5, 5, 6, 2] * 4)
    frequencies = -(2 * np.log(9 / 23) + 2 * np.log(5 / 23)) / 4  # each of seven words once more
    require_converged(0.499 * frequencies, words, words, "nats a target token")
    with pytest.raises(InputError, match="1.23"):
        require_converged(0.501 * frequencies, words, words, "nats a target token")


def test_a_training_shorter_than_its_warm_up_is_refused(start, tmp_path):
    with pytest.raises(InputError, match=r"the training has \d+ updates, .* training\.warmup_updates=500: take more"):
        tune_translator(tuning(start / "post.pt", updates=None, warmup_updates=500), tmp_path / "run", "cpu", 1)


def test_progress_is_the_share_of_the_updates(start, tmp_path):
    """Half of twenty updates are half of the epochs, of which the training will not see the end."""
    training = tuning(start / "post.pt", epochs=8)
    write_history(tmp_path, [Record(10, 0.4, 0.1, 1.0, None, None, 3.0)])
    assert training.epochs_done(tmp_path) == 4
    assert replace(training, updates=None).epochs_done(tmp_path) == 0.4


def test_what_gates_cannot_be_learned_on_is_refused(start, tmp_path):
    with pytest.raises(InputError, match="scratch is for the same heads, trained anew"):
        tuning(start / "post.pt", gates=HardConcrete(), scratch=True).check()
    with pytest.raises(InputError, match="gates.freeze=pooler"):
        tune_translator(tuning(start / "post.pt", gates=HardConcrete(freeze=["pooler"])), tmp_path / "run", "cpu", 1)
