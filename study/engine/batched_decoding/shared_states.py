"""What many searches have in common: each distinct hidden state of a decoder, found once.

Every pair of mask and sentence is a search. At some height in the decoder, all pairs whose masks agree so far (and that
read the same encoder states, once there are any) form a *group*: there, a hidden state depends on the group and the
tokens before it, and on nothing else. A *node* is one such combination of group and token prefix. Groupings go from
coarse to fine as one goes up; so each node stands on one node below it (`up`), and has one parent in the step before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from study.engine.pairs import Pairs


@dataclass(frozen=True)
class Grouping:
    """A partition of the pairs.

    Attributes:
        group: group of each pair; groups of several pairs come first.
        first: a pair of each group.
        num_shared: how many groups have several pairs.
    """

    group: Int[np.ndarray, " P"]
    first: Int[np.ndarray, " G"]
    num_shared: int

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def by(cls, keys: Int[np.ndarray, " P"]) -> "Grouping":
        """Pairs of equal keys; groups in the order of their keys."""
        _, first, group, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        order = np.argsort(count == 1, kind="stable")
        return cls(np.argsort(order)[group], first[order], int((count > 1).sum()))


def pair_keys(pairs: Pairs, classes: Int[np.ndarray, " M"], *, by_sentence: bool = True) -> Int[np.ndarray, " P"]:
    """Equal for pairs whose masks are in one class, and which are of one sentence."""
    return classes[pairs.mask] * (pairs.example.max() + 1) + (pairs.example if by_sentence else 0)


def nested_groupings(keys: Sequence[Int[np.ndarray, " P"]]) -> tuple[list[Grouping], list[int]]:
    """Groupings from coarse to fine, each different one once, and last every pair by itself, in its own order.

    Args:
        keys: for each height a key for each pair; who has equal keys has equal keys below.

    Returns:
        The groupings, and for each height the number of its own.
    """
    num_pairs = len(keys[0])
    found, places = [Grouping(np.arange(num_pairs), np.arange(num_pairs), 0)], []
    for key in reversed(keys):
        if len(np.unique(key)) < len(found[-1]):
            found.append(Grouping.by(key))
        places.append(len(found))
    return found[::-1], [len(found) - place for place in reversed(places)]


@dataclass(frozen=True)
class Nodes:
    """The nodes of one grouping in one step, in the order of their groups.

    Attributes:
        group: group of each node.
        parent: the node of the step before that it continues; None in the first step.
        up: the node of the coarser grouping that it stands on; None in the coarsest.
    """

    group: Int[Tensor, " N"]
    parent: Int[Tensor, " N"] | None
    up: Int[Tensor, " N"] | None

    def __len__(self) -> int:
        return len(self.group)


class NodeTree:
    """The nodes of all groupings, step by step.

    Attributes:
        levels: nodes of each grouping, coarse to fine; those of the finest are the hypotheses.
        tokens: last token of each node of the coarsest grouping.
    """

    def __init__(self, groupings: Sequence[Grouping], start: Int[Tensor, ""], words: int) -> None:
        """Begin with one node a group, all by the token `start`; groupings go from coarse to fine."""
        self._words, device = words, start.device
        self.levels = [
            Nodes(
                group=torch.arange(len(fine), device=device),
                parent=None,
                up=None if coarse is None else torch.from_numpy(coarse.group[fine.first]).to(device),
            )
            for coarse, fine in zip([None, *groupings[:-1]], groupings, strict=True)
        ]
        self.tokens = start.expand(len(groupings[0]))

    def advance(self, origins: Int[Tensor, " R"], tokens: Int[Tensor, " R"]) -> None:
        """Go on by one token for every hypothesis.

        Args:
            origins: the hypotheses of the last step that are continued, in the order of their pairs.
            tokens: the token that each continues by.
        """
        before, parent = self.levels, origins
        levels: list[Nodes] = []
        for level in reversed(range(len(before))):
            group, up = before[level].group[parent], before[level].up
            if up is None:
                levels.append(Nodes(group, parent, None))
                break
            below, place = torch.unique(up[parent] * self._words + tokens, return_inverse=True)
            levels.append(Nodes(group, parent, place))
            parent, tokens = below // self._words, below % self._words
        self.levels, self.tokens = levels[::-1], tokens

    def path(self, below: int, above: int) -> Int[Tensor, " N"] | None:
        """For each node of one level the node of a coarser one that it stands on; None where they are the same."""
        place = None
        for level in reversed(range(below + 1, above + 1)):
            up = self.levels[level].up
            place = up if place is None or up is None else up[place]
        return place
