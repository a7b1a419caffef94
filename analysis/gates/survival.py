"""Which heads survive in how many seeds, against seeds that each keep as many heads, but any of them.

Under the null hypothesis seed s keeps K_s of the n heads of an attention kind, every set of K_s being as likely. A head
then survives in as many seeds as a sum of independent trials with chances K_s / n has successes (Poisson binomial). The
numbers of heads are not independent of each other, as sizes are fixed: p values of these are exact where all seeds are
meant (a chain of hypergeometric draws), and otherwise of random sets.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from analysis.agreement import chance
from analysis.agreement.kept_sets import KeptSets
from analysis.inference.multiplicity import holm
from study.record.units import ADDRESS

DRAWS = 2000
"""Random sets behind a p value that has no closed form."""

NUMBERS = ("chance", "p", "p_corrected")

ABOUT = dict.fromkeys(["comparison", "method", "amount"], pl.String) | {"updates": pl.Int64}
"""What tells the sets of heads apart."""

SURVIVAL = (
    ABOUT
    | {"kind": pl.String, "seeds": pl.Int64, "heads": pl.Int64}
    | dict.fromkeys(["fewest", "most", "times", "survive"], pl.Int64)
    | dict.fromkeys([*NUMBERS, *(f"layers_{name}" for name in NUMBERS)], pl.Float64)
    | {"draws": pl.Int64, "seed": pl.Int64}
)

SURVIVORS = (
    ABOUT
    | {"along": pl.String, **ADDRESS, "kept_by": pl.Int64, "raters": pl.Int64, "who": pl.String}
    | dict.fromkeys(["p", "p_corrected"], pl.Float64)
)


@dataclass(frozen=True, eq=False)
class Null:
    """What survival would be by chance, in one attention kind.

    Attributes:
        sets: the heads that each seed keeps.
        within_layers: whether each seed keeps as many heads of each layer as it does, or of the kind alone.
        counts: numbers of heads that survive at least 1, 2 ... times in random sets.
    """

    sets: KeptSets
    within_layers: bool
    counts: Int[np.ndarray, "draws times"]

    @classmethod
    def of(cls, sets: KeptSets, seed: int, *, within_layers: bool) -> "Null":
        """Random sets of the sizes of some sets; those of a task are the same whatever is analysed beside it."""
        rng = np.random.default_rng([seed, zlib.crc32(sets.task.encode()), int(within_layers)])
        dealt = [  # heads stand by strata, whose order nothing asks for
            rng.permuted(np.broadcast_to(kept, (DRAWS, *kept.shape)), axis=2).sum(axis=1)
            for kept in sets.strata(within_layers=within_layers)
        ]
        return cls(sets, within_layers, at_least(np.concatenate(dealt, axis=1), len(sets.raters)))

    @cached_property
    def expected(self) -> Float[np.ndarray, " times"]:
        """The mean number of heads that survive at least 1, 2 ... times, exactly."""
        strata = self.sets.strata(within_layers=self.within_layers)
        return np.sum([kept.shape[1] * reach(kept.mean(axis=1)) for kept in strata], axis=0)

    def p(self, times: int, survive: int) -> float:
        """The chance that so many heads or more survive so many times or more."""
        if times == len(self.sets.raters):
            return min(1.0, float(chance.kept_in_all(self.sets, within_layers=self.within_layers)[survive:].sum()))
        reached = int((self.counts[:, times - 1] >= survive).sum())
        return (1 + reached) / (1 + len(self.counts))


def reach(shares: Float[np.ndarray, " seeds"]) -> Float[np.ndarray, " times"]:
    """The chance that a head survives in at least 1, 2 ... of the seeds, each of which keeps it with a chance."""
    exactly = reduce(np.convolve, ([1 - share, share] for share in shares), np.ones(1))
    return exactly[::-1].cumsum()[::-1][1:]


def at_least(counts: Int[np.ndarray, "draws heads"], times: int) -> Int[np.ndarray, "draws times"]:
    """How many heads survive at least 1, 2 ... times."""
    return np.stack([(counts >= least).sum(axis=1) for least in range(1, times + 1)], axis=1)


def survival(every: Sequence[tuple[Mapping[str, Any], KeptSets]], seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How many heads survive how often, and which.

    Args:
        every: the heads of one attention kind that the seeds of one method keep, with the cells of `ABOUT`.
        seed: seed of the random sets.

    Returns:
        For each of these and each number of times from 2: fewest, most (heads that a seed keeps), survive (heads that
        are kept at least that often), chance (how many would be), p of at least so many, corrected over the numbers of
        times by Holm; layers_chance ...: of random sets that keep as many heads of each layer. For each head: in how
        many seeds it survives and in which; p: the chance that a given head survives at least that often, null for one
        that never does; p_corrected: that any head does.
    """
    rows: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    for about, sets in every:
        nulls = [Null.of(sets, seed, within_layers=within) for within in (False, True)]
        rows += [{**about, **row, "seed": seed} for row in _rows(sets, nulls)]
        heads += [{**about, **row} for row in _heads(sets, nulls[0])]
    return pl.DataFrame(rows, schema=SURVIVAL), pl.DataFrame(heads, schema=SURVIVORS)


def _rows(sets: KeptSets, nulls: Sequence[Null]) -> Iterator[dict[str, Any]]:
    (survive,) = at_least(sets.counts[None], len(sets.raters))
    times = range(2, len(sets.raters) + 1)
    p = [np.array([null.p(least, int(survive[least - 1])) for least in times]) for null in nulls]
    corrected = [holm(own) for own in p]
    for at, least in enumerate(times):
        row = {
            **{"kind": str(sets.heads[0].kind), "seeds": len(sets.raters), "heads": len(sets.heads)},
            **{"fewest": int(sets.sizes.min()), "most": int(sets.sizes.max())},
            **{"times": least, "survive": int(survive[least - 1]), "draws": DRAWS},
        }
        for prefix, null, own, by in zip(("", "layers_"), nulls, p, corrected, strict=True):
            numbers = null.expected[least - 1], own[at], by[at]
            row |= {f"{prefix}{name}": float(value) for name, value in zip(NUMBERS, numbers, strict=True)}
        yield row


def _heads(sets: KeptSets, null: Null) -> Iterator[dict[str, Any]]:
    alone = reach(sets.kept.mean(axis=1))
    for head, kept in zip(sets.heads, sets.kept.T, strict=True):
        times = int(kept.sum())
        yield {
            "along": sets.along,
            **head.row,
            "kept_by": times,
            "raters": len(sets.raters),
            "who": ", ".join(rater for rater, keeps in zip(sets.raters, kept, strict=True) if keeps),
            "p": float(alone[times - 1]) if times else None,
            "p_corrected": null.p(times, 1) if times else None,
        }
