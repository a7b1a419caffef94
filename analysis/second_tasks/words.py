"""What second tasks come to, in sentences that stand on the page and on the terminal; and what makes them unsafe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from analysis.formatting import decimal, decimals, p_value, score, signed, unit_name
from analysis.inference.seeds import FEWEST_SEEDS
from analysis.second_tasks.comparisons import Comparison
from analysis.second_tasks.earlier import FAILED
from analysis.second_tasks.methods import EARLIER, MODEL_BEFORE, OUTPUT_LAYER, Method
from study.record.errors import listed

Row = Mapping[str, Any]

MOST_NAMED = 6
"""Heads of the largest effects that a sentence names."""


@dataclass(frozen=True)
class Answer:
    """What one number of free heads comes to.

    Attributes:
        where: later and earlier tasks, model, number of free heads.
        said: whether they hold the later task, and what it costs, in sentences.
    """

    where: str
    said: str

    def __str__(self) -> str:
        return f"{self.where}: {self.said}"


def ends(row: Row, name: str) -> tuple[float | None, float | None, str]:
    """The interval of a number that is shown, and what it is over: seeds where five or more have it, else examples."""
    over_seeds = row[f"{name}_seeds_low"] is not None
    low, high = (row[f"{name}_{'seeds_' if over_seeds else ''}{end}"] for end in ("low", "high"))
    return low, high, "" if low is None else "seeds" if over_seeds else "examples"


def with_ends(row: Row, name: str, unit: str) -> str:
    """`+4.20 points (+2.00 to +6.40 over 5 seeds)`: a difference of a row, with what its interval is over."""
    low, high, over = ends(row, name)
    return _amount(row[name], unit) + _between(
        low, high, unit, plural(row["pairs"], "seed") if over == "seeds" else over
    )


def _amount(difference: float, unit: str) -> str:
    """A difference with its unit, which is in the singular of 1."""
    value = signed(difference, decimals(unit))
    return f"{value} {unit.removesuffix('s') if value.lstrip('+−') == f'{1:.{decimals(unit)}f}' else unit}"


def _between(low: float | None, high: float | None, unit: str, over: str) -> str:
    digits = decimals(unit)
    return "" if low is None or high is None else f" ({signed(low, digits)} to {signed(high, digits)} over {over})"


def reference(output_parameters: float) -> str:
    """What gains of a later task are over, by how many numbers its own output layer has."""
    return "the output layer alone" if output_parameters else "the model before"


def plural(number: int, noun: str) -> str:
    """`1 training`, `4 trainings`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def answer_words(curves: pl.DataFrame, earlier: pl.DataFrame, comparison: Comparison) -> Iterator[Answer]:
    """For each number of free heads: do they hold the later task, how much of fine-tuning's gain, what it costs."""
    rows = {
        (row["method"], row["updates"], row["fewest"]): row
        for row in curves.filter(comparison=comparison.name).rows(named=True)
    }
    for number, (method, updates, _) in comparison.main.items():
        row = rows[str(method), updates, number]
        costs = earlier.filter(comparison=comparison.name, method=str(method), at=number, updates=updates)
        said = [_holds(row, comparison.task), *_reached(row), *(_cost(cost) for cost in costs.rows(named=True))]
        share = f"{number} of {comparison.heads} heads free ({100 * number / comparison.heads:.0f} %)"
        yield Answer(f"{comparison.name}, {share}, {method}", " ".join(said))


def _holds(row: Row, task: str) -> str:
    reached = f"{task} reaches {score(row['score'], row['metric'])}"
    if row["gain"] is None and not row["output_parameters"]:
        return f"{reached}."
    if row["gain"] is None:
        return f"{reached}. Whether that is more than its output layer alone reaches is not known."
    against = "its output layer alone" if row["output_parameters"] else "the model before"
    gain = f"{reached}, {with_ends(row, 'gain', row['unit'])} against {against}"
    lows, highs = ([row[f"gain_{over}{end}"] for over in ("", "seeds_")] for end in ("low", "high"))
    if row["gain_low"] is None:
        return f"{gain}."
    if all(low > 0 for low in lows if low is not None):
        return f"Yes, free heads hold some of {task}. {gain}."
    if all(high < 0 for high in highs if high is not None):
        return f"No, it is worse. {gain}."
    return f"It is not shown that free heads hold any of {task}. {gain}."


def _reached(row: Row) -> Iterator[str]:
    if row["reached"] is not None:
        low, high, over = ends(row, "reached")
        between = (
            ""
            if low is None or high is None
            else f" ({decimal(100 * low, 0)} to {decimal(100 * high, 0)} % over {over})"
        )
        yield f"That is {decimal(100 * row['reached'], 0)} % of what all weights gain{between}."


def _cost(row: Row) -> str:
    name = row["task"] if row["task"] == row["data"] else f"{row['task']} on {row['data']}"
    if row["change"] is None:
        return f"What {name} loses is not known: its outcomes before are not stored on the same examples."
    digits = decimals(row["unit"])
    before, after = (decimal(row[f"score_{when}"], digits) for when in ("before", "after"))
    low, high = row["change_low"], row["change_high"]
    if row["change"] == 0 and not low and not high:
        return f"{name} keeps its {before}."
    lost = _amount(row["change"], row["unit"]) + _between(low, high, row["unit"], "examples")
    return f"{name} goes from {before} to {after} with the heads left to it: {lost}."


def proof_words(proofs: pl.DataFrame) -> Iterator[str]:
    """For each earlier task and later one, how many proofs there are that the earlier is kept to the last bit."""
    for (task, later), own in proofs.group_by("task", "later_task", maintain_order=True):
        if (own["verdict"] == FAILED).any():
            continue
        trainings, unlike = own["training_id"].n_unique(), own["unlike"].sum()
        rounded = f" Those differ by {own['largest'].max():.1g} at most, as numbers of a GPU do." if unlike else ""
        yield (
            f"{task} is unchanged by {later}, but for the heads that it gave: {own['rows'].sum():,} outcomes after "
            f"{plural(trainings, 'training')} were compared with those of its masked model, {unlike:,} unlike.{rounded}"
        )


def failure_words(proofs: pl.DataFrame) -> Iterator[str]:
    """Every proof that has failed."""
    for row in proofs.filter(verdict=FAILED).rows(named=True):
        yield (
            f"{row['task']} is NOT what it was: after {row['later_task']} (training {row['training_id']}) "
            f"{row['unlike']:,} of {row['rows']:,} outcomes on {row['domain']} differ from those of its masked model "
            f"({row['masked']}), by up to {row['largest']:.3g}"
        )


def head_words(tests: pl.DataFrame, heads: pl.DataFrame, alpha: float) -> Iterator[str]:
    """For each later task whose single heads were removed, whether the heads that were taught are those that matter."""
    keys = ["task", "family", "data", "method", "updates", "freed"]
    for row in tests.rows(named=True):
        own = heads.filter(**{key: row[key] for key in keys}).sort("rank")
        digits, several = decimals(row["unit"]), own["kind"].n_unique() > 1
        seeds = f", {row['seeds']} seeds" if row["seeds"] > 1 else ""
        on = "" if row["data"] == row["task"] else f" on {row['data']}"
        where = f"{row['task']}{on} ({row['family']}, {row['method']}, {row['freed']} heads{seeds})"
        if row["difference"] is None:
            yield f"{where}: it was taught to every head that is on."
            continue
        sizes = (
            f"removing a taught head changes the score by {decimal(row['taught_size'], digits)} {row['unit']}, another "
            f"by {decimal(row['others_size'], digits)}"
        )
        top = own.head(MOST_NAMED).rows(named=True)
        named = listed([unit_name(x, several) + ("" if x["taught"] else " (not taught)") for x in top], most=MOST_NAMED)
        yield f"{where}: {_matter(row, alpha)}; {sizes}{_chance(row)}. The largest effects: {named}."


def _matter(row: Row, alpha: float) -> str:
    if row["p"] is None or row["p"] > alpha:
        return "it is not shown that the taught heads matter more than others of their layers, or less"
    more = row["difference"] > row["by_chance"]
    return f"the taught heads matter {'more' if more else 'less'} than others of their layers"


def _chance(row: Row) -> str:
    if row["p"] is None:
        return ""
    how = "exact" if row["exact"] else f"{row['arrangements']:,} draws"
    return f" (permutation within layers, {how}: p {p_value(row['p'])})"


def warnings(every: Sequence[Comparison]) -> Iterator[str]:
    """What makes a comparison unfair or unsafe, a sentence each."""
    for comparison in every:
        yield from _unequal_updates(comparison)
        yield from _lacking(comparison)
        yield from _unlike_controls(comparison)
        yield from _starts(comparison)
        yield from _few_seeds(comparison)
        yield from _unproved(comparison)
        yield from _chosen_on_what_is_compared(comparison)


def _unequal_updates(comparison: Comparison) -> Iterator[str]:
    found: dict[str, set[int]] = {}
    for method, updates, _ in comparison.points:
        found.setdefault(str(method), set()).add(updates)
    if len({frozenset(own) for own in found.values()}) > 1:
        told = [f"{method} {' and '.join(f'{x:,}' for x in sorted(own))}" for method, own in found.items()]
        yield f"{comparison.name}: updates differ ({'; '.join(told)}). Only trainings of equal updates are paired"


def _lacking(comparison: Comparison) -> Iterator[str]:
    has_own = any(one.record.output_parameters for one in comparison.members)  # a translator has none
    for updates in comparison.updates if has_own else ():
        if not comparison.controls(OUTPUT_LAYER, updates):
            yield (
                f"{comparison.name}: no training of the output layer alone after {updates:,} updates, so that nobody "
                f"knows what the model could do before it was taught; model.training.reuse=output_layer trains it"
            )


def _unlike_controls(comparison: Comparison) -> Iterator[str]:
    lacking = {
        str(method): None
        for (method, updates, _), own in comparison.points.items()
        if comparison.controls(OUTPUT_LAYER, updates) and not comparison.output_layer(own[0])
    }
    if lacking:
        yield (
            f"{comparison.name}: no gain is given of {listed(list(lacking))}: trainings of the output layer alone "
            f"differ among themselves, and none has the options of these"
        )


def _starts(comparison: Comparison) -> Iterator[str]:
    starts: dict[int | None, set[str | None]] = {}
    for one in comparison.members:
        if one.method.body == EARLIER and one.method.name != MODEL_BEFORE:
            own = {place.initial for place in one.outcomes.domain.factors if place.seed in (one.record.seed, None)}
            starts.setdefault(one.record.seed, set()).update(own - {None})
    if any(len(own) > 1 for own in starts.values()):
        yield f"{comparison.name}: trainings of one seed did not start from the same weights"


def _few_seeds(comparison: Comparison) -> Iterator[str]:
    seeds: dict[Method, int] = {}
    for (method, *_), members in comparison.points.items():
        if method.name == MODEL_BEFORE:
            continue
        seeds[method] = min(seeds.get(method, len(members)), len({one.record.seed for one in members}))
    few = {str(method): number for method, number in seeds.items() if number < FEWEST_SEEDS}
    if few:
        alike = len(few) == len(seeds) and len(set(few.values())) == 1
        told = [f"{next(iter(few.values()))} of each method"] if alike else [f"{own} {few[own]}" for own in few]
        yield (
            f"{comparison.name}: fewer than {FEWEST_SEEDS} seeds ({', '.join(told)}). Intervals of these are over "
            f"examples, and say nothing of other seeds"
        )


def _unproved(comparison: Comparison) -> Iterator[str]:
    lacking = [one for one in comparison.members if one.before and one.may_cost and not one.earlier]
    if lacking:
        named = listed(list(dict.fromkeys(str(one.method) for one in lacking)))
        before = listed(list(comparison.before))
        yield (
            f"{comparison.name}: what {before} loses was not measured after "
            f"{plural(len(lacking), 'training')} ({named}); "
            f"measure=second_task on the data of {before}, with model.task_name={comparison.before[-1]}, does it"
        )


def _chosen_on_what_is_compared(comparison: Comparison) -> Iterator[str]:
    found = {(task.name, task.after.domain.data): None for one in comparison.members for task in one.earlier}
    for name, data in found:
        if any(one.order_data == data for one in comparison.members):
            yield (
                f"{comparison.name}: free heads were chosen on {data}, on which {name} is scored, so that what it "
                f"loses looks too small; choose them on training data"
            )
