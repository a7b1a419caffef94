"""The embedded default as `conf/data` entries: made here, and loaded by the code that loads everything else."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from omegaconf import MISSING

from study.data.source import DataSource, Task
from study.record.examples import Examples
from study.toy.nli import NliDomain, nli_examples
from study.toy.translation import TranslationDomain, translation_examples

_nli_examples = lru_cache(maxsize=4)(nli_examples)
_translation_examples = lru_cache(maxsize=4)(translation_examples)

NLI_MAKER = {
    "study.toy.nli": "ae9147801d5ea439c546281a9992839dd961f34c4e295edc692a614054ebb4f8",
    "study.toy.nli_lexicon": "f64206fad74cb06719f1965d2498fea68167c729eef6e40b23879fc350631382",
    "study.toy.nli_meaning": "c90ff8471da885558ca1b84de64e379f3d0f70c672c6d6b919b10ceed0b9acbf",
}
"""Names the code that makes the pairs, by the sha256 of the files that first made them.

It stays as long as the same pairs are made, however the code is written: `tests/golden` holds them. Code that makes
other pairs takes another name, so that what was trained on the old ones is not taken for trained on the new.
"""

TRANSLATION_MAKER = {
    "study.toy.translation": "c59be9a58d2931374187722f9dc0cfe6ac4b6e1817d59e3bac682f70405b1d8f",
    "study.toy.translation_lexicon": "5e8f24e94253364a0ff3d3ad6edb267bee6fec1fd8424d66b142db77dd150cda",
}
"""Names the code that makes the sentences, as `NLI_MAKER` does for the pairs."""


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
        """See `DataSource.identity`; the code that makes the pairs determines them."""
        return {**super().identity(), "sources": NLI_MAKER}

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
        """See `DataSource.identity`; the code that makes the sentences determines them."""
        return {**super().identity(), "sources": TRANSLATION_MAKER}

    def examples(self) -> Examples:
        """Made here, no file is read; the same count and seed make the same sentences."""
        return _translation_examples(self.domain, self.count, self.seed)
