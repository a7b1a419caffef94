"""Gradients of choices whose context is read once: the loss of each example in one sequence, and one backward pass.

What all continuations of an example read is one token in it, so that its gradient is that of all of them together, as
`Subject.gradients` has it; what only some of them have in common stands once for each.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from study.engine.blocks import Columns
from study.engine.growing.token_tree import TokenTree
from study.engine.growth import RowPlan
from study.engine.pairs import Pairs
from study.subjects.language_model.requests import LanguageRow
from study.subjects.language_model.subject import LOGITS_AT_ONCE, LanguageModel, row_loss
from study.subjects.subject import to_device, wide

States = Callable[[Sequence[TokenTree], Pairs, Int[np.ndarray, " E"]], tuple[Float[Tensor, "R T d"], RowPlan]]
"""What gives the last hidden states of sequences of equal length, see `GrowingLanguageModel.states`."""


def packed_gradients(
    subject: LanguageModel,
    states: States,
    rows: Sequence[LanguageRow],
    masks: Bool[np.ndarray, "rows width"],
    key: Callable[[TokenTree], Hashable],
    *,
    parted: bool,
) -> Columns:
    """Gradients of each row under its mask.

    Args:
        subject: the model.
        states: gives last hidden states.
        rows: choices.
        masks: the mask of each.
        key: what trees have in common where they may go through the layers together.
        parted: whether masks act only on tokens after which a word is scored.
    """
    trees = [TokenTree.grown(row.requests, range(row.choices), row.shared, parted=parted) for row in rows]
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for number, tree in enumerate(trees):
        alike[key(tree)].append(number)
    losses = torch.zeros(len(rows), dtype=torch.float64)
    with torch.enable_grad(), subject.gate.traced(subject.as_xi(masks)) as trace:
        for chosen in alike.values():
            places, positions = (
                torch.tensor(chosen),
                torch.tensor([trees[i].positions[trees[i].read_once :] for i in chosen]),
            )
            places, positions = (to_device(numbers, subject.device) for numbers in (places, positions))
            with subject.gate.part(places, positions=positions):
                own = _losses(subject, states, [rows[i] for i in chosen], [trees[i] for i in chosen])
                own.sum().backward()
            losses[chosen] = own.detach().cpu().double()
    tokens = np.array([len(row.source) for row in rows])
    return {
        "loss": losses.numpy(),
        "gradient": trace.signed.cpu().numpy(),
        "token_gradient": trace.absolute.cpu().numpy(),
        "source_tokens": tokens,
        "target_tokens": tokens,
    }


def _losses(
    subject: LanguageModel, states: States, rows: Sequence[LanguageRow], trees: Sequence[TokenTree]
) -> Float[Tensor, " rows"]:
    """The loss of each row, with a graph behind it; under the mask that the gate has, as nothing grows."""
    hidden_RTd, _ = states(trees, Pairs.every(subject.layout.full()[None], len(trees)), np.arange(len(trees)))
    words = torch.tensor(
        [(row, token - tree.read_once, word) for row, tree in enumerate(trees) for token, word in tree.words]
    )
    row_W, place_W, word_W = to_device(words, hidden_RTd.device).T  # with a device map that of the last layer
    at_once = max(1, LOGITS_AT_ONCE // subject.module.config.get_text_config().vocab_size)
    parts = zip(hidden_RTd[row_W, place_W].split(at_once), word_W.split(at_once), strict=True)
    logp_W = torch.cat([subject.words(hidden, word)[0] for hidden, word in parts])
    logp_W, losses = logp_W.to(wide(logp_W.device)), []
    for row, tree, logp in zip(rows, trees, logp_W.split([len(tree.words) for tree in trees]), strict=True):
        sums = torch.stack([logp[list(own)].sum() for own in tree.scored])
        losses.append(row_loss(sums, int(row.target)))  # type: ignore[arg-type]
    return torch.stack(losses)
