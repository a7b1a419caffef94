"""The text processing of fairseq's translation models: Moses tokens, subwords, and the dictionary that numbers them.

    raw text  --sacremoses-->  tokens  --BPE-->  subwords  --dictionary-->  ids, closed by </s>

and back. The settings must be those of the model's training: a model whose text is processed otherwise translates
without a complaint, and badly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from sacremoses import MosesDetokenizer, MosesTokenizer

from study.record.errors import InputError
from study.record.files import file_digest
from study.subjects.fairseq.bpe import SEPARATOR, read_bpe, text_lines
from study.subjects.tokens.facts import NOWHERE
from study.subjects.tokens.spelling import TextPieces, spelled_spans

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
"""The words that fairseq puts before those of every dictionary file."""
START, PAD, END, UNKNOWN = range(len(SPECIAL))

DASH = "@-@"
"""How the Moses tokeniser marks a hyphen within a compound."""

OVERWRITE = "#fairseq:overwrite"
"""Ends a line whose word stands in the dictionary already and is to have the later number."""


@dataclass(frozen=True)
class Dictionary:
    """Words and their numbers.

    Attributes:
        words: every entry in order, the special words first; an entry that was overwritten keeps its place.
        index: number of each word.
        path: the file that it was read from.
    """

    words: tuple[str, ...]
    index: dict[str, int]
    path: Path

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def read(cls, path: Path) -> "Dictionary":
        """Read a `dict.<language>.txt`: a word and its count a line.

        Raises:
            InputError: when the file is missing, not UTF-8, malformed, or names a word twice; says which line.
        """
        words: list[str] = [*SPECIAL]
        index = {word: i for i, word in enumerate(words)}
        for number, line in enumerate(text_lines(path, "no dictionary", "is no dictionary"), start=1):
            word, overwrite = _parse(line, f"{path}, line {number}")
            if word in index and not overwrite:
                raise InputError(f"{path}, line {number}: '{word}' stands in the dictionary already")
            index[word] = len(words)
            words.append(word)
        return cls(tuple(words), index, path)


def _tokens(subwords: Sequence[str]) -> Iterator[list[str]]:
    """The subwords of each token."""
    token: list[str] = []
    for subword in subwords:
        token.append(subword)
        if not subword.endswith(SEPARATOR):
            yield token
            token = []
    if token:
        yield token


def _parse(line: str, where: str) -> tuple[str, bool]:
    fields = line.rstrip().rsplit(" ", 1)
    if overwrite := fields[-1] == OVERWRITE:
        fields = fields[0].rsplit(" ", 1)
    if len(fields) != 2 or not _is_integer(fields[1]):
        raise InputError(f"{where}: expected 'word count', the count a whole number, got {line[:60]!r}")
    return fields[0], overwrite


def _is_integer(count: str) -> bool:
    """Whether it is a count for fairseq, which takes what Python's `int` takes: the scores of sentencepiece as well."""
    try:
        int(count)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class TextProcessing:
    """Where a fairseq model's text files are, and how its text was tokenised.

    Attributes:
        source_dictionary: `dict.<source language>.txt`.
        target_dictionary: `dict.<target language>.txt`.
        bpe_codes: merges of subword-nmt or of fastBPE.
        source_lang: code of the language that is read, for the tokeniser.
        target_lang: code of the language that is written, for the detokeniser.
        escape: whether the model knows `&apos;` for an apostrophe, and so on (the Moses tokeniser's default).
        aggressive_dash_splits: whether it knows `@-@` for the hyphen in a compound (the tokeniser's `-a`).
    """

    source_dictionary: Path
    target_dictionary: Path
    bpe_codes: Path
    source_lang: str
    target_lang: str
    escape: bool
    aggressive_dash_splits: bool

    def identity(self) -> dict[str, Any]:
        """Digests of the files and all the settings, as JSON values."""
        files = {"source": self.source_dictionary, "target": self.target_dictionary, "bpe_codes": self.bpe_codes}
        return {
            "files": {name: file_digest(path) for name, path in files.items()},
            "tokens": "moses",
            "subwords": "subword-nmt",
            "source_lang": self.source_lang,
            "target_lang": self.target_lang,
            "escape": self.escape,
            "aggressive_dash_splits": self.aggressive_dash_splits,
        }


class FairseqText:
    """Text to ids of the source dictionary, ids of the target dictionary to text.

    Attributes:
        source: dictionary of what is read.
        target: dictionary of what is written.
        settings: where its files are, and how text was tokenised.
        unknown: id of the words that a dictionary lacks.

    Raises:
        InputError: when a file is missing or malformed.
    """

    unknown: int | None = UNKNOWN

    def __init__(self, settings: TextProcessing) -> None:
        self.source = Dictionary.read(settings.source_dictionary)
        self.target = Dictionary.read(settings.target_dictionary)
        self.settings = settings
        self._source_tokenizer = MosesTokenizer(settings.source_lang)
        self._target_tokenizer = MosesTokenizer(settings.target_lang)
        self._detokenizer = MosesDetokenizer(settings.target_lang)
        self._bpe = read_bpe(settings.bpe_codes)

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of a raw text, `</s>` last; words that the dictionary lacks become `<unk>`."""
        return self._ids(text, self._source_tokenizer, self.source)

    def encode_target(self, text: str) -> tuple[int, ...]:
        """Ids of a text in the language that is written, by the target dictionary."""
        return self._ids(text, self._target_tokenizer, self.target)

    def spell(self, text: str) -> TextPieces:
        """The subwords of a raw text and `</s>`, and the characters that each stands for."""
        return self._spelling(text, self._source_tokenizer)

    def spell_target(self, text: str) -> TextPieces:
        """The subwords of a text in the language that is written, see `spell`."""
        return self._spelling(text, self._target_tokenizer)

    def _ids(self, text: str, tokenizer: MosesTokenizer, dictionary: Dictionary) -> tuple[int, ...]:
        return (*(dictionary.index.get(subword, UNKNOWN) for subword in self._subwords(text, tokenizer)), END)

    def _subwords(self, text: str, tokenizer: MosesTokenizer) -> list[str]:
        tokens = tokenizer.tokenize(
            text,
            escape=self.settings.escape,
            aggressive_dash_splits=self.settings.aggressive_dash_splits,
            return_str=True,
        )
        return self._bpe.process_line(tokens).split()

    def _spelling(self, text: str, tokenizer: MosesTokenizer) -> TextPieces:
        subwords = self._subwords(text, tokenizer)
        spelled = [letters for token in _tokens(subwords) for letters in self._letters(token)]
        spans = spelled_spans(spelled, text)
        if spans is not None:
            spans = [spans[max(k for k in range(i + 1) if spelled[k])] for i in range(len(spans))]
        return TextPieces((*subwords, SPECIAL[END]), None if spans is None else [*spans, (NOWHERE, NOWHERE)])

    def _letters(self, token: Sequence[str]) -> list[str]:
        """What each subword of a token stands for; the first for all where the token is spelled otherwise than text."""
        parts = [subword.removesuffix(SEPARATOR) for subword in token]
        spelled = "".join(parts)
        meant = "-" if spelled == DASH else unescape(spelled) if self.settings.escape else spelled
        return parts if meant == spelled else [meant, *[""] * (len(parts) - 1)]

    def decode(self, ids: Sequence[int]) -> str:
        """Detokenised text of ids; `<s>` and `</s>` are left out, unknown words stand as `<unk>`, as fairseq's do."""
        subwords = " ".join(self.target.words[i] for i in ids if i not in (START, END))
        return self._detokenizer.detokenize(f"{subwords} ".replace(f"{SEPARATOR} ", "").split())
