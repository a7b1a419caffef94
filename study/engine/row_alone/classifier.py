"""Classifiers: the engine's rows against the model on what its tokenizer makes of one text, masked and not."""

from collections.abc import Sequence

import numpy as np
import torch

from study.certification.certify import random_masks
from study.engine.engine import Engine
from study.engine.pairs import Pairs
from study.record.examples import Examples
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow


def classifier_difference(engine: Engine, subject: Classifier, examples: Examples, rows: Sequence[TokenRow]) -> float:
    """The largest difference of a loss or margin, as a share of the largest logit."""
    masks = np.stack([subject.layout.full(), random_masks(subject.layout, 1)[0]])
    found = np.full((len(masks), len(rows), 2), np.nan)
    for block in engine.run(rows, Pairs.every(masks, len(rows))):
        found[block.masks, block.examples] = np.stack([block.columns["loss"], block.columns["margin"]], axis=-1)
    alone = torch.stack([subject.alone(texts) for texts in examples.texts])
    masked = torch.cat([subject.response([row], subject.as_xi(masks[1:])) for row in rows])
    columns = [subject.columns(logits, rows) for logits in (alone, masked)]
    expected = np.stack([np.stack([column["loss"], column["margin"]], axis=-1) for column in columns])
    return float(np.abs(found - expected).max() / (alone.abs().max().item() or 1.0))
