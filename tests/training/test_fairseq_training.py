"""Tests of training by fairseq: its text preparation, its processes, a whole small training where installed."""

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.fairseq.run import fairseq_generate

from study.certification.certify import certify
from study.data.parallel import ParallelFile
from study.gates.options import HardConcrete
from study.record.errors import InputError, MissingPackageError, StudyError
from study.record.examples import Examples
from study.record.training.history import Record, read_history, write_history
from study.subjects.fairseq.checkpoint import read_checkpoint
from study.subjects.fairseq.folder import FairseqFolder
from study.toy.sources import ToyTranslation
from study.toy.translation import TranslationDomain, translation_examples
from study.training.fairseq.log import LOG_FILE, LogReader
from study.training.fairseq.options import TranslationTraining
from study.training.fairseq.translator import (
    fairseq_environment,
    prepare_text,
    require_fairseq,
    run_logged,
    train_arguments,
    train_translator,
)
from study.training.trained_models import TrainedTranslator

needs_fairseq = pytest.mark.skipif(importlib.util.find_spec("fairseq") is None, reason="fairseq is not installed")
TOY = {name: ToyTranslation(name=name, domain=TranslationDomain(name), count=60) for name in ("train", "valid")}
TINY = TranslationTraining(
    train=TOY["train"],
    dev=TOY["valid"],
    source="en",
    target="fr",
    merges=50,
    encoder_layers=1,
    decoder_layers=2,
    heads=2,
    hidden=8,
    inner=8,
    epochs=3,
    keep=[1.0],
    dropout=0.3,
    max_tokens=300,
    warmup_updates=10,
    learning_rate=5e-3,
)


@pytest.fixture
def without_fairseq(tmp_path: Path) -> str:
    """An interpreter that finds no package but Python's own."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_an_interpreter_without_fairseq_is_named_with_what_to_do(without_fairseq, tmp_path):
    with pytest.raises(MissingPackageError, match="pip install --no-deps ve-fairseq") as caught:
        train_translator(replace(TINY, python=without_fairseq), tmp_path / "run")
    assert without_fairseq in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"python"}


def test_an_interpreter_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no_python"):
        require_fairseq(str(tmp_path / "no_python"))


def test_subwords_join_to_the_tokens_they_were(tmp_path):
    sets = {name: translation_examples(TranslationDomain(name), 80) for name in ("train", "valid")}
    prepare_text(TINY, sets, tmp_path / "bpe.codes", tmp_path)
    assert (tmp_path / "bpe.codes").read_text().startswith("#version: 0.2\n")
    assert len((tmp_path / "bpe.codes").read_text().splitlines()) == 1 + TINY.merges
    for name, examples in sets.items():
        for language, texts in (("en", [t[0] for t in examples.texts]), ("fr", examples.targets)):
            lines = (tmp_path / f"{name}.{language}").read_text().splitlines()
            assert any("@@ " in line for line in lines)
            joined = [line.replace("@@ ", "").replace(" ", "") for line in lines]
            assert joined == [text.replace(" ", "") for text in texts]


def test_codes_are_those_of_the_subword_nmt_program(tmp_path):
    examples = translation_examples(TranslationDomain.TRAIN, 60)
    sets = {"train": examples}
    prepare_text(TINY, sets, tmp_path / "bpe.codes", tmp_path)
    text = "".join((tmp_path / f"train.{side}").read_text().replace("@@ ", "") for side in ("en", "fr"))
    (tmp_path / "text").write_text(text)
    program = [sys.executable, "-m", "subword_nmt.learn_bpe", "-s", str(TINY.merges)]
    files = ["-i", str(tmp_path / "text"), "-o", str(tmp_path / "codes")]
    subprocess.run([*program, *files], check=True, capture_output=True)
    assert (tmp_path / "bpe.codes").read_text() == (tmp_path / "codes").read_text()


def test_an_empty_text_is_named(tmp_path):
    empty = Examples(ids=("a", "b"), texts=(("x",), ("y",)), targets=("x", " "))
    with pytest.raises(InputError, match="fr text of example 'b' is empty"):
        prepare_text(TINY, {"train": empty}, tmp_path / "bpe.codes", tmp_path)


def test_a_failing_process_shows_the_end_of_its_log(tmp_path):
    code = "print(*range(100), sep='\\n'); raise SystemExit('out of luck')"
    log = tmp_path / "train.log"
    with pytest.raises(StudyError, match="exit code 1") as caught:
        run_logged([sys.executable, "-c", code], tmp_path, log)
    message = str(caught.value)
    assert str(log) in message
    assert "out of luck" in message
    assert "99\n" in message
    assert "\n50\n" not in message
    assert log.read_text().startswith("0\n1\n")


def test_an_interrupted_training_ends_its_process(tmp_path):
    def interrupt(line: str) -> None:
        (tmp_path / "pid").write_text(line)
        raise KeyboardInterrupt

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        run_logged([sys.executable, "-c", code], tmp_path, tmp_path / "train.log", interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


LOG = (
    "2026-01-01 00:00:00 | INFO | fairseq_cli.train | training on 1 devices\n",
    '2026-01-01 00:00:01 | INFO | train_inner | {"epoch": 1, "update": 0.25, "lr": "0.1"}\n',
    '2026-01-01 00:00:02 | INFO | valid | {"epoch": 1, "valid_loss": "7.2", "valid_nll_loss": "7", '
    '"valid_num_updates": "4"}\n',
    "2026-01-01 00:00:02 | INFO | fairseq.checkpoint_utils | Saved checkpoint checkpoints/checkpoint1.pt\n",
    '2026-01-01 00:00:03 | INFO | train | {"epoch": 1, "train_nll_loss": "8", "train_lr": "0.2", "train_wall": "5"}\n',
    '2026-01-01 00:00:03 | INFO | train_inner | {"epoch": 2, "update": 1.5, "lr": "0.1"}\n',
)


def test_progress_and_history_are_read_from_the_log(tmp_path):
    steps: list[int] = []
    reader = LogReader(TINY, tmp_path, tmp_path, 1000, steps.append)
    for line in LOG[:-1]:
        reader.read(line)
    (record,) = read_history(tmp_path)
    assert (record.step, record.epoch, record.learning_rate, record.seconds) == (4, 1.0, 0.2, 5.0)
    assert record.loss == pytest.approx(8 * 0.6931472), "nats, where fairseq gives bits"
    assert record.dev_loss == pytest.approx(7 * 0.6931472)
    reader.read(LOG[-1])
    assert steps == [0, 250, 1250]


def test_checkpoints_that_are_neither_kept_nor_best_nor_newest_go(tmp_path):
    reader = LogReader(replace(TINY, epochs=9, keep=[2.0]), tmp_path, tmp_path, 10, lambda _: None)
    for epoch, loss in enumerate((9, 8, 3, 7, 6), start=1):
        (tmp_path / f"checkpoint{epoch}.pt").touch()
        valid = f'{{"epoch": {epoch}, "valid_loss": "{loss}", "valid_nll_loss": "1", "valid_num_updates": "4"}}'
        reader.read(f"x | INFO | valid | {valid}\n")
        reader.read("x | INFO | fairseq.checkpoint_utils | Saved checkpoint\n")
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == [f"checkpoint{i}.pt" for i in (2, 3, 5)]
    assert reader.best() == 3


def test_a_checkpoint_knows_the_updates_behind_it(tmp_path):
    """Of the best one fairseq's log tells, by the loss that fairseq goes by."""
    losses = {1: ("5", "2"), 2: ("4", "3"), 3: ("6", "1")}
    for epoch, (loss, nll) in losses.items():
        said = {"epoch": epoch, "valid_loss": loss, "valid_nll_loss": nll, "valid_num_updates": f"{7 * epoch}"}
        with (tmp_path / LOG_FILE).open("a") as log:
            log.write(f"x | INFO | valid | {json.dumps(said)}\n")
    write_history(
        tmp_path, [Record(7 * epoch, float(epoch), 0.1, None, float(losses[epoch][1]), None, 0.0) for epoch in losses]
    )
    for name in ("checkpoint1.pt", "checkpoint3.pt", "checkpoint_best.pt"):
        (tmp_path / name).touch()
    training = replace(TINY, folder=str(tmp_path))
    updates = {
        epoch: TrainedTranslator(name="x", training=training, epoch=epoch, source_lang="en", target_lang="fr")
        .gates()
        .step
        for epoch in (1.0, 3.0, None)
    }
    assert updates == {1.0: 7, 3.0: 21, None: 14}


def test_threads_are_the_callers_or_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert fairseq_environment()["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert fairseq_environment()["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))
    assert fairseq_environment(threads=1)["OMP_NUM_THREADS"] == "1"
    assert fairseq_environment()["OMP_WAIT_POLICY"] == "PASSIVE"


def test_unpickling_is_allowed_for_own_checkpoints_only(monkeypatch):
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", raising=False)
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in fairseq_environment()
    assert fairseq_environment(own_checkpoint=True)["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"


def test_pre_norm_is_asked_for_by_its_switch():
    post, pre = Counter(train_arguments(replace(TINY, pre_norm=False))), Counter(train_arguments(TINY))
    assert pre - post == Counter(["--encoder-normalize-before", "--decoder-normalize-before"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keep": [0.5]}, "whole epochs"),
        ({"heads": 3}, "no multiple"),
        (
            {"gates": HardConcrete()},
            "gates=hard_concrete: fairseq itself trains without gates. model=fairseq_finetuned",
        ),
    ],
)
def test_what_fairseq_cannot_do_is_refused(changes, says):
    with pytest.raises(InputError, match=says):
        replace(TINY, **changes).check()


RUN = """
import pickle, sys
from pathlib import Path
from study.training.fairseq.translator import train_translator
train_translator(pickle.load(open(sys.argv[1], "rb")), Path(sys.argv[2]))
"""


STEADY = replace(TINY, dropout=0.0)
"""A training that nothing is random in once it has begun, so that it can go on where it was."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translator") / "run"
    train_translator(STEADY, folder)
    return folder


def tensors(path: Path) -> dict[str, torch.Tensor]:
    checkpoint = read_checkpoint(path)
    return dict(checkpoint.weights)


@needs_fairseq
@pytest.mark.fairseq
def test_the_folder_is_a_fairseq_model_with_the_checkpoints_kept(undisturbed):
    assert {path.name for path in undisturbed.iterdir()} == {
        "checkpoint1.pt", "checkpoint3.pt", "checkpoint_best.pt", "dict.en.txt", "dict.fr.txt", "bpe.codes",
        "train.log", "history.jsonl", "training.json",
    }  # fmt: skip
    assert (undisturbed / "dict.en.txt").read_text() == (undisturbed / "dict.fr.txt").read_text()
    history = read_history(undisturbed)
    assert [record.epoch for record in history] == [1, 2, 3]
    best = min(history, key=lambda record: record.dev_loss)
    if best.epoch != 2:
        same = tensors(undisturbed / f"checkpoint{best.epoch:.0f}.pt")
        assert all(torch.equal(same[name], x) for name, x in tensors(undisturbed / "checkpoint_best.pt").items())
    assert STEADY.lacking(undisturbed) == []


@pytest.mark.slow
@needs_fairseq
@pytest.mark.fairseq
def test_killed_and_run_again_ends_where_an_undisturbed_run_does(undisturbed, tmp_path):
    """Killed by force after the first epoch, fairseq with it: same batches and rates, weights but rounding."""
    folder = tmp_path / "killed"
    (tmp_path / "training").write_bytes(pickle.dumps(STEADY))
    command = [sys.executable, "-c", RUN, str(tmp_path / "training"), str(folder)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(folder.glob("work/checkpoints/checkpoint1.pt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert STEADY.lacking(folder) == [1, 3], "killed in the middle"
    train_translator(STEADY, folder)
    for name in ("checkpoint1.pt", "checkpoint3.pt"):
        again, once = tensors(folder / name), tensors(undisturbed / name)
        assert all(torch.allclose(again[key], once[key], atol=2e-3) for key in once), name
    histories = [read_history(run) for run in (folder, undisturbed)]
    for a, b in zip(*histories, strict=True):
        assert (a.step, a.epoch) == (b.step, b.epoch)
        assert a.dev_loss == pytest.approx(b.dev_loss, abs=2e-3)


def test_a_checkpoint_that_the_log_does_not_tell_of_is_trained_again(tmp_path):
    for epoch in (1, 2):
        (tmp_path / f"checkpoint{epoch}.pt").touch()
    (tmp_path / "train.log").write_text("".join(LOG))
    done: list[int] = []
    assert LogReader(TINY, tmp_path, tmp_path, 10, done.append).newest() == 1
    assert done == [10]
    assert not (tmp_path / "checkpoint2.pt").exists()


@needs_fairseq
@pytest.mark.fairseq
def test_a_pre_norm_checkpoint_is_certified_and_translates_as_fairseq_does(undisturbed, tmp_path):
    """Trained here, loaded as M2M100, against fairseq's own generation: hypotheses and scores."""
    languages = {"source_lang": "en", "target_lang": "fr"}
    options = {"name": "", "path": str(undisturbed), "checkpoint": "checkpoint{epoch}.pt", "epoch": 3.0}
    source = FairseqFolder(**options, **languages, max_len_b=20)
    subject = source.load(torch.device("cpu"))
    assert type(subject.module).__name__ == "M2M100ForConditionalGeneration"
    assert certify(subject).largest_difference < 1e-4
    examples = TOY["valid"].examples()
    rows = subject.encode(examples)
    ours = subject.outcomes(rows, np.ones((len(rows), len(subject.layout)), dtype=bool))
    texts = [texts[0] for texts in examples.texts]
    theirs = fairseq_generate(undisturbed / "checkpoint3.pt", texts, tmp_path, max_len_b=20)
    assert len(theirs) == len(texts)
    clear = 0
    for i, (hypothesis, score) in enumerate(theirs):
        if ours["margin"][i] > 1e-4:
            clear += 1
            assert ours["hypothesis"][i] == hypothesis
            assert ours["hypothesis_score"][i] == pytest.approx(score, abs=1e-4)
    assert clear > len(texts) / 2


@needs_fairseq
@pytest.mark.fairseq
def test_a_folder_of_another_training_is_refused(undisturbed, tmp_path):
    (tmp_path / "x.en").write_text("One.\n")
    other = ParallelFile(name="x", source=tmp_path / "x.en", target=tmp_path / "x.en")
    with pytest.raises(InputError, match=r"train\.domain: expected null, found \"train\""):
        train_translator(replace(STEADY, train=other), undisturbed)
