"""Shared examples: which groups of examples two cells have in common, and what that does to their noise.

Cells of one data set (two seeds, two epochs) were measured on the same examples, so that the noise of one is part of
the noise of the other; two data sets may share some. Groups are the same where they share a text: the first one
(premise, source), or all texts where every example stands for itself. With x and y what one group adds to the effects
on A and on B, and m of the n_A and n_B groups shared, the sampling covariance of the effects is

    S_AB = sum over shared groups of (x - mean x)(y - mean y)' / (n_A n_B - n_A - n_B + m),

which is unbiased for means over groups of one size; for m = n_A = n_B it is the jackknife's covariance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from analysis.correlation.domain_effects import DomainEffects

Deviations = Float[np.ndarray, "groups heads"]


@dataclass(frozen=True, eq=False)
class SharedGroups:
    """The groups of examples that two cells have in common; no group is shared with more than one.

    Attributes:
        groups_a: how many groups one cell has.
        groups_b: how many the other has.
        at_a: places of the shared ones in the first cell.
        at_b: places of the same ones in the second cell.
    """

    groups_a: int
    groups_b: int
    at_a: Int[np.ndarray, " shared"]
    at_b: Int[np.ndarray, " shared"]

    @property
    def count(self) -> int:
        """How many are shared."""
        return len(self.at_a)

    @property
    def all(self) -> bool:
        """Whether both cells have the same groups."""
        return self.count == self.groups_a == self.groups_b

    @cached_property
    def alone_a(self) -> Int[np.ndarray, " alone"]:
        """Places of the groups that only the first cell has."""
        return np.setdiff1d(np.arange(self.groups_a), self.at_a)

    @cached_property
    def alone_b(self) -> Int[np.ndarray, " alone"]:
        """Places of the groups that only the second cell has."""
        return np.setdiff1d(np.arange(self.groups_b), self.at_b)

    @property
    def divisor(self) -> int:
        """What sums of products of deviations over the shared groups are divided by: unbiased for their covariance."""
        return divisor(self.groups_a, self.groups_b, self.count)


def disjoint(groups_a: int, groups_b: int) -> SharedGroups:
    """No group is shared."""
    nowhere = np.zeros(0, dtype=np.int64)
    return SharedGroups(groups_a, groups_b, nowhere, nowhere)


def divisor(groups_a: int, groups_b: int, shared: int) -> int:
    """`SharedGroups.divisor` of numbers of groups."""
    return groups_a * groups_b - groups_a - groups_b + shared


def aligned(a: DomainEffects, b: DomainEffects) -> tuple[DomainEffects, DomainEffects, SharedGroups]:
    """Two cells in groups of which each is shared with one of the other cell or with none.

    Groups that are bound together by what they share with the other cell, as two documents which both have sentences
    of a third, are one group.
    """
    assert a.sample is not None
    assert b.sample is not None
    count_a, count_b = a.sample.groups, b.sample.groups
    if a is b or a.has_the_examples_of(b):
        places = np.arange(count_a)
        return a, b, SharedGroups(count_a, count_b, places, places)
    links = _links(a, b)
    if not links:
        return a, b, disjoint(count_a, count_b)
    one, other = np.array(sorted(links)).T
    if len(set(one)) == len(one) and len(set(other)) == len(other):
        return a, b, SharedGroups(count_a, count_b, one, other)
    size = count_a + count_b
    graph = coo_array((np.ones(len(one)), (one, count_a + other)), shape=(size, size))
    _, part = connected_components(graph, directed=False)
    (a, new_a), (b, new_b) = _merged(a, part[:count_a]), _merged(b, part[count_a:])
    one, other = np.unique(np.stack([new_a[one], new_b[other]]), axis=1)
    return a, b, SharedGroups(len(set(new_a)), len(set(new_b)), one, other)


def sampling_covariance(a: DomainEffects, b: DomainEffects) -> Float[np.ndarray, "heads_a heads_b"]:
    """The covariance, over samples of examples, of the estimated effects of two cells; zeros where none are shared.

    Of a cell with itself it is the jackknife's covariance of its effects.
    """
    a, b, shared = aligned(a, b)
    if not shared.count:
        return np.zeros((len(a.heads), len(b.heads)))
    x, y = additions(a.without)[shared.at_a], additions(b.without)[shared.at_b]
    return x.T @ y / shared.divisor


def head_covariances(
    cells: Sequence[DomainEffects], places: Sequence[Int[np.ndarray, " heads"]]
) -> Float[np.ndarray, "heads cells cells"]:
    """The sampling covariance between cells of the estimated effect of each head.

    Args:
        cells: which ones.
        places: where the heads stand in each of them, in one order.
    """
    found = np.zeros((len(places[0]), len(cells), len(cells)))
    for i, j in combinations_with_replacement(range(len(cells)), 2):
        a, b, shared = aligned(cells[i], cells[j])
        x, y = additions(a.without)[shared.at_a], additions(b.without)[shared.at_b]
        found[:, i, j] = (x[:, places[i]] * y[:, places[j]]).sum(axis=0) / shared.divisor if shared.count else 0.0
        found[:, j, i] = found[:, i, j]
    return found


def additions(without: Deviations) -> Deviations:
    """What each group adds to the effects, less the mean over groups: from the effects without each group."""
    return (len(without) - 1) * (without.mean(axis=0) - without)


def _links(a: DomainEffects, b: DomainEffects) -> set[tuple[int, int]]:
    """Places of every two groups that share a text."""
    known: dict[str, set[int]] = {}
    for text, group in zip(a.texts, a.group_of, strict=True):
        known.setdefault(text, set()).add(int(group))
    found = ((known.get(text, ()), group) for text, group in zip(b.texts, b.group_of, strict=True))
    return {(one, int(group)) for others, group in found for one in others}


def _merged(own: DomainEffects, part: Int[np.ndarray, " groups"]) -> tuple[DomainEffects, Int[np.ndarray, " groups"]]:
    """A cell in fewer groups, those of a part together; and the new place of each old group."""
    assert own.sample is not None
    _, first, new = np.unique(part, return_index=True, return_inverse=True)
    sample = own.sample.merged(new, tuple(own.sample.names[i] for i in first))
    return replace(own, sample=sample, group_of=new[own.group_of]), new
