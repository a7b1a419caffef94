"""The embedded default as `conf/model` and `conf/data` entries: loaded by the code that loads everything else."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from omegaconf import MISSING

from study.data.examples import Examples
from study.data.source import DataSource, Task
from study.files import cache_folder
from study.subjects.fairseq_folder import FairseqTranslator
from study.subjects.source import SequenceClassifier
from study.toy import models
from study.toy.nli import NliDomain, nli_examples
from study.toy.translation import TranslationDomain, translation_examples

_nli_examples = lru_cache(maxsize=4)(nli_examples)
_translation_examples = lru_cache(maxsize=4)(translation_examples)


@dataclass(kw_only=True)
class ToyNli(DataSource):
    """A test set of the toy inference language.

    Attributes:
        domain: which of its sets.
        count: how many pairs are made.
        seed: of their making.
    """

    task: Task = Task.CLASSIFICATION
    domain: NliDomain = MISSING
    count: int = 2000
    seed: int = 0

    def examples(self) -> Examples:
        """Made here, no file is read; the same count and seed make the same pairs."""
        return _nli_examples(self.domain, self.count, self.seed)


@dataclass(kw_only=True)
class ToyTranslation(DataSource):
    """A test set of the toy language pair.

    Attributes:
        domain: which of its sets.
        count: how many sentences are made.
        seed: of their making.
    """

    task: Task = Task.TRANSLATION
    domain: TranslationDomain = MISSING
    count: int = 300
    seed: int = 0

    def examples(self) -> Examples:
        """Made here, no file is read; the same count and seed make the same sentences."""
        return _translation_examples(self.domain, self.count, self.seed)


@dataclass(kw_only=True)
class ToyClassifier(SequenceClassifier):
    """The small BERT that the project trains on its toy inference language."""

    path: str = "made by the project"

    def missing(self) -> list[str]:
        """The training, when it has not been done."""
        made = models.classifier_folder(cache_folder()).is_dir()
        return [] if made else ["the toy classifier (trained here, about a minute)"]

    def fetch(self) -> None:
        """Train it."""
        models.toy_classifier(cache_folder())

    def folder(self) -> Path:
        """Where it is kept."""
        return models.classifier_folder(cache_folder())


@dataclass(kw_only=True)
class ToyTranslator(FairseqTranslator):
    """The small transformer that fairseq trains on the toy language pair."""

    path: str = "made by the project"

    def missing(self) -> list[str]:
        """The training, when it has not been done."""
        made = models.translator_folder(cache_folder()).is_dir()
        return [] if made else ["the toy translation model (trained here by fairseq, about a minute)"]

    def fetch(self) -> None:
        """Train it."""
        models.toy_translator(cache_folder())

    def folder(self) -> Path:
        """Where it is kept."""
        return models.translator_folder(cache_folder())
