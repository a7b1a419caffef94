"""BPE codes of fairseq's models, by subword-nmt or by fastBPE.

Both are lists of merges, the first of which goes first, over the characters of a word with `</w>` at the last one, and
mark a subword that is not a word's last by `@@`. They differ in three things:

- A line of fastBPE is `left right count`, one of subword-nmt `left right`.
- subword-nmt's files say `#version: 0.2` in their first line. Its first files did not, or say 0.1: there `</w>` is a
  symbol of its own, which merges have to join to the last character. fastBPE has no such line and means 0.2.
- subword-nmt takes the first of two equal merges; fastBPE never writes two.
"""

from io import StringIO
from pathlib import Path

from subword_nmt.apply_bpe import BPE

from study.record.errors import InputError

SEPARATOR = "@@"
END_OF_WORD = "</w>"
VERSION = "#version:"
VERSIONS = ("0.1", "0.2")
CURRENT = f"{VERSION} {VERSIONS[-1]}"
SPACE_OF_GPT2 = "Ġ"


def read_bpe(path: Path) -> BPE:
    """The merges of a codes file, checked first: subword-nmt itself ends the program at a malformed line.

    Raises:
        InputError: when the file is missing, malformed, or of another kind of segmentation; says where and which.
    """
    unfit = "holds no BPE codes"
    lines = text_lines(path, "no BPE codes", unfit, hint=". A model of sentencepiece cannot be read")
    first = 1 if lines and lines[0].startswith(VERSION) else 0
    if first and lines[0].split()[-1] not in VERSIONS:
        raise InputError(f"{path}, line 1: expected {VERSION} {' or '.join(VERSIONS)}, got {lines[0][:60]!r}")
    merges = [line.strip("\r ").split(" ") for line in lines[first:]]
    if not merges:
        raise InputError(f"{path} {unfit}: no line of it is a merge")
    with_counts = not first and _has_count(merges[0])
    for number, fields in enumerate(merges, start=first + 1):
        if not (_has_count(fields) if with_counts else len(fields) == 2):
            expected = "two subwords and a count" if with_counts else "two subwords"
            raise InputError(f"{path}, line {number}: expected {expected}, got {' '.join(fields)[:60]!r}")
    pairs = [(fields[0], fields[1]) for fields in merges]
    _require_words(pairs, path)
    if with_counts:
        lines = [CURRENT, *(" ".join(pair) for pair in pairs)]
    elif not first:
        _require_version(pairs, path)
    return BPE(StringIO("\n".join(lines)), separator=SEPARATOR)


def text_lines(path: Path, missing: str, unfit: str, *, hint: str = "") -> list[str]:
    """The lines of a text file of a model's, as fairseq and subword-nmt break them: at LF, the last one not empty.

    Args:
        path: the file.
        missing: begins the error where there is no such file: `no dictionary`.
        unfit: what the file is not, where it is no text: `is no dictionary`.
        hint: ends the second error.

    Raises:
        InputError: when the file is missing or is no text.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise InputError(f"{missing} {path}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} {unfit}: not UTF-8 text ({error}){hint}") from error
    return lines[:-1] if lines[-1] == "" else lines


def _has_count(fields: list[str]) -> bool:
    return len(fields) == 3 and fields[2].isdecimal()


def _require_words(pairs: list[tuple[str, str]], path: Path) -> None:
    """Refuse GPT-2's merges: they are of bytes, not of characters, and mark where a word begins."""
    marked = {symbol for pair in pairs for symbol in pair if symbol.endswith(END_OF_WORD)}
    if not marked and any(left.startswith(SPACE_OF_GPT2) for left, _ in pairs):
        raise InputError(
            f"{path} holds the byte-level BPE of GPT-2, which cannot be read: expected codes with {END_OF_WORD}"
        )


def _require_version(pairs: list[tuple[str, str]], path: Path) -> None:
    """Refuse merges that are read as version 0.1, for want of a first line, and cannot be.

    There only a merge with `</w>` makes a symbol that ends so; in 0.2 and in fastBPE the last character has it at once.
    """
    symbols = {symbol for pair in pairs for symbol in pair}
    if any(symbol.endswith(END_OF_WORD) for symbol in symbols) and END_OF_WORD not in symbols:
        raise InputError(
            f"{path} lacks its first line, without which its words would be segmented otherwise: write {CURRENT} above "
            f"'{' '.join(pairs[0])}', with `sed -i '1i {CURRENT}' {path}`"
        )
