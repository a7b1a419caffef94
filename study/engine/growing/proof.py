"""The proof that rows which grow come out as the certified model gives them, mask by mask, on random tokens."""

from itertools import product

import numpy as np
import torch
from jaxtyping import Bool, Float

from study.certification.certify import random_masks
from study.engine.blocks import Columns
from study.engine.growing.classifier import GrowingClassifier
from study.engine.growing.language_model import GrowingLanguageModel
from study.engine.pairs import Pairs
from study.record.units import HeadLayout, Mlp
from study.subjects.classifier import PROBE_LENGTHS
from study.subjects.language_model.requests import LanguageRow, Request, choice_row
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import PROBE

CONTEXT, CONTINUATIONS = 3, (2, 3, 4)
"""Tokens of the choices that are tried."""

TOGETHER = (1, 3)
"""Examples that are tried together."""


def language_model_difference(engine: GrowingLanguageModel) -> float:
    """The largest difference of a sum of log-probabilities, as a share of the largest."""
    subject = engine.subject
    masks, rows = _masks(subject.layout), _choices(subject, max(TOGETHER))
    expected = np.stack([_sums(subject.outcomes(rows, np.tile(mask, (len(rows), 1)))) for mask in masks])
    scale, difference = np.abs(expected).max() or 1.0, 0.0
    for number in TOGETHER:
        found = _sums(engine.outcomes(rows[:number], Pairs.every(masks, number))).reshape(len(masks), number, -1)
        difference = max(difference, float(np.abs(found - expected[:, :number]).max() / scale))
    return difference


def classifier_difference(engine: GrowingClassifier) -> float:
    """The largest difference of a logit, as a share of the largest."""
    subject, masks, difference = engine.subject, _masks(engine.subject.layout), 0.0
    for length, number in product(PROBE_LENGTHS, TOGETHER):
        rows = (subject.probe(length) * number)[:number]
        expected = torch.stack([subject.response(rows, subject.as_xi(np.tile(mask, (number, 1)))) for mask in masks])
        found = engine.logits(rows, Pairs.every(masks, number)).float().cpu().view(expected.shape)
        difference = max(difference, ((found - expected).abs().max() / (expected.abs().max() or 1.0)).item())
    return difference


def _masks(layout: HeadLayout) -> Bool[np.ndarray, "masks width"]:
    """All on, a head of the first, the middle and the last layer off, the last MLP where there is one, and any."""
    layers = [layout.layers[i] for i in sorted({0, len(layout.layers) // 2, len(layout.layers) - 1})]
    heads = [layout.heads[layout.columns(*layer).start] for layer in layers]
    mlps = [Mlp(layer) for layer in layout.mlps[-1:]]
    return np.concatenate([layout.full()[None], layout.each_off([*heads, *mlps]), random_masks(layout, 2)])


def _choices(subject: LanguageModel, number: int) -> list[LanguageRow]:
    """Random choices of one shape, whose continuations begin alike in no token."""
    generator = np.random.default_rng(0)
    num_words = subject.module.config.get_text_config().vocab_size
    rows = []
    for i in range(number):
        context = tuple(generator.integers(num_words, size=CONTEXT).tolist())
        first = generator.choice(num_words, len(CONTINUATIONS), replace=False).tolist()
        rest = [generator.integers(num_words, size=length - 1).tolist() for length in CONTINUATIONS]
        requests = [Request(context, (word, *more)) for word, more in zip(first, rest, strict=True)]
        rows.append(choice_row(f"{PROBE}choice {i}", requests, 0))
    return rows


def _sums(columns: Columns) -> Float[np.ndarray, "rows choices"]:
    return np.array(columns["loglik"].to_list())
