"""Pairs of sentences as tokens, in batches by tokens: those that fairseq makes, in its order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from study.record.errors import InputError
from study.record.examples import Examples
from study.subjects.decoding.beam import BeamConfig
from study.subjects.translator import Translator


@dataclass(frozen=True)
class TokenPairs:
    """Sources and targets as token ids, `</s>` last.

    Attributes:
        sources: ids of the sources.
        targets: ids of the targets.
        tokens: the special tokens.
    """

    sources: Sequence[Sequence[int]]
    targets: Sequence[Sequence[int]]
    tokens: BeamConfig

    @property
    def answers(self) -> Int[Tensor, " tokens"]:
        """All that is learnt: the tokens of every target, `</s>` counted."""
        return torch.tensor([token for target in self.targets for token in target])

    def batch(self, rows: Sequence[int], device: torch.device) -> tuple[dict[str, Tensor], Int[Tensor, "rows target"]]:
        """Some pairs as a model's keyword arguments, and the tokens to learn; padded at their ends."""
        pad = self.tokens.pad
        source_RS, target_RT = (
            pad_sequence([torch.tensor(side[row]) for row in rows], batch_first=True, padding_value=pad).to(device)
            for side in (self.sources, self.targets)
        )
        before_RT = target_RT.roll(1, dims=1)
        before_RT[:, 0] = self.tokens.start
        present_RS = (source_RS != pad).long()
        inputs = {"input_ids": source_RS, "attention_mask": present_RS, "decoder_input_ids": before_RT}
        return inputs, target_RT


def token_pairs(translator: Translator, examples: Examples) -> TokenPairs:
    """Examples as a translator reads them; what is longer than its positions is cut."""
    rows = translator.encode(examples)
    return TokenPairs([row.source for row in rows], [translator.reference(row) for row in rows], translator.beam_config)


def batches_by_tokens(pairs: TokenPairs, order: Sequence[int], max_tokens: int) -> list[list[int]]:
    """The pairs in this order, cut into batches of at most so many tokens with padding, on the longer side.

    Raises:
        InputError: when a pair alone has more.
    """
    batches: list[list[int]] = []
    longest = 0
    for row in order:
        length = max(len(pairs.sources[row]), len(pairs.targets[row]))
        if length > max_tokens:
            raise InputError(f"a pair has {length} tokens: training.max_tokens={max_tokens} holds none of that length")
        longest = max(longest, length)
        if not batches or (len(batches[-1]) + 1) * longest > max_tokens:
            batches.append([])
            longest = length
        batches[-1].append(row)
    return batches


def by_length(pairs: TokenPairs, order: Sequence[int]) -> list[int]:
    """These rows by the length of the source, those of one length by that of the target, others as they stood."""
    return sorted(order, key=lambda row: (len(pairs.sources[row]), len(pairs.targets[row])))


def epochs_of_batches(pairs: TokenPairs, max_tokens: int, *, seed: int, epochs: int) -> list[list[list[int]]]:
    """The batches of each epoch, as fairseq draws them: the same in every epoch, each time in another order."""
    drawn = np.random.RandomState(seed + 1).permutation(len(pairs.sources))
    batches = batches_by_tokens(pairs, by_length(pairs, drawn.tolist()), max_tokens)
    found = []
    for epoch in range(1, epochs + 1):
        order = list(range(len(batches)))
        np.random.RandomState(seed + epoch).shuffle(order)
        found.append([batches[i] for i in order])
    return found
