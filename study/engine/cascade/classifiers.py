"""What classifiers decide: the label with the largest logit.

Only differences of logits count, so the slopes of the first one are taken from all, and it has no backward pass.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from study.engine.blocks import in_batches
from study.engine.cascade.answers import Answers, Comparison, Decider
from study.engine.cascade.bert_tangents import bert_logits
from study.engine.cascade.tangent import Tangent
from study.engine.engine import Engine
from study.engine.pairs import Pairs
from study.engine.weights.classifier import ClassifierWeights
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow

Logits = Callable[[Sequence[TokenRow], Float[Tensor, "R width"]], Float[Tensor, "R C"]]
"""Logits of rows of equal length under gates, with a graph behind them."""


class ClassifierDecider(Decider):
    """Labels by their logits."""

    knows_full = True

    def __init__(self, subject: Classifier, tokens: int, weights: ClassifierWeights | None = None) -> None:
        """Look at a classifier.

        Args:
            subject: the classifier.
            tokens: tokens of a forward and backward pass.
            weights: what the engine took apart, for a pass of its own; the module's own pass when None.
        """
        self._subject, self._tokens = subject, tokens
        self._logits: Logits = partial(_own_logits, subject, weights) if weights else partial(_module_logits, subject)
        self.backward_passes = float(len(subject.labels) - 1)

    def tangents(self, rows: Sequence[TokenRow]) -> list[Tangent]:
        """See `Decider`; rows of equal length together."""
        found: dict[int, Tangent] = {}
        for batch in in_batches([len(row.source) for row in rows], self._tokens, padded=False):
            values, slopes = self._differentiated([rows[i] for i in batch.tolist()])
            found |= dict(zip(batch.tolist(), map(Tangent, values, slopes), strict=True))
        return [found[i] for i in range(len(rows))]

    def _differentiated(
        self, rows: Sequence[TokenRow]
    ) -> tuple[Float[np.ndarray, "R C"], Float[np.ndarray, "R C width"]]:
        """Logits of rows of equal length, and the slopes of each less those of the first."""
        full = np.ones((len(rows), self._subject.layout.width), dtype=bool)
        with torch.enable_grad():
            xi = self._subject.as_xi(full).requires_grad_()
            logits_RC = self._logits(rows, xi)
            last, slopes = logits_RC.shape[1] - 1, [torch.zeros_like(xi)]
            for label in range(1, last + 1):
                lead = (logits_RC[:, label] - logits_RC[:, 0]).sum()
                slopes += torch.autograd.grad(lead, xi, retain_graph=label < last)
        return logits_RC.detach().float().cpu().numpy(), torch.stack(slopes, 1).cpu().numpy()

    def drafted(self, tangents: Sequence[Tangent], rows: Sequence[TokenRow], pairs: Pairs) -> Answers:
        """See `Decider`."""
        logits_MEC = np.stack([tangent.under(pairs.masks) for tangent in tangents], axis=1)
        return self._answers(torch.from_numpy(logits_MEC[pairs.wanted]), rows, pairs)

    def answers(self, engine: Engine, rows: Sequence[TokenRow], pairs: Pairs) -> Answers:
        """See `Decider`."""
        own = getattr(engine, "logits", None)
        if own is None:
            return self._answers(_plain_logits(self._subject, rows, pairs), rows, pairs)
        with torch.no_grad():
            return self._answers(own(rows, pairs), rows, pairs)

    def _answers(self, logits: Float[Tensor, "P C"], rows: Sequence[TokenRow], pairs: Pairs) -> Answers:
        logits = logits.float().cpu()
        compared = Comparison(logits.numpy(), np.ones(len(logits), dtype=np.float32))
        return Answers(self._subject.columns(logits, pairs.rows(rows)), (compared,))


def _own_logits(
    subject: Classifier, weights: ClassifierWeights, rows: Sequence[TokenRow], xi: Float[Tensor, "R width"]
) -> Float[Tensor, "R C"]:
    return bert_logits(weights, *subject.inputs(rows), xi, subject.stand_in(rows))


def _module_logits(subject: Classifier, rows: Sequence[TokenRow], xi: Float[Tensor, "R width"]) -> Float[Tensor, "R C"]:
    with subject.standing(rows), subject.gate.masked(xi):
        return subject.logits(rows)


@torch.inference_mode()
def _plain_logits(subject: Classifier, rows: Sequence[TokenRow], pairs: Pairs) -> Float[Tensor, "P C"]:
    chosen = pairs.rows(rows)
    return _module_logits(subject, chosen, subject.as_xi(pairs.masks[pairs.mask])).clone()
