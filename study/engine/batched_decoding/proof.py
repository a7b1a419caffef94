"""The proof that decoding in one batch gives what the module gives, word by word, for targets that are told."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool

from study.engine.batched_decoding.decoder import BatchedDecoder
from study.engine.pairs import Pairs
from study.engine.weights.translator import TranslatorWeights
from study.subjects.subject import TokenRow
from study.subjects.translator import Translator


@torch.no_grad()
def largest_difference(
    weights: TranslatorWeights, subject: Translator, rows: Sequence[TokenRow], masks: Bool[np.ndarray, "M H"]
) -> float:
    """How far the log-probabilities in one batch are from the module's own at most, in nats; the masks are distinct."""
    pairs, stand_in = Pairs.every(masks, len(rows)), subject.stand_in(rows)
    decoder = BatchedDecoder(weights, subject.layout, pairs, *subject.padded(rows), stand_in)
    targets_PT = subject.random_targets(rows).repeat(len(masks), 1)
    found_PTV = torch.stack([decoder.logprobs(token_P) for token_P in targets_PT.T], dim=1)
    expected = subject.response([*rows] * len(masks), subject.as_xi(masks.repeat(len(rows), axis=0)))
    return (found_PTV.flatten(1) - expected).abs().max().item()
