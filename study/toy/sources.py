"""The embedded default as `conf/data` entries: made here, and loaded by the code that loads everything else."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from omegaconf import MISSING

from study.data.examples import Examples
from study.data.source import DataSource, Task
from study.files import source_digests
from study.toy.nli import NliDomain, nli_examples
from study.toy.translation import TranslationDomain, translation_examples

_nli_examples = lru_cache(maxsize=4)(nli_examples)
_translation_examples = lru_cache(maxsize=4)(translation_examples)

NLI_SOURCES = ("study.toy.nli", "study.toy.nli_lexicon", "study.toy.nli_meaning")
TRANSLATION_SOURCES = ("study.toy.translation", "study.toy.translation_lexicon")


@dataclass(kw_only=True)
class ToyNli(DataSource):
    """A set of the toy inference language.

    Attributes:
        domain: which of its sets.
        count: how many pairs are made.
        seed: of their making.
    """

    task: Task = Task.CLASSIFICATION
    domain: NliDomain = MISSING
    count: int = 2000
    seed: int = 0

    def identity(self) -> dict[str, Any]:
        """See `DataSource.identity`; the code that makes the pairs is what determines them."""
        return {**super().identity(), "sources": source_digests(NLI_SOURCES)}

    def examples(self) -> Examples:
        """Made here, no file is read; the same count and seed make the same pairs."""
        return _nli_examples(self.domain, self.count, self.seed)


@dataclass(kw_only=True)
class ToyTranslation(DataSource):
    """A set of the toy language pair.

    Attributes:
        domain: which of its sets.
        count: how many sentences are made.
        seed: of their making.
    """

    task: Task = Task.TRANSLATION
    domain: TranslationDomain = MISSING
    count: int = 300
    seed: int = 0

    def identity(self) -> dict[str, Any]:
        """See `DataSource.identity`; the code that makes the sentences is what determines them."""
        return {**super().identity(), "sources": source_digests(TRANSLATION_SOURCES)}

    def examples(self) -> Examples:
        """Made here, no file is read; the same count and seed make the same sentences."""
        return _translation_examples(self.domain, self.count, self.seed)
