"""Attachment: how many words have the head that their tree gives them (the unlabelled attachment score)."""

from collections.abc import Iterable, Sequence

from study.record.syntax.tree import PUNCTUATION, Tree


def attached(found: Iterable[Sequence[int]], trees: Iterable[Tree]) -> tuple[int, int]:
    """How many words have the right head, and how many words there are, punctuation aside.

    Args:
        found: by sentence, the number of the word that each depends on, 0 for the root.
        trees: the trees of the sentences.
    """
    right = [
        head == own
        for heads, tree in zip(found, trees, strict=True)
        for head, own, relation in zip(heads, tree.heads, tree.relations, strict=True)
        if relation != PUNCTUATION
    ]
    return sum(right), len(right)
