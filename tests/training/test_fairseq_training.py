"""Tests of training by fairseq: its text preparation, its processes, a whole small training where installed."""

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from study.data.examples import Examples
from study.errors import InputError, MissingPackageError
from study.toy.translation import TranslationDomain, translation_examples
from study.training.fairseq import (
    EpochCounter,
    TrainingError,
    fairseq_environment,
    prepare_text,
    require_fairseq,
    run_logged,
    train_arguments,
    train_translator,
)
from study.training.recipes import TranslationRecipe

needs_fairseq = pytest.mark.skipif(importlib.util.find_spec("fairseq") is None, reason="fairseq is not installed")
TINY = TranslationRecipe(
    merges=50, encoder_layers=1, decoder_layers=2, heads=2, hidden=8, inner=8, max_epochs=1, max_updates=3
)


@pytest.fixture
def without_fairseq(tmp_path: Path) -> str:
    """An interpreter that finds no package but Python's own."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_an_interpreter_without_fairseq_is_named_with_what_to_do(without_fairseq, tmp_path):
    pair = translation_examples(TranslationDomain.TRAIN, 10)
    with pytest.raises(MissingPackageError, match="pip install --no-deps ve-fairseq") as caught:
        train_translator(TINY, pair, pair, tmp_path, python=without_fairseq)
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
    with pytest.raises(TrainingError, match="exit code 1") as caught:
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


def test_progress_is_read_from_the_log():
    steps: list[int] = []
    counter = EpochCounter(1000, steps.append)
    for line in (
        "2026-01-01 00:00:00 | INFO | fairseq_cli.train | training on 1 devices\n",
        '2026-01-01 00:00:01 | INFO | train_inner | {"epoch": 1, "update": 0.25, "loss": "9.1"}\n',
        '2026-01-01 00:00:02 | INFO | valid | {"epoch": 1, "valid_loss": "7.2"}\n',
        '2026-01-01 00:00:03 | INFO | train_inner | {"epoch": 2, "update": 1.5, "loss": "8.2"}\n',
    ):
        counter.read(line)
    assert steps == [250, 1250]


def test_threads_are_the_callers_or_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert fairseq_environment()["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert fairseq_environment()["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))


def test_unpickling_is_allowed_for_own_checkpoints_only(monkeypatch):
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", raising=False)
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in fairseq_environment()
    assert fairseq_environment(own_checkpoint=True)["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"


def test_pre_norm_is_asked_for_by_its_switch():
    post, pre = Counter(train_arguments(TINY)), Counter(train_arguments(replace(TINY, pre_norm=True)))
    assert pre - post == Counter(["--encoder-normalize-before", "--decoder-normalize-before"])


@needs_fairseq
@pytest.mark.fairseq
def test_the_folder_is_a_fairseq_model(tmp_path):
    train, valid = (translation_examples(TranslationDomain(name), 60) for name in ("train", "valid"))
    train_translator(TINY, train, valid, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint_best.pt",
        "dict.en.txt",
        "dict.fr.txt",
        "bpe.codes",
        "train.log",
    }
    assert (tmp_path / "dict.en.txt").read_text() == (tmp_path / "dict.fr.txt").read_text()
    assert "done training" in (tmp_path / "train.log").read_text()
    look = (
        "import torch, sys; model = torch.load(sys.argv[1], weights_only=False)['model']; "
        "print(*(f'{name} {tuple(value.shape)}' for name, value in model.items()), sep='\\n')"
    )
    environment = fairseq_environment(own_checkpoint=True)
    command = [sys.executable, "-W", "ignore", "-c", look, str(tmp_path / "checkpoint_best.pt")]
    listing = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    shapes = dict(line.split(" ", 1) for line in listing)
    words = len((tmp_path / "dict.en.txt").read_text().splitlines()) + 4
    shared = ("encoder.embed_tokens", "decoder.embed_tokens", "decoder.output_projection")
    assert {shapes[f"{name}.weight"] for name in shared} == {f"({words}, 8)"}
    assert sum("encoder_attn.out_proj.weight" in name for name in shapes) == 2


@needs_fairseq
@pytest.mark.fairseq
def test_fairseqs_own_error_is_shown(tmp_path):
    pair = translation_examples(TranslationDomain.TRAIN, 20)
    with pytest.raises(TrainingError, match="embed_dim must be divisible by num_heads"):
        train_translator(replace(TINY, heads=3), pair, pair, tmp_path)
    assert "embed_dim must be divisible" in (tmp_path / "train.log").read_text()
