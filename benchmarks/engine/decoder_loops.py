"""The other ways to score requests under masks: transformers in a loop, at its best, and as harnesses do.

Both read every choice with its context, sorted by length and padded on the right; batches are made beforehand.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from benchmarks.engine.loops import spread
from benchmarks.measure import Way, clocked, processor_seconds
from study.certification.certify import columns_zeroed
from study.subjects.language_model.requests import LanguageRow, Request
from study.subjects.language_model.subject import LanguageModel

BATCHES = (1, 4, 8, 16, 32)


class PlainLoop:
    """A pass for each mask and batch of requests; the output matrix where words are scored, and nowhere else.

    Attributes:
        batch: requests at once.
        padded: tokens of the passes through all batches, padding counted.
        scored: words that are scored.
    """

    def __init__(self, subject: LanguageModel, rows: Sequence[LanguageRow], batch: int) -> None:
        self.batch, self._subject = batch, subject
        requests = sorted((request for row in rows for request in row.requests), key=lambda one: len(one.read))
        self._batches = [requests[start : start + batch] for start in range(0, len(requests), batch)]
        self._ids = [_padded(some) for some in self._batches]
        self.padded = sum(ids.numel() for ids in self._ids)
        self.scored = sum(len(request.continuation) for request in requests)

    @torch.inference_mode()
    def sums(self, mask: Bool[np.ndarray, " width"]) -> Float[np.ndarray, " requests"]:
        """The log-probability of each continuation under a mask, nats, the shortest request first."""
        with self.masked(mask):
            parts = [self.scores(*batch) for batch in zip(self._batches, self._ids, strict=True)]
        return torch.cat(parts).numpy()

    def backward(self) -> None:
        """All batches forward and backward as in training, weights with gradients, without a step."""
        module = self._subject.module.requires_grad_(requires_grad=True)
        try:
            for batch in zip(self._batches, self._ids, strict=True):
                self.scores(*batch).sum().backward()
                module.zero_grad(set_to_none=True)
        finally:
            module.requires_grad_(requires_grad=False)

    def masked(self, mask: Bool[np.ndarray, " width"]) -> AbstractContextManager[None]:
        """Heads off by their columns set to zero, which costs a pass nothing."""
        return columns_zeroed(self._subject, mask)

    def scores(self, requests: Sequence[Request], ids: Int[Tensor, "R T"]) -> Float[Tensor, " R"]:
        """The sums of a batch."""
        hidden = self._subject.tail.hidden(ids)
        behind = torch.cat([hidden[i, len(r.context) - 1 : len(r.read)] for i, r in enumerate(requests)])
        logits = self._subject.tail(behind)
        words = torch.tensor([word for request in requests for word in request.continuation])
        logp = logits.gather(1, words[:, None])[:, 0] - logits.logsumexp(-1)
        return torch.stack([part.double().sum() for part in logp.split([len(r.continuation) for r in requests])])

    def way(self, masks: Bool[np.ndarray, "masks width"], number: int) -> Way:
        """Measurement on some of the masks, scaled to all."""
        some = spread(masks, number)
        return Way([clocked(lambda mask=mask: self.sums(mask), processor_seconds) for mask in some], len(masks))


class HarnessLoop(PlainLoop):
    """Logits of all words behind all tokens, and their log-softmax; heads off by a hook."""

    def masked(self, mask: Bool[np.ndarray, " width"]) -> AbstractContextManager[None]:
        """By the gate's hooks."""
        xi = self._subject.as_xi(mask[None])
        return self._subject.gate.masked(xi.expand(self.batch, -1))

    def scores(self, requests: Sequence[Request], ids: Int[Tensor, "R T"]) -> Float[Tensor, " R"]:
        """The sums of a batch, as lm-evaluation-harness takes them."""
        with self._subject.gate.part(torch.arange(len(requests))):
            logp = nn.functional.log_softmax(self._subject.module(input_ids=ids).logits, dim=-1)
        sums = []
        for own, request in zip(logp, requests, strict=True):
            scored = own[len(request.context) - 1 : len(request.read)]
            sums.append(scored.gather(1, torch.tensor(request.continuation)[:, None]).double().sum())
        return torch.stack(sums)


def best_loop(
    kind: type[PlainLoop], subject: LanguageModel, rows: Sequence[LanguageRow], mask: Bool[np.ndarray, " width"]
) -> PlainLoop:
    """A loop at the batch size that a short scan finds best."""
    number = sum(len(row.requests) for row in rows)
    loops = [kind(subject, rows, batch) for batch in BATCHES if batch == BATCHES[0] or batch < 2 * number]
    loops[0].sums(mask)  # warm
    seconds = [clocked(lambda loop=loop: loop.sums(mask), processor_seconds)() for loop in loops]
    return loops[int(np.argmin(seconds))]


def _padded(requests: Sequence[Request]) -> Int[Tensor, "R T"]:
    return nn.utils.rnn.pad_sequence([torch.tensor(request.read) for request in requests], batch_first=True)
