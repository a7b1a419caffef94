"""What trainings score with the heads that they keep: each by itself, and the seeds of a method together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from analysis.gates.by_seed import seed_means
from analysis.gates.comparisons import Comparison
from analysis.gates.kept_heads import HARD_CONCRETE, KeptHeads
from analysis.inference.seeds import Draws, over_examples, over_seeds
from analysis.results.domain import IDENTITY

UNSURE = ("undecided", "fractional")
"""Numbers of gates that are not 0 or 1 for certain, which Hard Concrete ones alone can be."""

ENDS = ("", "_low", "_high")

KEPT = (
    {"comparison": pl.String}
    | dict.fromkeys([*IDENTITY, "metric", "unit", "method", "amount", "training_id"], pl.String)
    | dict.fromkeys(["seed", "updates"], pl.Int64)
    | {"weights": pl.String, "scratch": pl.Boolean, "kept": pl.Int64, "heads": pl.Int64, "by_kind": pl.String}
    | dict.fromkeys(UNSURE, pl.Int64)
    | dict.fromkeys(["score", "score_low", "score_high", "loss", "unpruned_score"], pl.Float64)
    | dict.fromkeys([f"difference{end}" for end in ENDS], pl.Float64)
    | {"trials": pl.Int64, "chosen": pl.Boolean, "alpha": pl.Float64}
)

CURVES = (
    dict.fromkeys(["comparison", "metric", "unit", "method", "gates", "order", "amount"], pl.String)
    | {"reference": pl.Boolean, "updates": pl.Int64, "seeds": pl.Int64}
    | {"kept": pl.Float64, "fewest": pl.Int64, "most": pl.Int64, "heads": pl.Int64}
    | dict.fromkeys([f"{name}{end}" for name in ("score", "difference") for end in ENDS], pl.Float64)
    | dict.fromkeys([f"{name}_seeds{end}" for name in ("score", "difference") for end in ENDS[1:]], pl.Float64)
    | {"alpha": pl.Float64}
)


def kept_table(comparison: Comparison, tried: pl.DataFrame) -> pl.DataFrame:
    """One row for each training whose kept heads were scored.

    Args:
        comparison: the trainings.
        tried: `analysis.gates.trials.trials`.

    Returns:
        Columns comparison, those of the domain, metric, unit; method, amount (lambda, or heads), training_id, seed,
        updates, weights, scratch; kept, heads (of the kinds that have gates), by_kind; undecided: gates that are
        neither 0 nor 1 with a probability of .9, fractional: gates that Voita's code would leave between 0 and 1; score
        with its interval over examples; loss: mean over examples, nats; unpruned_score, difference: from that of the
        un-pruned model trained equally long from the same seed, with a paired interval over examples, null where there
        is none; trials, chosen: see `trials`; alpha: what intervals leave out.
    """
    return pl.DataFrame([_kept_row(comparison, one, tried) for one in comparison.members], schema=KEPT)


def _kept_row(comparison: Comparison, one: KeptHeads, tried: pl.DataFrame) -> dict[str, Any]:
    domain, reference, alpha = one.domain, comparison.reference(one), one.inference.alpha
    trial = next(tried.filter(pl.col("training_id").str.ends_with(f"-{one.training}")).iter_rows(named=True), {})
    return {
        "comparison": comparison.name,
        **domain.identity,
        "metric": domain.metric.name,
        "unit": domain.metric.unit,
        "method": str(one.method),
        "amount": comparison.amount(one),
        "training_id": one.training,
        "seed": one.seed,
        "updates": one.updates,
        "weights": one.method.weights,
        "scratch": one.method.scratch,
        "kept": comparison.kept(one),
        "heads": comparison.heads,
        "by_kind": comparison.by_kind(one),
        **{name: one.options.get(name) if one.method.name == HARD_CONCRETE else None for name in UNSURE},
        **_number("score", one.scores, alpha),
        "loss": one.loss,
        "unpruned_score": None if reference is None else float(reference.scores[0]),
        **_number("difference", None if reference in (None, one) else one.scores - reference.scores, alpha),
        "trials": trial.get("trials"),
        "chosen": trial.get("chosen"),
        "alpha": alpha,
    }


def curve_table(comparison: Comparison) -> pl.DataFrame:
    """Heads kept against score: one row for each method, updates and lambda or number of heads; means over seeds.

    Returns:
        Columns comparison, metric, unit, method, gates, order (what the method is made of), amount, reference (whether
        it is the un-pruned model that others are held against), updates, seeds; kept: the mean over seeds, fewest,
        most, heads (of the kinds that have gates); score: the mean over seeds, with an interval over examples, the
        seeds held, and one over seeds, the examples held (score_seeds_low, ...), null of fewer than five; difference:
        from the un-pruned models of the same seeds, null unless each seed has one; alpha: what intervals leave out.
    """
    rows = []
    for (_, updates), members in comparison.lines.items():
        amounts: dict[tuple[bool, float, str], list[KeptHeads]] = {}
        for one in members:
            size = float(comparison.kept(one)) if one.penalty is None else -one.penalty
            amounts.setdefault((one.penalty is not None, size, one.variant), []).append(one)
        rows += [_curve_row(comparison, amounts[by], updates) for by in sorted(amounts)]
    return pl.DataFrame(rows, schema=CURVES)


def _curve_row(comparison: Comparison, members: Sequence[KeptHeads], updates: int | None) -> dict[str, Any]:
    first, kept = members[0], [comparison.kept(one) for one in members]
    metric, alpha = first.domain.metric, first.inference.alpha
    return {
        "comparison": comparison.name,
        "metric": metric.name,
        "unit": metric.unit,
        "method": str(first.method),
        "gates": first.method.name,
        "order": first.method.order,
        "amount": comparison.amount(first),
        "reference": first.method.is_reference,
        "updates": updates,
        "kept": float(np.mean(kept)),
        "fewest": min(kept),
        "most": max(kept),
        "heads": comparison.heads,
        **_over_both("score", seed_means(members), alpha),
        **_over_both("difference", _against(comparison, members), alpha),
        "seeds": len(seed_means(members)),
        "alpha": alpha,
    }


def _against(comparison: Comparison, members: Sequence[KeptHeads]) -> dict[int | None, Draws]:
    """The differences of each seed from its un-pruned model; none where a seed has none, or these are un-pruned."""
    references = {one.seed: comparison.reference(one) for one in members}
    if any(reference is None or reference in members for reference in references.values()):
        return {}
    return {seed: own - references[seed].scores for seed, own in seed_means(members).items()}  # type: ignore[union-attr]


def _over_both(name: str, by_seed: dict[int | None, Draws], alpha: float) -> dict[str, float | None]:
    """The mean over seeds with both of its intervals."""
    mean = np.mean(list(by_seed.values()), axis=0) if by_seed else None
    low, high = over_seeds([float(draws[0]) for draws in by_seed.values()], alpha)
    return {**_number(name, mean, alpha), f"{name}_seeds_low": low, f"{name}_seeds_high": high}


def _number(name: str, draws: Draws | None, alpha: float) -> dict[str, float | None]:
    """A number with its interval over examples."""
    low, high = (None, None) if draws is None else over_examples(draws, alpha)
    return {name: None if draws is None else float(draws[0]), f"{name}_low": low, f"{name}_high": high}
