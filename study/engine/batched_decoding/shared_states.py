"""What many searches have in common: each distinct hidden state of a decoder, found once.

An *item* is a search: one mask, one sentence. At some height in the decoder, all items whose masks agree so far (and
that read the same encoder states, once there are any) form a *group*: there, a hidden state depends on the group and
the tokens before it, and on nothing else. A *node* is one such pair of group and token prefix. Groupings go from coarse
to fine as one goes up; so each node stands on one node below it (`up`), and has one parent in the step before.

Shapes: I items, G groups, N nodes of one grouping, R hypotheses = nodes of the finest grouping.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Grouping:
    """A partition of the items.

    Attributes:
        of_item: group of each item; groups of several items come first.
        first: an item of each group.
        shared: how many groups have several items.
    """

    of_item: Int[np.ndarray, " I"]
    first: Int[np.ndarray, " G"]
    shared: int

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def by(cls, keys: Int[np.ndarray, " I"]) -> "Grouping":
        """Items of equal keys; groups in the order of their keys."""
        _, first, of_item, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        order = np.argsort(count == 1, kind="stable")
        return cls(np.argsort(order)[of_item], first[order], int((count > 1).sum()))


def chain(keys: Sequence[Int[np.ndarray, " I"]]) -> tuple[list[Grouping], list[int]]:
    """Groupings from coarse to fine, each different one once, and last every item by itself, in its own order.

    Args:
        keys: for each height a key for each item; who has equal keys has equal keys below.

    Returns:
        The groupings, and for each height the number of its own.
    """
    items = len(keys[0])
    found, places = [Grouping(np.arange(items), np.arange(items), 0)], []
    for key in reversed(keys):
        if len(np.unique(key)) < len(found[-1]):
            found.append(Grouping.by(key))
        places.append(len(found))
    return found[::-1], [len(found) - place for place in reversed(places)]


@dataclass(frozen=True)
class Nodes:
    """The nodes of one grouping in one step, in the order of their groups.

    Attributes:
        group: of each.
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
        tokens: last token of each node of the coarsest.
    """

    def __init__(self, groupings: Sequence[Grouping], start: Int[Tensor, ""], words: int) -> None:
        """Begin with one node a group.

        Args:
            groupings: from coarse to fine.
            start: the token that all begin with.
            words: number of words.
        """
        self._words, device = words, start.device
        below = [None, *groupings[:-1]]
        self.levels = [
            Nodes(
                group=torch.arange(len(fine), device=device),
                parent=None,
                up=None if coarse is None else torch.from_numpy(coarse.of_item[fine.first]).to(device),
            )
            for coarse, fine in zip(below, groupings, strict=True)
        ]
        self.tokens = start.expand(len(groupings[0]))

    def advance(self, origins: Int[Tensor, " R"], tokens: Int[Tensor, " R"]) -> None:
        """Go on by one token for every hypothesis.

        Args:
            origins: the hypotheses of the last step that are continued, in the order of their items.
            tokens: by these.
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
