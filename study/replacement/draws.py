"""Draws: how often examples are studied, and which donor each has every time."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.record.errors import InputError
from study.record.examples import GROUP, MARK, Examples


def several(examples: Examples, draws: int) -> Examples:
    """Every example so many times, as `ID~1`, `ID~2` ..., of one group; examples of one draw are as they are."""
    if draws == 1:
        return examples
    rows = [i for i in range(len(examples)) for _ in range(draws)]
    columns = {name: tuple(column[i] for i in rows) for name, column in examples.columns.items()}
    columns.setdefault(GROUP, tuple(examples.ids[i] for i in rows))
    return replace(
        examples,
        ids=tuple(f"{name}{MARK}{draw}" for name in examples.ids for draw in range(1, draws + 1)),
        texts=tuple(examples.texts[i] for i in rows),
        targets=tuple(examples.targets[i] for i in rows),
        columns=columns,
        weights=None if examples.weights is None else tuple(examples.weights[i] for i in rows),
        counts={name: tuple(count[i] for i in rows) for name, count in examples.counts.items()},
        trees=None if examples.trees is None else tuple(examples.trees[i] for i in rows),
    )


@dataclass(frozen=True)
class Candidates:
    """Examples of which donors are drawn, or for which.

    Attributes:
        ids: their names, those of the data itself.
        groups: the group of each; no example has a donor of its own group.
        lengths: tokens of each.
    """

    ids: Sequence[str]
    groups: Sequence[str]
    lengths: Sequence[tuple[int, ...]]


def draw(examples: Candidates, donors: Candidates, draws: int, seed: int) -> list[list[int]]:
    """Positions of the donors of each example, one for each draw, each of another group than all others.

    Donors are drawn among those that are at least as long; where these are too few, of the others the longest come
    next. What is drawn depends on the seed, the example's id and the donors alone, and the donors of fewer draws are
    the first of those of more.

    Raises:
        InputError: when there are fewer other groups than draws.
    """
    lengths = np.array(donors.lengths)
    found = []
    for name, group, needed in zip(examples.ids, examples.groups, examples.lengths, strict=True):
        missing = np.maximum(np.array(needed) - lengths, 0).sum(1)
        order = example_generator(seed, name).permutation(len(lengths))
        taken: dict[str, int] = {}
        for some in (order[missing[order] == 0], order[np.argsort(missing[order], kind="stable")]):
            for i in map(int, some):
                if len(taken) == draws:
                    break
                if donors.groups[i] != group:
                    taken.setdefault(donors.groups[i], i)
        if len(taken) < draws:
            raise InputError(
                f"replacement.draws={draws}: for example '{name}' the reference set has {len(taken)} groups that are "
                f"not its own ('{group}'), and each draw is of another group"
            )
        found.append(list(taken.values()))
    return found


def example_generator(seed: int, name: str) -> np.random.Generator:
    """Random numbers that are an example's own, whatever is drawn for others."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], dtype=np.uint32)
    return np.random.default_rng([seed, *words.tolist()])


def by_name(examples: Candidates, drawn: Sequence[Sequence[int]], draws: int) -> Mapping[str, int]:
    """The donor of each example and draw, by the name that the example is studied by."""
    if draws == 1:
        return {name: own[0] for name, own in zip(examples.ids, drawn, strict=True)}
    return {
        f"{name}{MARK}{number}": donor
        for name, own in zip(examples.ids, drawn, strict=True)
        for number, donor in enumerate(own, 1)
    }
