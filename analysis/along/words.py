"""What a line of cells comes to, in a sentence or two that can be quoted."""

import polars as pl

from analysis.effects.head_effects import ALL_KINDS
from analysis.formatting import decimal

PLURALS = {
    "data": "domains",
    "task": "tasks",
    "seed": "seeds",
    "weights_seed": "seeds of the first weights",
    "order_seed": "orders of the training data",
    "epoch": "epochs",
    "precision": "precisions",
    "family": "families",
}
"""What the cells along an axis are called, two or more of them."""

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


def correlation_words(pairs: pl.DataFrame, axis: str) -> str:
    """What r between every two cells of a line comes to; `pairs` are its rows of `Along.pairs`."""
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
            f"Noise hides whether the effects of {heads} heads agree between {every}: the true r is not estimable "
            f"(measured r {_range(measured)}{noise})."
        )
    ends = overall.filter(pl.col("true").is_not_null())
    interval = f" ({decimal(ends['true_low'][0])} to {decimal(ends['true_high'][0])})" if ends.height == 1 else ""
    hidden = overall.height - known.len()
    if hidden:
        return (
            f"Noise hides whether the effects of {heads} heads agree in {hidden} of the {overall.height} pairs of "
            f"{count} {plural(axis)}; in the other{'s' if known.len() > 1 else ''} they correlate with true r "
            f"{_range(known)}{interval}."
        )
    return f"The true effects of {heads} heads correlate between {every} with r {_range(known)}{interval}."


def head_words(heads: pl.DataFrame, axis: str, alpha: float) -> str:
    """How many heads matter in every cell of a line; `heads` are its rows of `Along.heads`."""
    count = heads["cells"][0]
    every = heads.filter(pl.col("significant") == pl.col("cells")).height
    nowhere = heads.filter(pl.col("significant") == 0).height
    differ = heads.filter(pl.col("p_corrected") <= alpha).height
    told = f"{every} {'has' if every == 1 else 'have'} a significant effect in {_all(count, axis)}, {nowhere} in none"
    if not heads["p_corrected"].drop_nulls().len():
        return f"Of {heads.height} heads, {told}."
    differing = f"the effect of {differ or 'none'}"
    return f"Of {heads.height} heads, {told}; {differing} differs between {plural(axis)} by more than noise."


def matched_words(matched: pl.DataFrame, axis: str) -> str:
    """What matching the heads of every two cells comes to; `matched` are a line's rows of `Along.matched`."""
    known = matched.drop_nulls("matched")
    if known.is_empty():
        return f"The heads of these {plural(axis)} cannot be matched: {matched['reason'][0]}."
    own, chance = _percent(known["same_place"]), _percent(known["same_place_by_chance"])
    return (
        f"The heads of two {plural(axis)}, matched within their layers by what they do to the same examples, correlate "
        f"with r {_range(known['matched'])}; matched by size alone, with r {_range(known['by_size'])}; at the same "
        f"place, with r {_range(known['in_place'])}. {own} of them are matched with the one at their own place, where "
        f"chance gives {chance}."
    )


def _range(values: pl.Series) -> str:
    low, high = decimal(values.min()), decimal(values.max())  # type: ignore[arg-type]
    return f"= {low}" if low == high else f"from {low} to {high}"


def _percent(values: pl.Series) -> str:
    return f"{100 * float(values.mean()):.0f} %"  # type: ignore[arg-type]


def _all(count: int, axis: str) -> str:
    return f"both {plural(axis)}" if count == 2 else f"all {count} {plural(axis)}"
