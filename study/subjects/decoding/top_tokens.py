"""The best next tokens of every hypothesis: all that a beam search needs to know of the vocabulary.

The log-probabilities of all tokens are the largest tensor of a decoder. They are made for a few hypotheses at a time,
looked through while they are still in the processor's cache, and never put together.

Shapes: N hypotheses, D size of the states that are projected to the vocabulary, V tokens in it, C = min(M, V) where M
are asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

CHUNK = 256
"""Hypotheses whose tokens are looked through together on a CPU: fewer make a slower product."""

CHUNK_ELSEWHERE = 4096
"""Hypotheses looked through together on a device that is the faster the more it is given at once."""

BLOCK = 64
"""Tokens whose maximum is compared first: the best M tokens of V are in the M blocks of highest maximum."""


@dataclass(frozen=True)
class TokenRequest:
    """A question to a decoder in one step.

    Attributes:
        number: M, the number of tokens wanted of each hypothesis.
        end: token that finishes a hypothesis.
        banned: tokens that cannot be chosen.
    """

    number: int
    end: int
    banned: tuple[int, ...]


@dataclass(frozen=True)
class TopTokens:
    """The best tokens of each hypothesis, best first.

    Attributes:
        logprobs: log-probability of each, among all tokens.
        tokens: their ids.
        ends: log-probability of the end, for hypotheses that must end.
    """

    logprobs: Float[Tensor, "N C"]
    tokens: Int[Tensor, "N C"]
    ends: Float[Tensor, " N"]

    def ending(self, which: Bool[Tensor, " N"], end: int) -> "TopTokens":
        """These tokens, where the given hypotheses can do nothing but end."""
        logprob_NC = self.logprobs.masked_fill(which[:, None], -torch.inf)
        logprob_NC[:, 0] = self.ends.where(which, logprob_NC[:, 0])
        token_NC = self.tokens.clone()
        token_NC[:, 0] = token_NC[:, 0].masked_fill(which, end)
        return TopTokens(logprob_NC, token_NC, self.ends)


def top_tokens(states: Float[Tensor, "N D"], project: Callable[[Tensor], Tensor], request: TokenRequest) -> TopTokens:
    """The best tokens of each hypothesis.

    Args:
        states: what is projected to the vocabulary.
        project: makes logits of all tokens of some rows of the states; those of a large vocabulary may be filled up
            with minus infinity to whole blocks of `BLOCK` (others are then copied to be).
        request: what is asked.
    """
    chunk = CHUNK if states.device.type == "cpu" else CHUNK_ELSEWHERE
    parts = [_best(project(some).log_softmax(-1), request) for some in states.split(chunk)]
    logprobs, tokens, ends = zip(*parts, strict=True)
    return TopTokens(torch.cat(logprobs), torch.cat(tokens), torch.cat(ends))


def _best(logprobs: Float[Tensor, "N V"], request: TokenRequest) -> tuple[Tensor, Tensor, Tensor]:
    end_N = logprobs[:, request.end].clone()
    for token in request.banned:
        logprobs[:, token] = -torch.inf
    return *_top(logprobs, request.number), end_N


def _top(logprobs: Float[Tensor, "N V"], wanted: int) -> tuple[Float[Tensor, "N C"], Int[Tensor, "N C"]]:
    """Log-probabilities and ids of the best tokens of each hypothesis, `wanted` or all that there are."""
    number, size = logprobs.shape
    if size // BLOCK <= wanted:
        best = logprobs.topk(min(wanted, size))
        return best.values, best.indices
    if size % BLOCK:
        logprobs = functional.pad(logprobs, (0, -size % BLOCK), value=-torch.inf)
    block_NBW = logprobs.view(number, -1, BLOCK)
    block_NM = block_NBW.amax(2).topk(wanted, sorted=False).indices
    first_N1 = torch.arange(number, device=logprobs.device)[:, None] * block_NBW.shape[1]
    best = block_NBW.flatten(0, 1).index_select(0, (first_N1 + block_NM).flatten()).view(number, -1).topk(wanted)
    return best.values, block_NM.gather(1, best.indices // BLOCK) * BLOCK + best.indices % BLOCK
