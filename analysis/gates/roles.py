"""Roles of the heads that survive: how many heads of each role a training keeps, where attention was measured.

Roles are those that heads have with every head on, of the checkpoint itself or of the un-pruned model of the same seed;
where attention was looked at under the kept heads alone, they are assigned anew besides.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Bool
from scipy import stats

from analysis.gates.comparisons import Comparison
from analysis.gates.kept_heads import KeptHeads
from analysis.inference.multiplicity import holm
from analysis.results.readings import Reading
from analysis.roles import HeadAttention
from analysis.roles.assignment import members

ROLES_KEPT = (
    dict.fromkeys(["comparison", "method", "amount", "training_id"], pl.String)
    | {"seed": pl.Int64}
    | dict.fromkeys(["looked_at", "of", "role"], pl.String)
    | dict.fromkeys(["members", "left", "anew", "kept", "heads"], pl.Int64)
    | dict.fromkeys(["share_left", "share_kept", "p", "p_corrected"], pl.Float64)
)

OWN, UNPRUNED = "itself", "un-pruned"


def roles_kept(every: Sequence[Comparison], found: HeadAttention | None) -> pl.DataFrame:
    """How many heads of each role trainings keep.

    Args:
        every: the trainings.
        found: what heads look at; None where nobody measured it.

    Returns:
        Columns comparison, method, amount, training_id, seed; looked_at, of: the reading that gave the roles, and
        whether it is of the model itself or of the un-pruned one; role; members, left: heads that have it, of the kinds
        that have gates, and how many of these are kept; anew: kept heads that have it when it is assigned under the
        kept heads alone, null where attention was not looked at there; kept, heads: of all; share_left, share_kept; p:
        that random kept heads, as many, would be as unlikely a choice, by Fisher's exact test; p_corrected: by Holm,
        over the roles of a training.
    """
    rows: list[dict[str, Any]] = []
    if found is None:
        return pl.DataFrame(schema=ROLES_KEPT)
    for comparison, one in ((own, one) for own in every for one in own.members if not one.mask.all()):
        for reading, whose in _readings(comparison, one, found):
            rows += _rows(comparison, one, reading, whose, found)
    return pl.DataFrame(rows, schema=ROLES_KEPT)


def fisher(has: Bool[np.ndarray, " heads"], kept: Bool[np.ndarray, " heads"]) -> float:
    """The chance that random kept heads, as many, are as unlikely a choice of the heads of a role as these are."""
    table = [[int((a & b).sum()) for b in (kept, ~kept)] for a in (has, ~has)]
    p: Any = stats.fisher_exact(table)[1]
    return float(p)


def _readings(comparison: Comparison, one: KeptHeads, found: HeadAttention) -> Iterator[tuple[Reading, str]]:
    """The readings of a training's model, and of the un-pruned one."""
    for other, whose in ((one, OWN), (comparison.reference(one), UNPRUNED)):
        if other is not None:
            yield from ((reading, whose) for reading in found.readings if reading.model_id == other.domain.model_id)


def _rows(comparison: Comparison, one: KeptHeads, reading: Reading, whose: str, found: HeadAttention) -> Iterator[Any]:
    gated = np.array([str(head.kind) in comparison.kinds for head in one.domain.layout.heads])
    kept, heads, mask = one.mask & gated, int(gated.sum()), one.curve.masks[-1]
    every = members(found.assigned.filter(**reading.names), reading.layout)
    roles = {role: has & gated for role, has in every.items() if (has & gated).any()}
    anew = found.anew[reading](mask) if whose == OWN and mask in reading.masks else None
    p = [fisher(has[gated], kept[gated]) for has in roles.values()]
    corrected = holm(np.array(p))
    for at, (role, has) in enumerate(roles.items()):
        yield {
            "comparison": comparison.name,
            "method": str(one.method),
            "amount": comparison.amount(one),
            "training_id": one.training,
            "seed": one.seed,
            "looked_at": reading.label,
            "of": whose,
            "role": role,
            "members": int(has.sum()),
            "left": int((has & kept).sum()),
            "anew": None if anew is None else int((anew[role] & kept).sum()) if role in anew else 0,
            "kept": int(kept.sum()),
            "heads": heads,
            "share_left": float((has & kept).sum() / has.sum()),
            "share_kept": float(kept.sum() / heads),
            "p": p[at],
            "p_corrected": float(corrected[at]),
        }
