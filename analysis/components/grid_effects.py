"""From cells on axes to a grid of effects with their noise: the same heads everywhere, the same groups along a seed."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from analysis.components.noisy_grid import NoisyGrid
from analysis.correlation import DomainEffects
from analysis.correlation.shared_examples import aligned
from analysis.results.cells import DATA, Grid
from study.record.errors import InputError
from study.record.units import Unit, layer_of

FEWEST = 3
"""Heads that a grid must have."""


def noisy_grid(grid: Grid, groups: str) -> NoisyGrid:
    """The effects of the heads, or other units, that were measured in every cell.

    Args:
        grid: cells along data, along another axis, or along both.
        groups: groups of examples, as in `Domain.sample`.

    Raises:
        InputError: when the cells of a data set have different examples, or one group of them alone, or there are fewer
            than three heads, or units of the grid's level.
    """
    lines: dict[object, list[DomainEffects]] = {}
    for cell in grid.cells.values():  # ordered along the other axis in every line
        lines.setdefault(cell.at(DATA), []).append(DomainEffects.of(cell.domain, groups, grid.level))
    first = next(iter(lines.values()))[0]
    everywhere = set.intersection(*(set(own.heads) for line in lines.values() for own in line))
    heads = [head for head in first.heads if head in everywhere]
    if len(heads) < FEWEST:
        units = grid.level.plural
        raise InputError(f"which need {FEWEST} {units} measured in every cell, and there are {len(heads)}")
    for line in lines.values():
        if any(own.sample is not None and own.sample.groups < 2 for own in line):
            raise InputError(f"as {line[0].domain} has one group of examples alone, which says nothing of noise")
    effects = [[own.effects[_places(own, heads)] for own in line] for line in lines.values()]
    return NoisyGrid(np.array(effects), [_without(line, heads) for line in lines.values()], _layers(heads))


def examples_in_common(grid: Grid, groups: str) -> str | None:
    """Which data sets of a grid have examples in common, whose noise is in the part of heads; None where none have."""
    first = {cell.at(DATA): cell for cell in reversed(list(grid.cells.values()))}
    domains = [DomainEffects.of(cell.domain, groups, grid.level) for cell in first.values()]
    pairs = ((a, b, aligned(a, b)[2].count) for a, b in combinations(domains, 2))
    told = [
        f"{b.domain} and {a.domain} share {count} group{'' if count == 1 else 's'} of examples"
        for a, b, count in pairs
        if count
    ]
    return f"{'; '.join(told)}: their noise is in the part of the {grid.level.noun}" if told else None


def _without(line: Sequence[DomainEffects], heads: Sequence[Unit]) -> np.ndarray:
    """Effects of the cells of one data set without each group of its examples: groups, cells, heads."""
    first = line[0].sample
    assert first is not None
    without = []
    for own in line:
        assert own.sample is not None
        at = {name: i for i, name in enumerate(own.sample.names)}
        sizes = own.sample.sizes // own.sample.draws
        if set(at) != set(first.names) or (sizes[[at[n] for n in first.names]] != first.sizes // first.draws).any():
            raise InputError(
                f"as {own.names['subject']} was measured on other examples of {own.domain} than "
                f"{line[0].names['subject']}"
            )
        order = [at[name] for name in first.names]
        without.append(own.without[order][:, _places(own, heads)])
    return np.stack(without, axis=1)


def _places(own: DomainEffects, heads: Sequence[Unit]) -> list[int]:
    at = {head: i for i, head in enumerate(own.heads)}
    return [at[head] for head in heads]


def _layers(heads: Sequence[Unit]) -> np.ndarray:
    """The number of each head's layer; layers of several attention kinds have numbers of their own."""
    names = [layer_of(head) for head in heads]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names])
