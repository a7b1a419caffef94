"""The two models that the project makes for itself, kept in a cache folder under the hash of all that made them."""

import logging
import time
from dataclasses import asdict
from pathlib import Path

from study.setting import short_hash
from study.toy.made_once import made_once, source_digests
from study.toy.nli import NliDomain, nli_examples
from study.toy.translation import TranslationDomain, translation_examples
from study.training.recipes import ClassifierRecipe, TranslationRecipe

log = logging.getLogger(__name__)

CLASSIFIER = ClassifierRecipe()
CLASSIFIER_PAIRS = 26_000
CLASSIFIER_SOURCES = (
    "study.toy.nli",
    "study.toy.nli_lexicon",
    "study.toy.nli_meaning",
    "study.training.classifier",
)
TRANSLATOR = TranslationRecipe()
TRANSLATOR_SENTENCES = 8_000
TRANSLATOR_SOURCES = (
    "study.toy.translation",
    "study.toy.translation_lexicon",
    "study.training.fairseq",
)
DEV_EXAMPLES = 300


def classifier_folder(cache: Path) -> Path:
    """Where the toy classifier is, or will be once `toy_classifier` has made it."""
    made_of = [asdict(CLASSIFIER), CLASSIFIER_PAIRS, DEV_EXAMPLES, source_digests(CLASSIFIER_SOURCES)]
    return cache / f"toy-classifier-{short_hash(made_of)}"


def translator_folder(cache: Path) -> Path:
    """Where the toy translator is, or will be once `toy_translator` has made it."""
    made_of = [asdict(TRANSLATOR), TRANSLATOR_SENTENCES, DEV_EXAMPLES, source_digests(TRANSLATOR_SOURCES)]
    return cache / f"toy-translator-{short_hash(made_of)}"


def toy_classifier(cache: Path) -> Path:
    """The toy classifier's folder, in the format of transformers; trained first (about a minute) when not there."""
    return made_once(classifier_folder(cache), _make_classifier)


def toy_translator(cache: Path) -> Path:
    """The toy translator's folder, in the format of fairseq; trained first (about a minute) when not there.

    Raises:
        MissingPackageError: when it is not there and fairseq neither.
    """
    return made_once(translator_folder(cache), _make_translator)


def _make_classifier(folder: Path) -> None:
    from study.training.classifier import train_classifier  # here, so that asking for the folder loads no torch

    start = time.monotonic()
    train = nli_examples(NliDomain.TRAIN, CLASSIFIER_PAIRS)
    train_classifier(CLASSIFIER, train, nli_examples(NliDomain.DEV, DEV_EXAMPLES), folder)
    log.info("made the toy classifier in %.0f s", time.monotonic() - start)


def _make_translator(folder: Path) -> None:
    from study.training.fairseq import train_translator  # here, so that asking for the folder loads no tokeniser

    start = time.monotonic()
    train = translation_examples(TranslationDomain.TRAIN, TRANSLATOR_SENTENCES)
    train_translator(TRANSLATOR, train, translation_examples(TranslationDomain.VALID, DEV_EXAMPLES), folder)
    log.info("made the toy translator in %.0f s", time.monotonic() - start)
