"""How a probe scores: each word as the head of each other, and the root (Clark et al. 2019, section 5).

Shapes: H heads, W words, V = W + 2, see `word_links`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from study.observing.probing.word_links import EXTRA, WordLinks
from study.observing.words import most_attended
from study.record.syntax.probe import ProbeWeights


@dataclass(frozen=True)
class ProbeTensors:
    """The weights of a probe as tensors, or those of several that are trained at once.

    Attributes:
        heads: weights of attention from a word to its head (w), and from the head to the word (u).
        root: what the sums over attention to and from opening and closing tokens count, and a constant.
    """

    heads: Float[Tensor, "*probes 2 H"]
    root: Float[Tensor, "*probes 3"]

    @classmethod
    def blank(cls, num_heads: int) -> "ProbeTensors":
        """What training starts from: no head counts, and tokens at the ends count as words do."""
        return cls(torch.zeros(2, num_heads), torch.tensor([1.0, 1.0, 0.0]))

    @classmethod
    def of(cls, weights: ProbeWeights) -> "ProbeTensors":
        """Those of a stored probe."""
        root = torch.tensor([weights.beginning, weights.separator, weights.constant])
        return cls(torch.tensor([weights.to_head, weights.to_dependent]), root)

    def to_weights(self) -> ProbeWeights:
        """Inverse of `of`."""
        to_head, to_dependent = (tuple(column) for column in self.heads.tolist())
        return ProbeWeights(to_head, to_dependent, *self.root.tolist())


def head_scores(probe: ProbeTensors, links: WordLinks) -> Float[Tensor, "*probes W W1"]:
    """The score of the root, then of each word, as the head of each word.

    A word is a candidate for itself, as in the paper's code.
    """
    maps = torch.from_numpy(links.maps).float()
    both = (probe.heads @ maps.flatten(1)).unflatten(-1, maps.shape[1:])
    return scores_of_sums(both[..., 0, :, :] + both[..., 1, :, :].mT, probe.root, has_ends=links.has_ends)


def scores_of_sums(
    sums: Float[Tensor, "*more V V"], root: Float[Tensor, "*probes 3"], *, has_ends: bool
) -> Float[Tensor, "*more W W1"]:
    """The scores from sums over heads, of each word (row) with each word, opening and closing tokens (column)."""
    words = sums.shape[-1] - EXTRA
    ends = (sums[..., :words, words:] * root[..., None, :EXTRA]).sum(-1)
    ends = ends if has_ends else ends + root[..., EXTRA:]
    return torch.cat([ends[..., None], sums[..., :words, :words]], dim=-1)


def sentence_loss(scores: Float[Tensor, "*probes W W1"], heads: Int[Tensor, " W"]) -> Float[Tensor, "*probes"]:
    """The loss of a sentence: summed over its words, as the paper's code has it; nats.

    Args:
        scores: see `head_scores`.
        heads: number of the word that each depends on, 0 for the root.
    """
    right = scores[..., torch.arange(len(heads)), heads]
    return (scores.logsumexp(-1) - right).sum(-1)


def single_choices(links: WordLinks) -> Int[np.ndarray, "2 H W"]:
    """The head of each word by single heads: the word that it attends to most, and the one that attends to it most.

    Numbers are from 1 on; itself and tokens at the ends are left out, and 0 stands where no word is left.
    """
    words = links.num_words
    return np.stack(most_attended(links.maps[:, :words, :words].astype(np.float32))) + 1
