"""How likely words are, given logits: the one place where a logit becomes a log-probability."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def log_probabilities(
    logits: Float[Tensor, "tokens words"], targets: Int[Tensor, " tokens"]
) -> tuple[Float[Tensor, " tokens"], Bool[Tensor, " tokens"]]:
    """The log-probability of each target, nats, and whether it is the most likely word (the first of equal ones).

    Computed in float32 at least, whatever the logits are.
    """
    wide = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    own = wide.gather(-1, targets[:, None])[:, 0]
    return own - wide.logsumexp(-1), wide.argmax(-1) == targets
