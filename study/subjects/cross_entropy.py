"""Cross entropy of gold classes or words, plain or label-smoothed."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional


def cross_entropy(
    logits: Float[Tensor, "rows *tokens classes"],
    gold: Int[Tensor, "rows *tokens"],
    epsilon: float,
    *,
    pad: int | None = None,
) -> Float[Tensor, "rows *tokens"]:
    """The loss of each row, or of each of its tokens; nats, 0 where the gold token is `pad`.

    As fairseq's `label_smoothed_cross_entropy`: of C classes each wrong one has the target probability
    epsilon / (C - 1). (torch's own `label_smoothing` gives epsilon / C to each, the gold one among them.)
    """
    logp = functional.log_softmax(logits, dim=-1)
    loss = -logp.gather(-1, gold.unsqueeze(-1)).squeeze(-1)
    if epsilon:
        each = epsilon / (logits.shape[-1] - 1)
        loss = (1 - epsilon - each) * loss - each * logp.sum(-1)
    return loss if pad is None else loss.masked_fill(gold == pad, 0.0)


def cross_entropy_of_any(
    logits: Float[Tensor, "rows classes"], right: Bool[Tensor, "rows classes"], epsilon: float
) -> Float[Tensor, " rows"]:
    """The loss of each row where any of several classes is right: less log of their probabilities together, nats.

    Smoothed, the wrong classes share the target probability epsilon, as in `cross_entropy`.
    """
    logp = functional.log_softmax(logits, dim=-1)
    loss = -logp.masked_fill(~right, -torch.inf).logsumexp(-1)
    if not epsilon:
        return loss
    wrong = (~right).sum(-1)
    return (1 - epsilon) * loss - epsilon * logp.masked_fill(right, 0.0).sum(-1) / wrong.clamp(min=1)
