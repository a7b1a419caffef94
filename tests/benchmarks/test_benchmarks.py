"""Every part of the benchmark runs at toy size and says what it should; how fast it is is not tested."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fixtures.cases import TRANSLATORS, Numbers, build

from benchmarks import gates
from benchmarks.engine import translation, translators
from benchmarks.engine.translators import Translation
from benchmarks.parts import PARTS
from benchmarks.sizes import QUICK
from benchmarks.table import Row, machine, write
from study.gates.options import Gates, HardConcrete
from study.masking.gate import Gate
from study.record.errors import MissingPackageError
from study.record.examples import Examples
from study.subjects.fairseq.folder import FairseqFolder
from study.subjects.translator import DecodingOptions, Translator


@pytest.mark.parametrize("part", list(PARTS))
def test_part_gives_rows(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADS_REAL", raising=False)
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path / "cache"))
    with ThreadPoolExecutor(1) as thread:  # a browser that another test has open here would refuse a second one
        rows = thread.submit(lambda: list(PARTS[part](QUICK))).result()
    assert rows
    for row in rows:
        assert (row.part, bool(row.work)) == (part, True)
        assert row.note.startswith("skipped: ") if row.ours is None else row.ours > 0
        assert row.ratio is None or (math.isfinite(row.ratio) and bool(row.against))
        assert row.bound is None or row.bound > 0


def test_the_baseline_of_gates_has_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a gate was built")

    monkeypatch.setattr(Gate, "on", fail)
    model = build(next(iter(TRANSLATORS.values())))
    assert gates._learner(Gates(), model) is None
    with pytest.raises(AssertionError, match="a gate was built"):
        gates._learner(HardConcrete(), model)


def test_translation_gives_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a tiny model with random weights; fairseq is left out, as where it is not installed."""
    monkeypatch.setattr(translation, "translator", lambda _: tiny_translation(tmp_path))
    monkeypatch.setattr(translators, "require_fairseq", lambda: _raise(MissingPackageError("none")))
    skipped, row = PARTS["translation"](QUICK)
    assert skipped.note == "skipped: fairseq is not installed"
    assert row.against.startswith("(d)")
    assert row.ratio is not None
    assert row.bound is not None
    assert 1 < row.bound < 3


def tiny_translation(folder: Path) -> Translation:
    source = FairseqFolder(name="tiny", path=str(folder), source_lang="en", target_lang="fr", max_len_b=6)
    decoding = DecodingOptions(beam=source.beam, lenpen=1.0, max_len_a=0.0, max_len_b=source.max_len_b)
    subject = Translator(
        build(TRANSLATORS["fsmt"]), Numbers(), decoding, max_source=60, max_target=60, truncate=False, loaded="tiny"
    )
    examples = Examples(("a", "b"), (("5 9 12",), ("7 7 8 9 30",)), ("9", "8"))
    return Translation("tiny", source, subject, examples, subject.encode(examples))


@pytest.mark.real
@pytest.mark.fairseq
@pytest.mark.slow
@pytest.mark.parametrize("part", ["classifier", "translation"])
def test_part_with_trained_model(real: Path, part: str) -> None:
    """Every way is there, and the float32 and the screened engine decide as the loop does."""
    pytest.importorskip("fairseq_cli", reason="fairseq is not installed")
    with ThreadPoolExecutor(1) as thread:  # a browser that another test has open here would refuse a second one
        rows = thread.submit(lambda: list(PARTS[part](QUICK))).result()
    assert [row.work for row in rows if row.ours is None] == []
    for row in rows:
        assert "bfloat16" in row.work or part == "translation" or " 0 of " in row.note


def _raise(error: Exception) -> None:
    raise error


def test_json_has_machine_and_ratios(tmp_path: Path) -> None:
    write([Row(part="a", work="b", against="c", ours=2.0, theirs=5.0)], machine(), tmp_path / "rows.json")
    content = json.loads((tmp_path / "rows.json").read_text())
    assert content["rows"][0]["ratio"] == 2.5
    assert {"processor", "cores", "threads", "bfloat16", "torch", "transformers", "date"} <= set(content["machine"])
