"""Segmentation by codes of subword-nmt and of fastBPE."""

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from study.record.errors import InputError
from study.subjects.fairseq.bpe import read_bpe

END = "</w>"


def merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    """Every occurrence of a pair in a word made one symbol, from the left."""
    found: list[str] = []
    for symbol in word:
        if found and (found[-1], symbol) == pair:
            found[-1] = "".join(pair)
        else:
            found.append(symbol)
    return found


def learned(words: list[list[str]], merges: int) -> list[tuple[tuple[str, str], int]]:
    """The most frequent pair again and again, with its count, as codes are learned."""
    codes = []
    for _ in range(merges):
        counts = Counter(pair for word in words for pair in pairwise(word))
        pair, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
        codes.append((pair, count))
        words = [merged(word, pair) for word in words]
    return codes


def segmented(word: list[str], codes: list[tuple[tuple[str, str], int]]) -> str:
    """The codes applied one after the other, as the paper of BPE has it."""
    for pair, _ in codes:
        word = merged(word, pair)
    return "@@ ".join(word).removesuffix(END).removesuffix("@@ ")


@pytest.mark.parametrize("kind", ["fastBPE", "subword-nmt 0.2", "subword-nmt 0.1", "subword-nmt of 2015"])
def test_every_kind_of_codes_segments_as_its_merges_in_order(tmp_path: Path, kind: str) -> None:
    draw = random.Random(1)
    words = ["".join(draw.choices("abcdé中", k=draw.randint(1, 8))) for _ in range(300)]
    of_its_own = "0.1" in kind or "2015" in kind
    split = [[*word, END] if of_its_own else [*word[:-1], word[-1] + END] for word in words]
    codes = learned(split[:100], 60)
    lines = [f"{left} {right} {count}" if kind == "fastBPE" else f"{left} {right}" for (left, right), count in codes]
    first = [f"#version: {kind[-3:]}"] if "0." in kind else []
    (tmp_path / "bpecodes").write_text("".join(f"{line}\n" for line in first + lines), encoding="utf-8")
    expected = " ".join(segmented(word, codes) for word in split)
    assert read_bpe(tmp_path / "bpecodes").process_line(" ".join(words)) == expected
    assert "@@" in expected


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a b 9\na b\n", "line 2: expected two subwords and a count, got 'a b'"),
        ("a b\na b 9\n", "line 2: expected two subwords, got 'a b 9'"),
        ("", "no line of it is a merge"),
        ("#version: 0.2\n", "no line of it is a merge"),
        ("#version: 0.3\na b\n", "line 1: expected #version: 0.1 or 0.2"),
        ("#version: 0.2\nĠ t\nĠt he\n", "byte-level BPE of GPT-2"),
        ("a b\na c</w>\n", "lacks its first line.*write #version: 0.2"),
    ],
)
def test_other_codes_are_refused(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "bpecodes").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=complaint):
        read_bpe(tmp_path / "bpecodes")


def test_model_of_sentencepiece_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bpecodes").write_bytes(b"\x0a\xff\x00")
    with pytest.raises(InputError, match="sentencepiece"):
        read_bpe(tmp_path / "bpecodes")
