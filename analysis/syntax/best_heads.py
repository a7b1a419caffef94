"""The best head of each relation and direction, chosen on one half of the groups and scored on the other, both ways."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int

from analysis.inference.discordant_pairs import PERCENT
from analysis.inference.shares import difference_limits, share_limits
from analysis.syntax.halves import choose, cross_fitted
from analysis.syntax.relation_scores import RelationScores
from analysis.syntax.relation_sums import OFFSETS, Direction

BEST = (
    {"relation": pl.String, "direction": pl.String, "cases": pl.Int64, "groups": pl.Int64}
    | {"first_head": pl.String, "second_head": pl.String}
    | dict.fromkeys(["accuracy", "low", "high"], pl.Float64)
    | {"first_offset": pl.Int64, "second_offset": pl.Int64, "baseline": pl.Float64}
    | dict.fromkeys(["difference", "difference_low", "difference_high", "p", "p_corrected"], pl.Float64)
    | dict.fromkeys(["heads", "heads_above", "heads_voita_points", "heads_voita_relative"], pl.Int64)
    | {"clark_head": pl.String, "clark_accuracy": pl.Float64, "clark_offset": pl.Int64, "clark_baseline": pl.Float64}
    | {"alpha": pl.Float64}
)


def best_heads(scores: RelationScores) -> pl.DataFrame:
    """The best head of every relation and direction.

    Returns:
        Columns relation, direction, cases, groups (with a case); first_head, second_head: the best in each half, whose
        hits in the other half make accuracy (percent), with low and high; first_offset, second_offset and baseline:
        the same of fixed offsets; difference (points), with difference_low and difference_high; p and p_corrected:
        one-sided, of accuracy above the baseline, corrected over these rows; heads: all there are; heads_above,
        heads_voita_points, heads_voita_relative: those of which `relation_scores` says so; clark_head, clark_accuracy,
        clark_offset, clark_baseline: head and offset that are best on all examples, and their accuracies on the same
        ones, as Clark et al. (2019) report them; alpha: what intervals leave out.
    """
    best = choose(scores.sums.hits, scores.half)
    hits = cross_fitted(scores.sums.hits, best, scores.half)
    changes = [hits[:, at] - scores.baseline[:, at, None] for at in scores.scored]
    rows = []
    for at, change, (p, corrected) in zip(scores.scored, changes, scores.tested(changes), strict=True):
        for number, row in enumerate(_rows(scores, at, hits[:, at], change)):
            first, second = (str(scores.heads[head]) for head in best[:, at, number])
            chosen = {"first_head": first, "second_head": second}
            rows.append({**row, **chosen, "p": p[number], "p_corrected": corrected[number]})
    keys, marks = ["relation", "direction"], ["above", "voita_points", "voita_relative"]
    counted = scores.each_head.group_by(keys).agg(**{f"heads_{mark}": pl.col(mark).sum() for mark in marks})
    known = {name: kind for name, kind in BEST.items() if not name.startswith("heads_")}
    table = pl.DataFrame(rows, schema=known).join(counted, on=keys, maintain_order="left")
    return table.select(*BEST).cast(BEST)  # type: ignore[arg-type]


def _rows(
    scores: RelationScores, at: int, hits: Int[np.ndarray, "groups directions"], change: np.ndarray
) -> Iterator[dict[str, Any]]:
    """What is known of a relation in each direction, but for the heads that were chosen and their tests."""
    cases, alpha = scores.sums.cases[:, at], scores.inference.alpha
    low, high = share_limits(hits, cases, alpha)
    below, above = difference_limits(change, cases, alpha)
    count, offsets = int(cases.sum()), scores.sums.offsets[:, at].sum(axis=0)
    for number, direction in enumerate(Direction):
        on_all = scores.sums.hits[:, at, number].sum(axis=0)
        yield {
            "relation": scores.sums.relations[at],
            "direction": str(direction),
            "cases": count,
            "groups": int((cases > 0).sum()),
            "accuracy": PERCENT * hits[:, number].sum() / count,
            "low": low[number],
            "high": high[number],
            "first_offset": int(OFFSETS[scores.offsets[0, at]]),
            "second_offset": int(OFFSETS[scores.offsets[1, at]]),
            "baseline": PERCENT * scores.baseline[:, at].sum() / count,
            "difference": PERCENT * change[:, number].sum() / count,
            "difference_low": below[number],
            "difference_high": above[number],
            "heads": len(scores.heads),
            "clark_head": str(scores.heads[int(on_all.argmax())]),
            "clark_accuracy": PERCENT * on_all.max() / count,
            "clark_offset": int(OFFSETS[offsets.argmax()]),
            "clark_baseline": PERCENT * offsets.max() / count,
            "alpha": alpha,
        }
