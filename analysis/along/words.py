"""What a line of cells comes to, in a sentence or two that can be quoted."""

import polars as pl

from analysis.effects.head_effects import ALL_KINDS
from analysis.formatting import decimal, unit_name
from study.record.errors import listed
from study.record.units import UnitLevel

PLURALS = {
    "data": "domains",
    "task": "tasks",
    "seed": "seeds",
    "weights_seed": "seeds of the first weights",
    "order_seed": "orders of the training data",
    "epoch": "epochs",
    "precision": "precisions",
    "family": "families",
    "replacement": "replacements",
}
"""What the cells along an axis are called, two or more of them."""

HEADS = UnitLevel.head.plural

NAMED = 8
"""Heads that a sentence names."""

SINGULARS = {"data": "domain", "family": "family"}


def plural(axis: str) -> str:
    """`seeds`, `domains`: what cells along an axis are called."""
    return PLURALS.get(axis, f"values of {axis}")


def singular(axis: str) -> str:
    """`seed`, `domain`."""
    return SINGULARS.get(axis, axis)


def line_name(family: str, held: str) -> str:
    """`toy, toy_matched, epoch 4`: what the cells of a line have in common."""
    return ", ".join(filter(None, (family, held)))


def correlation_words(pairs: pl.DataFrame, axis: str, units: str = HEADS) -> str:
    """What r between every two cells of a line comes to; `pairs` are its rows of `Along.pairs`, `units` their noun."""
    overall = pairs.filter(kind=ALL_KINDS)
    heads, count = overall["heads"].min(), pl.concat([overall["cell_a"], overall["cell_b"]]).n_unique()
    known, measured = overall["true"].drop_nulls(), overall["pearson"].drop_nulls()
    every = f"the two {plural(axis)}" if count == 2 else f"every two of {count} {plural(axis)}"
    if not measured.len():
        return f"There is no correlation between {every}: {overall['reason'][0]}."
    if not known.len():
        shared = overall["groups_shared"].max() or 0
        noise = ", of which noise that they share is a part" if shared else ""  # type: ignore[operator]
        return (
            f"Noise hides whether the effects of {heads} {units} agree between {every}: the true r is not estimable "
            f"(measured r {_range(measured)}{noise})."
        )
    ends = overall.filter(pl.col("true").is_not_null())
    interval = f" ({decimal(ends['true_low'][0])} to {decimal(ends['true_high'][0])})" if ends.height == 1 else ""
    hidden = overall.height - known.len()
    if hidden:
        return (
            f"Noise hides whether the effects of {heads} {units} agree in {hidden} of the {overall.height} pairs of "
            f"{count} {plural(axis)}; in the other{'s' if known.len() > 1 else ''} they correlate with true r "
            f"{_range(known)}{interval}."
        )
    return f"The true effects of {heads} {units} correlate between {every} with r {_range(known)}{interval}."


def head_words(heads: pl.DataFrame, axis: str, alpha: float, units: str = HEADS) -> str:
    """How many heads matter in every cell of a line; `heads` are its rows of `Along.heads`, `units` their noun."""
    count = heads["cells"][0]
    every = heads.filter(pl.col("significant") == pl.col("cells")).height
    nowhere = heads.filter(pl.col("significant") == 0).height
    differ = heads.filter(pl.col("p_corrected") <= alpha).height
    told = f"{every} {'has' if every == 1 else 'have'} a significant effect in {_all(count, axis)}, {nowhere} in none"
    if not heads["p_corrected"].drop_nulls().len():
        return f"Of {heads.height} {units}, {told}."
    differing = f"the effect of {differ or 'none'}"
    return f"Of {heads.height} {units}, {told}; {differing} differs between {plural(axis)} by more than noise."


def selective_words(selective: pl.DataFrame, units: str = HEADS, level: UnitLevel = UnitLevel.head) -> list[str]:
    """Which heads matter on one task and not on another, a sentence for every two; rows of `Along.selective`."""
    several = selective["kind"].n_unique() > 1
    said = []
    for (a, b), own in selective.group_by("cell_a", "cell_b", maintain_order=True):
        told = []
        for here, there in ((a, b), (b, a)):
            found = own.filter(selective=here).sort(pl.col("difference").abs(), descending=True, maintain_order=True)
            names = [unit_name({**row, "level": level}, several) for row in found.rows(named=True)]
            count = f"{len(names)} of {own.height} {units}" if names else "none"
            verb = "matters" if len(names) < 2 else "matter"
            told.append(f"{count} {verb} on {here} and not on {there}{f' ({listed(names, NAMED)})' if names else ''}")
        said.append(f"{'; '.join(told)}.")
    return [f"{sentence[0].upper()}{sentence[1:]}" for sentence in said]


def importance_words(importance: pl.DataFrame, axis: str, units: str = HEADS) -> str:
    """How alike gradients rank heads in every two cells of a line; from its rows of `Along.importance`."""
    overall = importance.filter(kind=ALL_KINDS).drop_nulls("spearman")
    if overall.is_empty():
        return ""
    count = pl.concat([overall["cell_a"], overall["cell_b"]]).n_unique()
    every = f"the two {plural(axis)}" if count == 2 else f"every two of {count} {plural(axis)}"
    return f"The importance of {units} ranks them alike in {every} with Spearman’s ρ {_range(overall['spearman'])}."


def matched_words(matched: pl.DataFrame, axis: str, units: str = HEADS) -> str:
    """What matching the heads of every two cells comes to; `matched` are a line's rows of `Along.matched`."""
    known = matched.drop_nulls("matched")
    if known.is_empty():
        return f"The {units} of these {plural(axis)} cannot be matched: {matched['reason'][0]}."
    own, chance = _percent(known["same_place"]), _percent(known["same_place_by_chance"])
    matched_r, by_size, in_place = (_range(known[name]) for name in ("matched", "by_size", "in_place"))
    return (
        f"The {units} of two {plural(axis)}, matched within their layers by what they do to the same examples, "
        f"correlate with r {matched_r}; matched by size alone, with r {by_size}; at the same place, with r {in_place}. "
        f"{own} of them are matched with the one at their own place, where chance gives {chance}."
    )


def _range(values: pl.Series) -> str:
    low, high = decimal(values.min()), decimal(values.max())  # type: ignore[arg-type]
    return f"= {low}" if low == high else f"from {low} to {high}"


def _percent(values: pl.Series) -> str:
    return f"{100 * float(values.mean()):.0f} %"  # type: ignore[arg-type]


def _all(count: int, axis: str) -> str:
    return f"both {plural(axis)}" if count == 2 else f"all {count} {plural(axis)}"
