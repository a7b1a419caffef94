"""The text processing of fairseq's models."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fixtures.fairseq.files import WORDS, write_dictionary, write_folder

from study.record.errors import InputError
from study.subjects.fairseq.text import Dictionary, FairseqText, TextProcessing


def processing(folder: Path, *, escape: bool = False, dashes: bool = False) -> TextProcessing:
    return TextProcessing(
        source_dictionary=folder / "dict.en.txt",
        target_dictionary=folder / "dict.fr.txt",
        bpe_codes=folder / "bpe.codes",
        source_lang="en",
        target_lang="fr",
        escape=escape,
        aggressive_dash_splits=dashes,
    )


@pytest.fixture
def text(tmp_path: Path) -> FairseqText:
    return FairseqText(processing(write_folder(tmp_path)))


def test_encode_by_hand(text: FairseqText) -> None:
    """`xy` has no merge: x@@ y; `ef` is merged to a word that the dictionary lacks; a comma is a token of its own."""
    ids = {word: i for i, word in enumerate(WORDS, start=4)}
    assert text.encode("xy, ef c.") == (ids["x@@"], ids["y"], ids[","], 3, ids["c"], ids["."], 2)


def test_decode_joins_subwords_and_sets_punctuation(text: FairseqText) -> None:
    ids = {word: i for i, word in enumerate(WORDS, start=4)}
    sentence = [ids["x@@"], ids["y"], ids["e"], ids[","], 3, ids["."], 2]
    assert text.decode(sentence) == "xy e, <unk>."
    assert text.decode([ids["c"], ids["x@@"], 2]) == "c x"
    assert text.decode([]) == ""


def test_escape_and_dashes_are_the_tokenisers(tmp_path: Path) -> None:
    """Without merges a token becomes its letters: c + &apos;s or 's; c + @-@ + e or c-e; and the end."""
    folder = write_folder(tmp_path)
    escaped, plain = FairseqText(processing(folder, escape=True, dashes=True)), FairseqText(processing(folder))
    assert (len(escaped.encode("c's")), len(plain.encode("c's"))) == (1 + 7 + 1, 1 + 2 + 1)
    assert (len(escaped.encode("c-e")), len(plain.encode("c-e"))) == (1 + 3 + 1 + 1, 3 + 1)


def test_dictionary_numbers_and_special_lines(tmp_path: Path) -> None:
    path = tmp_path / "dict.txt"
    path.write_text("a 9\n<unk> 7 #fairseq:overwrite\na 3 #fairseq:overwrite\nmadeupword0000 0\n", encoding="utf-8")
    dictionary = Dictionary.read(path)
    assert dictionary.words == ("<s>", "<pad>", "</s>", "<unk>", "a", "<unk>", "a", "madeupword0000")
    assert (dictionary.index["a"], dictionary.index["<unk>"], len(dictionary)) == (6, 5, 8)


def test_counts_are_whatever_fairseq_takes(tmp_path: Path) -> None:
    """Scores of sentencepiece stand in the place of counts; a word is numbered by its line alone."""
    (tmp_path / "dict.txt").write_text("▁a -0\n▁b -1\nc +3\nd 1_000\n", encoding="utf-8")
    assert Dictionary.read(tmp_path / "dict.txt").words[4:] == ("▁a", "▁b", "c", "d")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a 1\nb\n", "line 2: expected 'word count'"),
        ("a 1\nb 1.5\n", "line 2"),
        ("a 1\nb x\n", "line 2"),
        ("a 1\na 2\n", "line 2: 'a' stands"),
    ],
)
def test_malformed_dictionary(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "dict.txt").write_text(content)
    with pytest.raises(InputError, match=complaint):
        Dictionary.read(tmp_path / "dict.txt")


def test_missing_and_binary_files(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    (folder / "bpe.codes").write_text("#version: 0.2\na b\nabc\n")
    with pytest.raises(InputError, match=r"bpe.codes, line 3"):
        FairseqText(processing(folder))
    (folder / "bpe.codes").unlink()
    with pytest.raises(InputError, match=r"no BPE codes .*bpe.codes"):
        FairseqText(processing(folder))
    (folder / "dict.fr.txt").write_bytes(b"\xff\xfe\x00 1\n")
    with pytest.raises(InputError, match=r"dict.fr.txt is no dictionary"):
        FairseqText(processing(folder))
    (folder / "dict.en.txt").unlink()
    with pytest.raises(InputError, match=r"no dictionary .*dict.en.txt"):
        FairseqText(processing(folder))


def test_identity_changes_with_files_and_settings(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    first = processing(folder).identity()
    assert processing(folder).identity() == first
    assert json.loads(json.dumps(first)) == first
    assert processing(folder, escape=True).identity() != first
    (folder / "bpe.codes").write_text("#version: 0.2\na b\n")
    assert processing(folder).identity() != first


FAIRSEQ = """
import sys, json, logging
from fairseq.data import Dictionary
d = Dictionary.load(sys.argv[1])
lines = json.loads(sys.argv[2])
ids = [d.encode_line(line, add_if_not_exist=False).tolist() for line in lines]
print("IDS" + json.dumps([len(d), ids, [d.string(row, "@@ ") for row in ids]]))
"""


@pytest.mark.fairseq
@pytest.mark.skipif(find_spec("fairseq") is None, reason="fairseq is not installed")
def test_dictionary_is_fairseqs(tmp_path: Path) -> None:
    write_dictionary(tmp_path / "dict.txt", (*WORDS, "madeupword0000"))
    lines = ["x@@ y , e c .", "zz c madeupword0000", "<s> d@@ e"]
    command = [sys.executable, "-c", FAIRSEQ, str(tmp_path / "dict.txt"), json.dumps(lines)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    size, ids, strings = json.loads(output.split("IDS")[1])
    dictionary = Dictionary.read(tmp_path / "dict.txt")
    assert len(dictionary) == size
    assert [[*(dictionary.index.get(word, 3) for word in line.split()), 2] for line in lines] == ids
    folder = write_folder(tmp_path / "model")
    write_dictionary(folder / "dict.fr.txt", (*WORDS, "madeupword0000"))
    text = FairseqText(processing(folder))
    assert [text.decode(row).split() for row in ids[1:]] == [string.split() for string in strings[1:]]
