"""Tiny classifiers with examples of many lengths, and every kind of mask; outcomes by a brute-force loop."""

import cases
import numpy as np
import polars as pl
import torch

from study.certification.certify import columns_zeroed
from study.record.examples import Examples
from study.record.heads import HeadLayout, stack
from study.subjects.classifier import Classifier
from study.subjects.subject import Encoded

SPLIT = ("bert", "roberta", "distilbert", "electra")
"""Architectures that the engine takes apart."""


def classifier(name: str, *, seed: int = 0) -> Classifier:
    """With its mean logits taken off, so that it predicts each label now and then."""
    subject = cases.subject(cases.CLASSIFIERS[name], name, seed=seed)
    last = [part for part in subject.module.modules() if isinstance(part, torch.nn.Linear)][-1]
    if last.bias is not None:
        with torch.no_grad():
            last.bias -= subject.logits(subject.encode(examples())).mean(0)
    return subject


def examples(number: int = 8, *, seed: int = 3) -> Examples:
    generator = np.random.default_rng(seed)
    texts = [" ".join(f"w{i}" for i in generator.integers(0, 60, generator.integers(1, 7))) for _ in range(number)]
    return Examples(
        ids=tuple(f"n{i}" for i in range(number)),
        texts=tuple((text,) for text in texts),
        targets=tuple(cases.LABELS[i % 3] for i in range(number)),
    )


def all_kinds_of_masks(layout: HeadLayout, *, seed: int = 4) -> np.ndarray:
    """Full, each head off, each alone in its layer, no head in a layer, a pruning order, and arbitrary ones."""
    generator = np.random.default_rng(seed)
    order = [layout.heads[i] for i in generator.permutation(len(layout))]
    masks = [
        layout.full(),
        *(layout.without([head]) for head in layout.heads),
        *(layout.all_but(head) for head in layout.heads),
        *(layout.without_layer(layer) for layer in layout.layers),
        *(layout.without(order[:k]) for k in range(0, len(order) + 1, 2)),
        *(generator.random((5, len(layout))) < 0.5),
    ]
    return np.unique(stack(masks, layout), axis=0)


def brute_force(subject: Classifier, rows: list[Encoded], masks: np.ndarray) -> pl.DataFrame:
    """One mask, one example at a time: the module alone, the columns of its output projections set to zero."""
    frames = []
    for i, mask in enumerate(masks):
        with columns_zeroed(subject, mask):
            for j, row in enumerate(rows):
                columns = subject.columns(subject.logits([row]), [row])
                frames.append(pl.DataFrame({"mask": [i], "example": [j], **columns}))
    return pl.concat(frames)
