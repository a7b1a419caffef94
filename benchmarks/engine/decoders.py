"""The language models that are measured: SmolLM2-135M on real text where it is at hand, otherwise its shape."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.engine.classifiers import real_folder
from benchmarks.sizes import DecoderShape, Sizes
from study.data.language.choices_file import ChoicesFile
from study.data.language.pairs_file import PairsFile
from study.data.language.texts import TextFile
from study.data.source import DataSource
from study.subjects.huggingface.decoder_folder import HubDecoder
from study.subjects.language_model.options import ReadingOptions
from study.subjects.language_model.passes import language_rows
from study.subjects.language_model.requests import LanguageRow, Request, choice_row, text_row
from study.subjects.language_model.subject import LanguageModel
from study.subjects.language_model.text import LanguageText

MODEL = Path("models/smollm2-135m/config.json")

Lengths = tuple[int, tuple[int, ...]]
"""Tokens of a context, and of what is scored after it."""

MADE: dict[str, Lengths] = {"HellaSwag": (24, (12, 16, 20, 24)), "BLiMP": (5, (6, 6))}
"""About as long as real ones: choices of HellaSwag stand behind a context, two sentences of BLiMP begin alike."""


@dataclass(frozen=True)
class DecoderWork:
    """A language model with texts of several kinds.

    Attributes:
        name: what the model is.
        subject: the model.
        rows: by the name of the data.
    """

    name: str
    subject: LanguageModel
    rows: dict[str, list[LanguageRow]]


def decoder_work(sizes: Sizes) -> DecoderWork:
    """SmolLM2-135M with HellaSwag, BLiMP and WikiText; where these are not at hand its shape with random weights."""
    folder = real_folder()
    return _real(folder, sizes) if folder is not None and (folder / MODEL).is_file() else _made(sizes)


def _real(folder: Path, sizes: Sizes) -> DecoderWork:
    data = folder / "data"
    sources: dict[str, tuple[DataSource, int]] = {
        "HellaSwag": (ChoicesFile(path=data / "lm/hellaswag_first2000.jsonl"), sizes.choices),
        "BLiMP": (PairsFile(path=data / "blimp/blimp.jsonl"), sizes.pairs),
        "WikiText": (TextFile(path=data / "lm/wikitext2_test.txt"), 1),
    }
    subject = HubDecoder(path=str((folder / MODEL).parent), window=sizes.text_tokens).load(torch.device("cpu"))
    rows = {}
    for name, (source, number) in sources.items():
        examples = source.examples()
        longest = max(range(20), key=lambda i, examples=examples: len(examples.texts[i][0]))
        spread = [longest] if name == "WikiText" else np.linspace(0, len(examples) - 1, number).astype(int).tolist()
        rows[name] = [_one_window(row) for row in language_rows(subject.encode(examples.take(spread)))]
    return DecoderWork("SmolLM2-135M", subject, rows)


def _one_window(row: LanguageRow) -> LanguageRow:
    return row if row.choices else text_row(row.example, row.requests[:1])


def _made(sizes: Sizes) -> DecoderWork:
    torch.manual_seed(0)
    shape = sizes.decoder
    module = LlamaForCausalLM(_config(shape)).eval()
    words = Tokenizer(models.WordLevel({"<s>": 0, "<unk>": 1}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", unk_token="<unk>")
    text = LanguageText(tokenizer, ReadingOptions(), positions=None, num_embeddings=shape.words, owner="the shape")
    generator = np.random.default_rng(0)

    def tokens(number: int) -> tuple[int, ...]:
        return tuple(generator.integers(2, shape.words, number).tolist())

    def choice(lengths: Lengths) -> Callable[[int], LanguageRow]:
        return lambda i: choice_row(str(i), _requests(tokens(lengths[0]), [tokens(n) for n in lengths[1]]), 0)

    rows = {
        "HellaSwag": [choice(MADE["HellaSwag"])(i) for i in range(sizes.choices)],
        "BLiMP": [choice(MADE["BLiMP"])(i) for i in range(sizes.pairs)],
        "WikiText": [text_row("0", [Request((0,), tokens(sizes.text_tokens))])],
    }
    subject = LanguageModel(module, text, loaded="the shape of SmolLM2-135M")
    return DecoderWork("SmolLM2-135M's shape, random weights, made texts as long as", subject, rows)


def _requests(context: tuple[int, ...], choices: list[tuple[int, ...]]) -> list[Request]:
    return [Request(context, choice) for choice in choices]


def _config(shape: DecoderShape) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=shape.words,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.groups,
        intermediate_size=shape.inner,
        tie_word_embeddings=True,
        pad_token_id=None,
        bos_token_id=0,
        eos_token_id=None,
    )
