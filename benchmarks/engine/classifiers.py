"""The classifiers that are measured: a trained one on real text where it is at hand, shapes with random weights."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from benchmarks.sizes import Shape
from study.data.nli import NliFile
from study.subjects.classifier import Classifier
from study.subjects.huggingface.classifier_folder import HubClassifier
from study.subjects.subject import TokenRow

LONGEST = 128
"""Tokens of an example; longer ones are left out."""

FIRST_WORD = 4
"""Ids below it are special."""


@dataclass(frozen=True)
class Work:
    """A classifier with examples.

    Attributes:
        name: what they are.
        subject: the classifier.
        rows: the examples.
        real: whether it was trained, so that its decisions mean something.
    """

    name: str
    subject: Classifier
    rows: Sequence[TokenRow]
    real: bool


def real_folder() -> Path | None:
    """Where trained models and real data are: `$HEADS_REAL`."""
    folder = os.environ.get("HEADS_REAL")
    return Path(folder) if folder else None


def small(shape: Shape, number: int) -> Work:
    """MiniLM-MNLI on MNLI text; its shape where that is not at hand."""
    real = _real(number)
    return shaped("MiniLM shape", shape, number) if real is None else real


def _real(number: int) -> Work | None:
    folder = real_folder()
    there = folder is not None and (folder / "models/minilm-mnli").is_dir()
    return _loaded(folder, number) if there else None


@lru_cache(maxsize=2)
def _loaded(folder: Path, number: int) -> Work:
    source = HubClassifier(name="minilm", path=str(folder / "models/minilm-mnli"), max_length=512)
    subject = source.load(torch.device("cpu"))
    assert isinstance(subject, Classifier)
    examples = NliFile(name="mnli", path=folder / "data/mnli/dev_matched.tsv").examples()
    rows = subject.encode(examples.take(range(min(2 * number, len(examples)))))
    short = [row for row in rows if len(row.source) <= LONGEST][:number]
    return Work("MiniLM-MNLI, MNLI text", subject, short, real=True)


def shaped(name: str, shape: Shape, number: int, device: str = "cpu") -> Work:
    """A BERT of a shape with random weights, on random words in texts as long as MNLI's."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=shape.words,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
    )
    config.num_labels = 3
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(special)}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    with torch.device(device):
        module = BertForSequenceClassification(config).eval()
    labels = ("entailment", "neutral", "contradiction")
    subject = Classifier(module, tokenizer, labels=labels, max_length=LONGEST, truncate=False, loaded=name)
    generator = np.random.default_rng(0)
    rows = [
        TokenRow(str(i), tuple(generator.integers(FIRST_WORD, shape.words, length).tolist()), i % 3, length)
        for i, length in enumerate(lengths(number))
    ]
    return Work(f"{name}, random weights", subject, rows, real=False)


def lengths(number: int) -> list[int]:
    """As many lengths as MNLI's: real ones where the text is at hand, otherwise drawn (mean 39, median 36)."""
    real = _real(number)
    if real is not None and len(real.rows) == number:
        return [len(row.source) for row in real.rows]
    drawn = np.random.default_rng(1).gamma(4.5, 8.7, number)
    return drawn.round().clip(8, LONGEST).astype(int).tolist()
