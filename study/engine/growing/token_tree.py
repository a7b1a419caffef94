"""Requests that begin alike as one sequence of tokens: what they share is read once, then each goes its own way."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from study.subjects.language_model.requests import Request

GAIN = 0.05
"""Least share of the tokens that packing must save: what it costs is a mask of its own."""


@dataclass(frozen=True)
class TokenTree:
    """Some requests of an example as one sequence.

    Attributes:
        requests: their positions among those of the example.
        tokens: what is read; each after the one before it in its own request, not always next to it.
        parents: the token before each one; -1 where a request begins.
        positions: position of each token in its own request.
        words: the words that are scored, each once: the token after which one stands, and the word.
        scored: for each request the words of its continuation, by their numbers.
        read_once: how many tokens, the first ones, are read with every unit on: masks act on those behind.
    """

    requests: tuple[int, ...]
    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    positions: tuple[int, ...]
    words: tuple[tuple[int, int], ...]
    scored: tuple[tuple[int, ...], ...]
    read_once: int = 0

    @property
    def num_grown(self) -> int:
        """How many tokens are read anew for each mask."""
        return len(self.tokens) - self.read_once

    @property
    def is_plain(self) -> bool:
        """Whether each token stands behind the one before it, as in a text."""
        return self.parents == tuple(range(-1, len(self.tokens) - 1))

    @property
    def depth(self) -> int:
        """Tokens of the longest request."""
        return max(self.positions) + 1

    @cached_property
    def visible(self) -> Bool[np.ndarray, "T T"]:
        """Which tokens each token may see: those before it in its own request, and itself."""
        seen = np.eye(len(self.tokens), dtype=bool)
        for token, parent in enumerate(self.parents):
            if parent >= 0:
                seen[token] |= seen[parent]
        return seen

    @cached_property
    def places(self) -> Int[np.ndarray, " places"]:
        """The tokens after which a word is scored."""
        return np.unique([token for token, _ in self.words])

    @classmethod
    def grown(
        cls, requests: Sequence[Request], numbers: Sequence[int], shared: int | None = None, *, parted: bool = False
    ) -> "TokenTree":
        """A tree of requests.

        Args:
            requests: those of the example.
            numbers: positions of those that are taken.
            shared: how many tokens at most they read together; all that any of them have in common when None.
            parted: whether masks act only on tokens after which a word of the request is scored. The others stand
                first, and no request shares with another what masks act on in one of them alone.
        """
        nodes: dict[tuple[int, int, int, bool], int] = {}  # token before, token, request where it is not shared, acts
        words: dict[tuple[int, int], int] = {}
        positions, scored = [], []
        for number in numbers:
            request, node, own = requests[number], -1, []
            for position, token in enumerate(request.context + request.continuation):
                if position >= len(request.context):
                    own.append(words.setdefault((node, token), len(words)))
                if position < len(request.read):
                    branch = -1 if shared is None or position < shared else number
                    acts = parted and position >= len(request.context) - 1
                    node = nodes.setdefault((node, token, branch, acts), len(nodes))
                    positions += [position] * (node == len(positions))
            scored.append(tuple(own))
        parents, tokens, _, acts = zip(*nodes, strict=True)
        tree = cls(tuple(numbers), tokens, parents, tuple(positions), tuple(words), tuple(scored))
        return tree._parted(np.array(acts)) if parted else tree

    def _parted(self, acts: Bool[np.ndarray, " T"]) -> "TokenTree":
        """The tree with the tokens that masks act on behind the others."""
        order = np.argsort(acts, kind="stable")
        place = {-1: -1} | {int(token): i for i, token in enumerate(order)}
        return replace(
            self,
            tokens=tuple(self.tokens[i] for i in order),
            parents=tuple(place[self.parents[i]] for i in order),
            positions=tuple(self.positions[i] for i in order),
            words=tuple((place[token], word) for token, word in self.words),
            read_once=int((~acts).sum()),
        )


def token_trees(
    requests: Sequence[Request],
    *,
    packs: bool,
    parted: bool = False,
    alike: Callable[[int], Hashable] = lambda _: 0,
) -> list[TokenTree]:
    """All requests of an example, in as few tokens as may be.

    Args:
        requests: the requests.
        packs: whether those that part may stand in one sequence. Otherwise each stands by itself, or in one that it is
            the beginning of: choices of a single word all read the same.
        parted: whether masks act only on tokens after which a word is scored, see `TokenTree.grown`.
        alike: what the lengths of two requests have in common where they may stand in one sequence.
    """
    classes: dict[Hashable, list[int]] = defaultdict(list)
    for number, request in enumerate(requests):
        classes[alike(len(request.read))].append(number)
    return [tree for numbers in classes.values() for tree in _trees(requests, numbers, packs=packs, parted=parted)]


def _trees(requests: Sequence[Request], numbers: Sequence[int], *, packs: bool, parted: bool) -> list[TokenTree]:
    """Trees of some of the requests, all of which may stand in one sequence."""
    apart = [TokenTree.grown(requests, own, parted=parted) for own in _beginnings(requests, numbers)]
    if not packs or len(apart) == 1:
        return apart
    together = TokenTree.grown(requests, numbers, parted=parted)
    pays = len(together.tokens) <= (1 - GAIN) * sum(len(tree.tokens) for tree in apart)
    return [together] if pays else apart


def _beginnings(requests: Sequence[Request], numbers: Sequence[int]) -> list[list[int]]:
    """Positions of requests by what they read, where that of one is the beginning of that of another."""
    longest: dict[tuple[int, ...], list[int]] = {}
    for number in sorted(numbers, key=lambda i: -len(requests[i].read)):
        read = requests[number].read
        whole = next((other for other in longest if other[: len(read)] == read), read)
        longest.setdefault(whole, []).append(number)
    return list(longest.values())
