"""What later tasks score: each training by itself, the seeds of a method together, and controls beside free heads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from analysis.inference.seeds import ENDS, Draws, over_examples, over_seeds
from analysis.results.domain import IDENTITY
from analysis.second_tasks.comparisons import Comparison, Point, by_seed, paired
from analysis.second_tasks.later_trainings import LaterTraining
from analysis.second_tasks.reached import share_reached

ABOUT = dict.fromkeys(["comparison", "metric", "unit", "method"], pl.String)
"""What a row is of."""

COUNTS = dict.fromkeys(["freed", "heads", "parameters", "output_parameters"], pl.Int64)

LATER = (
    {"comparison": pl.String}
    | dict.fromkeys([*IDENTITY, "metric", "unit", "method", "training_id"], pl.String)
    | dict.fromkeys(["seed", "updates"], pl.Int64)
    | COUNTS
    | dict.fromkeys([f"{name}{end}" for name in ("score", "loss", "gain") for end in ENDS[:3]], pl.Float64)
    | {"alpha": pl.Float64}
)

CURVES = (
    ABOUT
    | {"short": pl.String, "name": pl.String, "by_heads": pl.Boolean, "main": pl.Boolean}
    | dict.fromkeys(["updates", "seeds", "pairs"], pl.Int64)
    | {"freed": pl.Float64, "fewest": pl.Int64, "most": pl.Int64, "heads": pl.Int64, "share": pl.Float64}
    | dict.fromkeys(["parameters", "output_parameters"], pl.Float64)
    | dict.fromkeys([f"{name}{end}" for name in ("score", "loss", "gain", "reached") for end in ENDS], pl.Float64)
    | {"alpha": pl.Float64}
)

CONTROLS = (
    ABOUT
    | {"short": pl.String, "main": pl.Boolean, "at": pl.Int64, "heads": pl.Int64, "updates": pl.Int64}
    | {"seeds": pl.Int64, "which": pl.String, "parameters": pl.Float64, "score": pl.Float64}
    | dict.fromkeys([f"difference{end}" for end in ENDS], pl.Float64)
    | {"deviation": pl.Float64, "alpha": pl.Float64}
)

PAIRS = ABOUT | {"at": pl.Int64, "updates": pl.Int64, "seed": pl.Int64, "difference": pl.Float64}


def later_table(comparison: Comparison) -> pl.DataFrame:
    """One row for each training of a later task.

    Returns:
        Columns comparison, those of the domain, metric, unit; method, training_id, seed, updates; freed: heads that
        were free, null where its method knows nothing of free heads, heads: that the model has; parameters: numbers
        that moved, those of the output layer among them, output_parameters; score, loss (mean over examples, nats),
        gain (the score less that of the output layer alone of the same seed and updates, or of the model before, where
        there is no such layer),
        each with a paired interval over examples; alpha: what intervals leave out.
    """
    return pl.DataFrame([_later_row(comparison, one) for one in comparison.members], schema=LATER)


def _later_row(comparison: Comparison, one: LaterTraining) -> dict[str, Any]:
    alpha, record = comparison.alpha, one.record
    reference = comparison.reference(one)
    gains = {} if one in reference else paired([one], reference)
    numbers = {
        "score": one.outcomes.scores,
        "loss": one.outcomes.losses,
        "gain": next(iter(gains.values()), None),
    }
    return {
        "comparison": comparison.name,
        **one.outcomes.domain.identity,
        "metric": comparison.metric.name,
        "unit": comparison.metric.unit,
        "method": str(one.method),
        "training_id": one.id,
        "seed": record.seed,
        "updates": record.updates,
        "freed": one.freed if one.method.by_heads else None,
        "heads": one.heads,
        "parameters": record.parameters,
        "output_parameters": record.output_parameters,
        **{key: value for name, draws in numbers.items() for key, value in number(name, draws, alpha).items()},
        "alpha": alpha,
    }


def number(name: str, draws: Draws | None, alpha: float) -> dict[str, float | None]:
    """A number with its interval over examples."""
    low, high = (None, None) if draws is None else over_examples(draws, alpha)
    return {name: None if draws is None else float(draws[0]), f"{name}_low": low, f"{name}_high": high}


def over_both(name: str, seeds: Mapping[int | None, Draws], alpha: float) -> dict[str, float | None]:
    """The mean over seeds with its intervals, over examples and over seeds."""
    mean = np.mean(list(seeds.values()), axis=0) if seeds else None
    low, high = over_seeds([float(draws[0]) for draws in seeds.values()], alpha)
    return {**number(name, mean, alpha), f"{name}_seeds_low": low, f"{name}_seeds_high": high}


def curve_table(comparison: Comparison) -> pl.DataFrame:
    """The capacity curve: a row for each method, number of updates and number of free heads; means over seeds.

    Returns:
        Columns comparison, metric, unit, method; short: its name in figures, name: as in `conf/reuse`; by_heads:
        whether it depends on which heads are free, main: whether controls are held against it; updates, seeds, pairs:
        seeds that have what gains are over beside it; freed: the mean number of free heads, fewest, most, heads,
        share: freed of all heads; parameters, output_parameters: means; score, loss, gain (over the output layer alone
        or the model before, of the same seeds),
        reached (`share_reached`): each with an interval over examples, the seeds held, and one over
        seeds, the examples held, null of fewer than five; alpha.
    """
    rows = [_curve_row(comparison, point, members) for point, members in comparison.points.items()]
    return pl.DataFrame(rows, schema=CURVES)


def _curve_row(comparison: Comparison, point: Point, members: Sequence[LaterTraining]) -> dict[str, Any]:
    (method, updates, _), alpha = point, comparison.alpha
    freed, base = [one.freed for one in members], comparison.reference(members[0])
    gains = {} if members is base else paired(members, base)
    best = comparison.fine_tuning(members[0])
    whole = {} if members is best else paired(best, base)
    scores = by_seed(members)
    return {
        "comparison": comparison.name,
        "metric": comparison.metric.name,
        "unit": comparison.metric.unit,
        "method": str(method),
        "short": method.short,
        "name": method.name,
        "by_heads": method.by_heads,
        "main": method.is_main,
        "updates": updates,
        "seeds": len(scores),
        "pairs": len(gains),
        "freed": float(np.mean(freed)),
        "fewest": min(freed),
        "most": max(freed),
        "heads": comparison.heads,
        "share": float(np.mean(freed)) / comparison.heads,
        "parameters": float(np.mean([one.record.parameters for one in members])),
        "output_parameters": float(np.mean([one.record.output_parameters for one in members])),
        **over_both("score", scores, alpha),
        **over_both("loss", by_seed(members, "losses"), alpha),
        **over_both("gain", gains, alpha),
        **share_reached(gains, whole, alpha),
        "alpha": alpha,
    }


def control_tables(comparison: Comparison) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every method beside the free heads, at each number of them: means over seeds, and seed by seed.

    What does not depend on which heads are free stands beside each number. Only trainings of equal updates are paired.

    Returns:
        Columns comparison, metric, unit, method, short, main; at: how many heads are free, heads: of all; updates,
        seeds, which (the seeds); parameters: numbers that moved; score; difference: from the free heads, seed by seed,
        with an interval over examples and one over seeds, null of these themselves; deviation: its standard deviation
        over seeds, null of one; alpha. Then the differences of single seeds.
    """
    rows, pairs = [], []
    for at, main, point in _beside(comparison):
        members = comparison.points[point]
        differences = {} if point == main else paired(members, comparison.points[main])
        if differences or point == main:
            rows.append(_control_row(comparison, at, point, differences))
            about = {name: rows[-1][name] for name in (*ABOUT, "at", "updates")}
            pairs += [about | {"seed": seed, "difference": float(own[0])} for seed, own in differences.items()]
    return pl.DataFrame(rows, schema=CONTROLS), pl.DataFrame(pairs, schema=PAIRS)


def _beside(comparison: Comparison) -> Iterator[tuple[int, Point, Point]]:
    """Each number of free heads, the free heads themselves, and every method that stands beside them."""
    for at, main in comparison.main.items():
        for point in comparison.points:
            method, updates, number = point
            fits = number == at if method.by_heads else number is None
            if updates == main[1] and fits:
                yield at, main, point


def _control_row(comparison: Comparison, at: int, point: Point, differences: Mapping[int | None, Draws]) -> Any:
    members, single = comparison.points[point], [float(draws[0]) for draws in differences.values()]
    seeds = list(differences or by_seed(members))
    return {
        "comparison": comparison.name,
        "metric": comparison.metric.name,
        "unit": comparison.metric.unit,
        "method": str(point[0]),
        "short": point[0].short,
        "main": not differences,
        "at": at,
        "heads": comparison.heads,
        "updates": point[1],
        "seeds": len(seeds),
        "which": ", ".join(map(str, seeds)),
        "parameters": float(np.mean([one.record.parameters for one in members])),
        "score": float(np.mean([draws[0] for draws in by_seed(members).values()])),
        **over_both("difference", differences, comparison.alpha),
        "deviation": float(np.std(single, ddof=1)) if len(single) > 1 else None,
        "alpha": comparison.alpha,
    }
