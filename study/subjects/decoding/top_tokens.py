"""The best next words of every hypothesis: all that a beam search needs to know of the vocabulary.

The log-probabilities of all words are the largest tensor of a decoder. They are made for a few hypotheses at a time,
looked through while they are still in the processor's cache, and never put together.

Shapes: N hypotheses, D what the vocabulary is projected from, V words, C = min(M, V) where M are asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CHUNK = 128
"""Hypotheses whose words are looked through together on a CPU."""

CHUNK_ELSEWHERE = 4096
"""Likewise on a device that is the faster the more it is given at once."""

BLOCK = 64
"""Words whose maximum is compared first: the best M words of V are in the M blocks of highest maximum."""


@dataclass(frozen=True)
class TokenRequest:
    """What is asked of a decoder in one step.

    Attributes:
        number: M, words wanted of each hypothesis.
        end: the word that finishes a hypothesis.
        banned: words that cannot be chosen.
    """

    number: int
    end: int
    banned: tuple[int, ...]


@dataclass(frozen=True)
class TopTokens:
    """The best words of each hypothesis, best first.

    Attributes:
        logprobs: log-probability of each, among all words.
        words: their numbers.
        ends: log-probability of the end, for hypotheses that must end.
    """

    logprobs: Float[Tensor, "N C"]
    words: Int[Tensor, "N C"]
    ends: Float[Tensor, " N"]

    def ending(self, which: Bool[Tensor, " N"], end: int) -> "TopTokens":
        """The same where these hypotheses can do nothing but end."""
        logprob_NC = self.logprobs.masked_fill(which[:, None], -torch.inf)
        logprob_NC[:, 0] = self.ends.where(which, logprob_NC[:, 0])
        word_NC = self.words.clone()
        word_NC[:, 0] = word_NC[:, 0].masked_fill(which, end)
        return TopTokens(logprob_NC, word_NC, self.ends)


def top_tokens(states: Float[Tensor, "N D"], project: Callable[[Tensor], Tensor], asked: TokenRequest) -> TopTokens:
    """The best words of each hypothesis.

    Args:
        states: what the words are projected from.
        project: makes of some rows of it the logits of all words.
        asked: how many words, and which not.
    """
    chunk = CHUNK if states.device.type == "cpu" else CHUNK_ELSEWHERE
    parts = [_best(project(some).log_softmax(-1), asked) for some in states.split(chunk)]
    logprobs, words, ends = zip(*parts, strict=True)
    return TopTokens(torch.cat(logprobs), torch.cat(words), torch.cat(ends))


def _best(logprobs: Float[Tensor, "N V"], asked: TokenRequest) -> tuple[Tensor, Tensor, Tensor]:
    end_N = logprobs[:, asked.end].clone()
    for word in asked.banned:
        logprobs[:, word] = -torch.inf
    return *_top(logprobs, asked.number), end_N


def _top(logprobs: Float[Tensor, "N V"], wanted: int) -> tuple[Float[Tensor, "N C"], Int[Tensor, "N C"]]:
    """The best words of each hypothesis, `wanted` or all that there are: log-probabilities and words."""
    number, words = logprobs.shape
    blocks = words // BLOCK
    if blocks <= wanted:
        best = logprobs.topk(min(wanted, words))
        return best.values, best.indices
    within, rest = torch.arange(words, device=logprobs.device).split([BLOCK, words - BLOCK])
    block_NM = logprobs[:, : blocks * BLOCK].unflatten(1, (blocks, BLOCK)).amax(2).topk(wanted, sorted=False).indices
    outside_blocks = rest[(blocks - 1) * BLOCK :].expand(number, -1)
    word_NC = torch.cat([(block_NM[:, :, None] * BLOCK + within).flatten(1), outside_blocks], dim=1)
    best = logprobs.gather(1, word_NC).topk(wanted)
    return best.values, word_NC.gather(1, best.indices)
