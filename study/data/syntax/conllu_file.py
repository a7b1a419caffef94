"""Sentences of a CoNLL-U file, each with its text, its tree, its document and genre.

The format: https://universaldependencies.org/format.html. Multiword ranges and empty nodes are no words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import conllu
from conllu.exceptions import ParseException

from study.data.syntax.spelling import Contraction, locate
from study.record.errors import InputError
from study.record.lines import read_lines
from study.record.syntax import Tree

GENRE = ("genre", "meta::genre")
"""Comments that tell the genre of a document; GUM writes the second."""

SHORT_LINE = "a word has ten columns, parted by tabs"

Token = Mapping[str, Any]


@dataclass(frozen=True)
class Sentence:
    """A sentence of a treebank.

    Attributes:
        name: its `sent_id`, or its number in the file, from 1.
        text: as it is written.
        tree: its words.
        document: the document that it is part of; empty where the file knows of none.
        genre: the genre of the document; empty where the file does not tell.
        where: `file:line`.
    """

    name: str
    text: str
    tree: Tree
    document: str
    genre: str
    where: str


def read_sentences(path: Path) -> list[Sentence]:
    """The sentences of a CoNLL-U file, in order.

    Raises:
        InputError: for a file that is missing, empty or of another format, a sentence without `# text`, words that do
            not spell it, and what is no tree; names file and line.
    """
    found, document, genre = [], "", ""
    for number, (line, block) in enumerate(_blocks(read_lines(path)), start=1):
        where = f"{path}:{line}"
        tokens = _parsed(block, where)
        comments = tokens.metadata
        if "newdoc id" in comments or "newdoc" in comments:
            document = comments.get("newdoc id") or f"document from line {line}"
            genre = document.partition("-")[0] if _names_genre(document) else ""
        genre = next((comments[name] for name in GENRE if comments.get(name)), genre)
        text = comments.get("text")
        if not text:
            raise InputError(f"{where}: the sentence has no comment '# text = ...', which says how it is written")
        name = comments.get("sent_id") or str(number)
        found.append(Sentence(name, text, _tree(tokens, text, where), document, genre, where))
    if not found:
        raise InputError(f"{path} has no sentences")
    return found


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The number of the first line of each sentence, from 1, and its lines."""
    for filled, run in groupby(enumerate(lines, start=1), key=lambda numbered: bool(numbered[1].strip())):
        if filled:
            block = list(run)
            yield block[0][0], "\n".join(line for _, line in block)


def _parsed(block: str, where: str) -> conllu.TokenList:
    """The tokens of a sentence; features, dependencies beyond the tree and notes stay text, which nobody reads here."""
    as_text: dict[str, Any] = dict.fromkeys(("xpos", "feats", "deps", "misc"), lambda line, at: line[at])
    try:
        return conllu.parse_token_and_metadata(block, field_parsers=as_text)
    except ParseException as error:
        raise InputError(f"{where}: the sentence is no CoNLL-U ({error}): {SHORT_LINE}") from error


def _names_genre(document: str) -> bool:
    """Whether the name of a document begins with its genre, as in EWT: `weblog-blogspot.com_...`."""
    before, hyphen, _ = document.partition("-")
    return bool(hyphen) and before.isalpha() and before.islower()


def _tree(tokens: Sequence[Token], text: str, where: str) -> Tree:
    words = [token for token in tokens if isinstance(token["id"], int)]
    for number, word in enumerate(words, start=1):
        if word["id"] != number:
            raise InputError(f"{where}: word {word['id']} stands where word {number} should")
        if not isinstance(word.get("head"), int):
            raise InputError(f"{where}: word {number}, '{word['form']}', has no head: {SHORT_LINE}")
    forms = [str(word["form"]) for word in words]
    try:
        spans = locate(forms, list(_contractions(tokens)), text)
        starts, ends = zip(*spans, strict=True) if spans else ((), ())
        columns = (tuple(word[name] for word in words) for name in ("head", "deprel", "upos"))
        return Tree(starts, ends, *columns)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _contractions(tokens: Sequence[Token]) -> Iterator[Contraction]:
    """The multiword ranges, `1-2 du`; an empty node, `8.1`, is none."""
    for token in tokens:
        if isinstance(token["id"], tuple) and token["id"][1] == "-":
            first, _, last = token["id"]
            yield Contraction(first, last, str(token["form"]))
