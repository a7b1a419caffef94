"""The embedded default as `conf/data` entries: made here, and loaded by the code that loads everything else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from omegaconf import MISSING

from study.data.source import DataSource
from study.record.examples import Examples
from study.record.metrics import Task
from study.toy.induction import InductionDomain, induction_examples
from study.toy.luck import LuckDomain, luck_examples
from study.toy.nli import NliDomain, nli_examples
from study.toy.translation import TranslationDomain, translation_examples

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

INDUCTION_MAKER = {"study.toy.induction": "14084780658e836eb019d08538dba8ed75abd8d9cc5e31b8a7d190fde7eaaa5e"}
"""Names the code that makes the texts whose words come again, as `NLI_MAKER` does for the pairs."""

LUCK_MAKER = {"study.toy.luck": "2c8942e6b4c30b3296fb0a994ca55fa0bfaa48be97513f5ca2f95585f899a331"}
"""Names the code that makes the sentences about luck, as `NLI_MAKER` does for the pairs."""


@dataclass(kw_only=True)
class ToySet(DataSource):
    """A set of a toy language, made here: no file is read, and the same count and seed make the same examples.

    Attributes:
        count: how many examples are made.
        seed: seed of all that is drawn.
    """

    maker: ClassVar[Mapping[str, str]]
    count: int = MISSING
    seed: int = 0

    def identity(self) -> dict[str, Any]:
        """See `DataSource.identity`; the code that makes the examples determines them."""
        return {**super().identity(), "sources": dict(self.maker)}


@dataclass(kw_only=True)
class ToyNli(ToySet):
    """A domain of the toy inference language.

    Attributes:
        domain: which words and patterns its pairs have: those of training, or others.
    """

    maker = NLI_MAKER
    task: Task = Task.CLASSIFICATION
    domain: NliDomain = MISSING
    count: int = 2000

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        return nli_examples(self.domain, self.count, self.seed)


@dataclass(kw_only=True)
class ToyLuck(ToySet):
    """A set of sentences in the words of toy inference, in which one who is lucky acts, or one who is not."""

    maker = LUCK_MAKER
    task: Task = Task.CLASSIFICATION
    domain: LuckDomain = MISSING
    count: int = 2000

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        return luck_examples(self.domain, self.count, self.seed)


@dataclass(kw_only=True)
class ToyTranslation(ToySet):
    """A domain of the toy language pair.

    Attributes:
        domain: which words and patterns its sentences have: those of training, or others.
    """

    maker = TRANSLATION_MAKER
    task: Task = Task.TRANSLATION
    domain: TranslationDomain = MISSING
    count: int = 300

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        return translation_examples(self.domain, self.count, self.seed)


@dataclass(kw_only=True)
class ToyInduction(ToySet):
    """A set of texts whose words come again.

    Attributes:
        domain: which of the sets: one to learn from, to watch a training on, to test on, or with longer texts.
    """

    maker = INDUCTION_MAKER
    task: Task = Task.CHOICE
    domain: InductionDomain = MISSING
    count: int = 300

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        return induction_examples(self.domain, self.count, self.seed)
