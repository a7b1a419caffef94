"""A treebank: sentences that are only read, with the trees that heads are compared with."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from omegaconf import MISSING

from study.data.source import DataSource
from study.data.syntax.conllu_file import Sentence, read_sentences
from study.record.errors import InputError, listed
from study.record.examples import Examples
from study.record.files import name_of
from study.record.lines import did_you_mean
from study.record.metrics import Task
from study.terminal.once import say_once

log = logging.getLogger(__name__)

ALL = "all"
"""The part that is all genres."""


class SentenceGroup(StrEnum):
    """What sentences share that makes them dependent.

    Attributes:
        document: the document, where the file tells of documents.
        sentence: nothing, each stands for itself.
    """

    document = "document"
    sentence = "sentence"


class OneWord(StrEnum):
    """What becomes of sentences of one word, in which no word can attend to another.

    Attributes:
        left_out: they are left out, and it is said how many.
        refused: a file that has one is refused.
    """

    left_out = "left_out"
    refused = "refused"


@dataclass(kw_only=True)
class UdFile(DataSource):
    """A local CoNLL-U file, such as those of Universal Dependencies: each sentence is an example.

    Multiword ranges and empty nodes are no words. Words are located in the text of a sentence by their forms, so that
    languages without blanks work as others do.

    Attributes:
        path: the file.
        part: the one genre whose sentences are taken, or `all`.
        group: what sentences share that makes them dependent.
        one_word: what becomes of sentences of one word.
    """

    task: Task = Task.READING
    path: Path = MISSING
    part: str = ALL
    group: SentenceGroup = SentenceGroup.document
    one_word: OneWord = OneWord.left_out

    def __post_init__(self) -> None:
        self.name = self.name or name_of(self.path) + ("" if self.part == ALL else f"_{self.part}")

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        sentences = self._leave_out_single_words(self._select_genre(read_sentences(self.path.expanduser())))
        columns = {"group": [sentence.document or sentence.name for sentence in sentences]}
        if self.group is SentenceGroup.sentence or not any(sentence.document for sentence in sentences):
            columns = {}
        if all(sentence.genre for sentence in sentences):
            columns["genre"] = [sentence.genre for sentence in sentences]
        return Examples(
            ids=_names(sentences),
            texts=tuple((sentence.text,) for sentence in sentences),
            targets=("",) * len(sentences),
            columns={name: tuple(column) for name, column in columns.items()},
            trees=tuple(sentence.tree for sentence in sentences),
        )

    def _select_genre(self, sentences: Sequence[Sentence]) -> Sequence[Sentence]:
        if self.part == ALL:
            return sentences
        genres = sorted({sentence.genre for sentence in sentences} - {""})
        if self.part not in genres:
            there = f"has {listed(genres)}{did_you_mean(self.part, genres)}" if genres else "tells of none"
            raise InputError(f"data.part={self.part} is no genre of {self.path}, which {there}")
        return [sentence for sentence in sentences if sentence.genre == self.part]

    def _leave_out_single_words(self, sentences: Sequence[Sentence]) -> Sequence[Sentence]:
        several = [sentence for sentence in sentences if len(sentence.tree) > 1]
        alone = len(sentences) - len(several)
        if alone and self.one_word is OneWord.refused:
            first = next(sentence for sentence in sentences if len(sentence.tree) == 1)
            raise InputError(f"{first.where}: '{first.text}' is one word, and data.one_word=refused allows none")
        if not several:
            raise InputError(f"{self.path}: every sentence has one word, and no word can attend to another")
        if alone:
            words = "%s: %d of %d sentences left out, they have one word each"
            say_once(log.info, words, self.path, alone, len(sentences))
        return several


def _names(sentences: Sequence[Sentence]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for sentence in sentences:
        if sentence.name in first:
            raise InputError(f"{sentence.where}: sent_id '{sentence.name}' stands already at {first[sentence.name]}")
        first[sentence.name] = sentence.where
    return tuple(first)
