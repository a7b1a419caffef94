"""What gates come to, in sentences that stand on the page and on the terminal; and what makes comparisons unfair."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from analysis.attention_kinds import kind_name
from analysis.defaults import by_metric
from analysis.formatting import decimal, difference_between, p_value
from analysis.gates.comparisons import Comparison
from study.record.errors import listed

Row = Mapping[str, Any]


def kept_words(curves: pl.DataFrame, within: Mapping[str, float] | float) -> Iterator[str]:
    """For each comparison, the fewest heads with which each method loses no more than is allowed."""
    for (comparison,), own in curves.drop_nulls("difference").group_by("comparison", maintain_order=True):
        allowed, unit = by_metric(within, own["metric"][0]), str(own["unit"][0])
        several = curves.filter(comparison=comparison)["updates"].n_unique() > 1
        found: dict[str, Row | None] = {}
        for (method, updates), line in own.group_by("method", "updates", maintain_order=True):
            enough = line.filter(pl.col("difference") >= -allowed).sort("kept").rows(named=True)
            found[f"{method}{_after(updates) if several else ''}"] = enough[0] if enough else None
        good = [f"{name} {_heads(row)}, {_lost(row)}" for name, row in found.items() if row is not None]
        none = [name for name, row in found.items() if row is None]
        least = f"{allowed:g} {unit.removesuffix('s') if allowed == 1 else unit}"
        said = list(good)
        said += [f"none of those tried: {listed(none, most=len(none))}"] if none else []
        yield (
            f"{comparison}: the fewest heads that lose no more than {least} against the un-pruned model trained as "
            f"long: {'; '.join(said)}."
        )


def _after(updates: Any) -> str:
    return "" if updates is None else f" ({updates:,} updates)"


def _heads(row: Row) -> str:
    share = 100 * row["kept"] / row["heads"]
    return f"{decimal(row['kept'], 0 if row['fewest'] == row['most'] else 1)} of {row['heads']} ({share:.0f} %)"


def _lost(row: Row) -> str:
    """A difference from the un-pruned model, with its interval over seeds, or of fewer than five over examples."""
    seeds = row["difference_seeds_low"] is not None
    low, high = (row[f"difference_{'seeds_' if seeds else ''}{end}"] for end in ("low", "high"))
    over = "" if low is None else f" over {row['seeds']} seeds" if seeds else " over examples"
    return f"{difference_between(row['difference'], low, high, row['unit'])}{over}"


def survival_words(survival: pl.DataFrame, alpha: float) -> Iterator[str]:
    """For each method, where more heads survive in every seed than by chance, and how many would by chance."""
    everywhere = survival.filter(pl.col("times") == pl.col("seeds"))
    lengths = dict(everywhere.group_by("comparison").agg(pl.col("updates").n_unique()).iter_rows())
    for (comparison, method, updates), own in everywhere.group_by(
        "comparison", "method", "updates", maintain_order=True
    ):
        where = f"{comparison}, {method}{_after(updates) if lengths[comparison] > 1 else ''}"
        sure = own.filter(pl.col("p_corrected") <= alpha)
        if sure.height:
            said = listed([_survive(row) for row in sure.rows(named=True)], most=sure.height)
            yield f"{where}: every seed keeps {said}."
        else:
            least = p_value(float(own["p_corrected"].min())).removeprefix("= ")  # type: ignore[arg-type]
            yield f"{where}: no more heads survive in every seed than by chance (smallest corrected p {least})."


def _survive(row: Row) -> str:
    sizes = f"{row['fewest']}" if row["fewest"] == row["most"] else f"{row['fewest']} to {row['most']}"
    return (
        f"{row['survive']} of {row['heads']} heads of {kind_name(row['kind'])} with {row['amount']} ({row['seeds']} "
        f"seeds of {sizes}; by chance {decimal(row['chance'], 1)}, p {p_value(row['p_corrected'])}; within layers "
        f"{decimal(row['layers_chance'], 1)}, p {p_value(row['layers_p_corrected'])})"
    )


def warnings(
    every: Sequence[Comparison], kept: pl.DataFrame, differences: pl.DataFrame, tried: pl.DataFrame
) -> Iterator[str]:
    """What makes a comparison unfair or unsafe, a sentence each."""
    for comparison in every:
        own = kept.filter(comparison=comparison.name)
        methods = [method for method in comparison.methods if not method.is_reference]
        if len(methods) > 1 and differences.filter(comparison=comparison.name).is_empty():
            yield (
                f"{comparison.name}: no two methods keep as many heads of each kind, from one seed and after as many "
                f"updates, so that none are compared"
            )
        yield from _unequal_updates(comparison)
        yield from _unequal_trials(comparison.name, own)
        yield from _chosen_on_what_is_scored(comparison, own, tried)
        yield from _undecided(comparison.name, own)


def _unequal_updates(comparison: Comparison) -> Iterator[str]:
    updates: dict[str, set[int]] = {}
    for method, after in comparison.lines:
        updates.setdefault(str(method), set()).update([] if after is None else [after])
    if len({frozenset(own) for own in updates.values()}) > 1:
        told = [f"{method} {_numbers(own)}" for method, own in updates.items()]
        yield (
            f"{comparison.name}: total updates differ ({'; '.join(told)}). Only trainings of equal updates are compared"
        )
    lacking = [str(one.method) for one in comparison.members if comparison.reference(one) is None]
    if lacking:
        yield (
            f"{comparison.name}: there is no un-pruned model of the same seed and updates beside "
            f"{listed(list(dict.fromkeys(lacking)))}; model.training.gates=none trains it"
        )


def _numbers(own: set[int]) -> str:
    return " and ".join(f"{number:,}" for number in sorted(own)) or "unknown"


def _unequal_trials(name: str, kept: pl.DataFrame) -> Iterator[str]:
    counts: dict[str, set[int]] = {}
    for method, number in kept.drop_nulls("trials").select("method", "trials").iter_rows():
        counts.setdefault(method, set()).add(number)
    if len(set().union(*counts.values())) > 1:
        told = [f"{method} {_numbers(own)}" for method, own in counts.items()]
        yield f"{name}: numbers of trials differ ({'; '.join(told)}): the best of more trials looks better by chance"


def _chosen_on_what_is_scored(comparison: Comparison, kept: pl.DataFrame, tried: pl.DataFrame) -> Iterator[str]:
    data = comparison.members[0].domain.data
    ids = [f"-{id_}" for id_ in kept.filter(pl.col("trials") > 1)["training_id"]]
    watched = tried.filter(dev_data=data)["training_id"]
    if any(id_.endswith(tuple(ids)) for id_ in watched if ids):
        yield (
            f"{comparison.name}: trials were chosen on {data}, on which they are compared, so that scores are "
            f"flattered; choose them on a part of the training data"
        )


def _undecided(name: str, kept: pl.DataFrame) -> Iterator[str]:
    for (method,), own in kept.filter(pl.col("undecided") > 0).group_by("method", maintain_order=True):
        amounts = listed(list(dict.fromkeys(own["amount"])))
        yield (
            f"{name}, {method}: up to {own['undecided'].max()} of {own['heads'][0]} gates are undecided at the end "
            f"({amounts}); scores are of gates that are 0 or 1"
        )
