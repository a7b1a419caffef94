"""The part of the examples that chooses a set; the others judge it."""

import numpy as np

from study.record.errors import InputError
from study.record.examples import Examples


def choosing_part(examples: Examples, share: float, seed: int) -> tuple[str, ...]:
    """Ids of the examples that choose: whole groups at random, until a share of all examples is reached.

    Raises:
        InputError: when there are not two groups, one for each side.
    """
    groups = list(dict.fromkeys(examples.groups))
    if len(groups) < 2:
        raise InputError(f"a set is chosen by some groups of examples and judged by others, and here is {len(groups)}")
    size = dict(zip(*np.unique(np.array(examples.groups), return_counts=True), strict=True))
    drawn = [groups[i] for i in np.random.default_rng(seed).permutation(len(groups))]
    reached = np.cumsum([size[group] for group in drawn])
    number = 1 + int(np.searchsorted(reached, share * len(examples)))
    chosen = set(drawn[: min(number, len(groups) - 1)])
    return tuple(name for name, group in zip(examples.ids, examples.groups, strict=True) if group in chosen)
