"""A task for which one head is needed: gates find it, and a larger lambda never keeps more heads."""

from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
import torch
from test_classifier_training import TINY, write_pairs
from transformers import AutoModelForSequenceClassification

from study.data.nli import NliFile
from study.gates.options import GivenMask, HardConcrete, Weights
from study.measures.orders import RandomOrder
from study.record.errors import InputError
from study.record.training.gates import GATES_FILE, GatesRecord, read_gates, write_gates
from study.record.training.history import read_history
from study.training.classifier import train_classifier
from study.training.classifier_options import FineTuning, NewBert
from study.training.folder import training_folder

HEADS, NEEDED = tuple(f"encoder_self.0.{i}" for i in range(4)), "0010"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[NliFile, Path]:
    """Pairs whose label is a word of the hypothesis, and a BERT of 1 x 4 heads that reads it with one of them.

    The others were off while it was trained, and nothing reads them.
    """
    place = tmp_path_factory.mktemp("planted")
    pairs = [(f"some text {i % 7}", f"so it is {'good' if i % 2 else 'bad'}", ["no", "yes"][i % 2]) for i in range(600)]
    data, folder = write_pairs(place / "pairs.tsv", pairs), place / "origin"
    given = GivenMask(keep=1, order=RandomOrder())
    training: NewBert = replace(TINY, train=data, dev=data, heads=4, hidden=32, inner=32, epochs=4, gates=given)
    with training_folder(folder, training.identity()):
        write_gates(GatesRecord("kept", given.identity(), training.id, 0, HEADS, NEEDED), folder / GATES_FILE)
    train_classifier(training, folder, "cpu", 1)
    assert read_history(folder)[-1].dev_score == 100
    record = read_gates(folder / "epoch-4" / GATES_FILE)
    assert (record.kept, record.step) == (NEEDED, 76)
    model = AutoModelForSequenceClassification.from_pretrained(folder / "epoch-4")
    weight = model.bert.encoder.layer[0].attention.output.dense.weight
    with torch.no_grad():
        weight *= torch.tensor([float(on) for on in NEEDED]).repeat_interleave(8)
    model.save_pretrained(folder / "epoch-4")
    return data, folder / "epoch-4"


def kept(planted: tuple[NliFile, Path], folder: Path, penalty: float, seed: int = 0, rate: float = 0.1) -> str:
    """The heads that stay, of a training of gates alone."""
    data, start = planted
    gates = HardConcrete(penalty=penalty, weights=Weights.frozen, learning_rate=rate)
    tuning = FineTuning(
        train=data, dev=data, start=str(start), new_head=False, gates=gates, seed=seed, epochs=4, batch_size=32,
        max_length=TINY.max_length, evaluate_every=4.0,
    )  # fmt: skip
    train_classifier(tuning, folder, "cpu", 1)
    assert read_history(folder)[-1].dev_score == 100
    return read_gates(folder / "epoch-4" / GATES_FILE).kept


def test_gates_keep_the_head_that_is_needed(planted: tuple[NliFile, Path], tmp_path: Path) -> None:
    assert kept(planted, tmp_path / "none", 0.0) == "1111"
    assert kept(planted, tmp_path / "some", 0.1) == NEEDED
    with pytest.raises(InputError, match=r"step \d+ of 76: gates.penalty=50 has closed all 4 heads"):
        kept(planted, tmp_path / "all", 50.0, rate=0.3)


@pytest.mark.exhaustive
def test_a_larger_lambda_never_keeps_more(planted: tuple[NliFile, Path], tmp_path: Path) -> None:
    """In the median over five seeds; the head that is needed is never lost."""
    penalties, seeds = (0.0, 1e-6, 0.01, 0.05, 0.1), range(5)
    found = [[kept(planted, tmp_path / f"{penalty}-{seed}", penalty, seed) for seed in seeds] for penalty in penalties]
    assert all(mask[2] == "1" for row in found for mask in row)
    medians = [median(mask.count("1") for mask in row) for row in found]
    assert medians == sorted(medians, reverse=True), found
    assert (medians[0], medians[-1]) == (4, 1)
