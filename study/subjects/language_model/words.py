"""How likely words are, given logits: the one place where a logit becomes a log-probability."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def log_probabilities(
    logits: Float[Tensor, "tokens words"], targets: Int[Tensor, " targets"], rows: Int[Tensor, " targets"] | None = None
) -> tuple[Float[Tensor, " targets"], Bool[Tensor, " targets"]]:
    """The log-probability of each target, nats, and whether it is the most likely word (the first of equal ones).

    Computed in float32 at least, whatever the logits are.

    Args:
        logits: what a model gives after some tokens.
        targets: words that may follow.
        rows: the row of logits that each target is looked for in; one after the other when None.
    """
    wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    at = torch.arange(len(targets), device=targets.device) if rows is None else rows
    return wide.log_softmax(-1)[at, targets], wide.argmax(-1)[at] == targets
