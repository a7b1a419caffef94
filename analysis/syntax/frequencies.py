"""How frequent words are, in a named corpus: the texts themselves, or a file of counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from study.record.errors import InputError
from study.record.lines import read_lines

TOP = 500
"""A rare word is none of so many most frequent ones (Voita et al. 2019)."""


@dataclass(frozen=True)
class Frequencies:
    """How often each word, in small letters, stands in a corpus.

    Attributes:
        corpus: its name.
        counts: occurrences by word.
    """

    corpus: str
    counts: Mapping[str, int]

    @classmethod
    def from_texts(cls, words: Sequence[Sequence[str]], name: str) -> "Frequencies":
        """Those of the texts themselves."""
        return cls(f"{name} itself", Counter(word.lower() for text in words for word in text))

    @classmethod
    def read(cls, path: Path) -> "Frequencies":
        """Those of a file with a word and its count on each line, parted by a tab; a word that stands twice adds up.

        Raises:
            InputError: for a missing or empty file, and a line of another form; names file and line.
        """
        counts: Counter[str] = Counter()
        for number, line in enumerate(read_lines(path), start=1):
            word, tab, count = line.rpartition("\t")
            if not tab or not word or not count.strip().isdigit():
                raise InputError(f"{path}:{number}: expected a word, a tab and its count, found '{line[:40]}'")
            counts[word.lower()] += int(count)
        return cls(path.name, counts)

    @cached_property
    def top(self) -> frozenset[str]:
        """The most frequent words; of equals, the first by the alphabet."""
        return frozenset(sorted(self.counts, key=lambda word: (-self.counts[word], word))[:TOP])

    def of(self, word: str) -> int:
        """Occurrences of a word; 0 where it has none."""
        return self.counts.get(word.lower(), 0)

    def is_rare(self, word: str) -> bool:
        """Whether a word is none of the most frequent ones."""
        return word.lower() not in self.top
