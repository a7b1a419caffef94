"""What the outputs of a classifier are called. Public checkpoints order them differently, and many do not say how."""

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from study.record.errors import InputError

EXAMPLE = "for example 'model.labels=[contradiction,entailment,neutral]'"
PLAIN_NAME = re.compile(r"(?!(?i:true|false|null|nan|inf)$)[A-Za-z_][\w-]*", re.ASCII)
"""A label that needs no quotes in an override."""


def unnamed_labels(model: str, names: Sequence[str]) -> InputError:
    """The error for a model whose config names no labels."""
    return InputError(
        f"{model} does not name its labels ({', '.join(names)}): give their order, {EXAMPLE}; a wrong order is noticed "
        "by the base score"
    )


def as_override(labels: Sequence[str]) -> str:
    """The labels as an argument of the command line, quoted for a shell."""
    names = [name if PLAIN_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False) for name in labels]
    return shlex.quote(f"model.labels=[{','.join(names)}]")


def label_index(labels: Sequence[str]) -> dict[str, int]:
    """The output of each label name, in lower case: data sets and models do not agree on capitals."""
    return {label.casefold(): i for i, label in enumerate(labels)}


def outputs_by_label(labels: Sequence[str], merged: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """The outputs that are right for each label of the data, in lower case.

    Args:
        labels: name of each output of the model.
        merged: what the data calls labels that it does not tell from another.
    """
    names = {label.casefold(): name.casefold() for label, name in merged.items()}
    outputs: dict[str, tuple[int, ...]] = {}
    for i, label in enumerate(labels):
        name = names.get(label.casefold(), label.casefold())
        outputs[name] = (*outputs.get(name, ()), i)
    return outputs


def require_labels(targets: Collection[str], labels: Sequence[str], merged: Mapping[str, str] | None = None) -> None:
    """Refuse targets that are no labels of the model; `merged` as in `outputs_by_label`.

    Raises:
        InputError: names them.
    """
    index = outputs_by_label(labels, merged or {})
    unknown = sorted(target for target in set(targets) if target.casefold() not in index)
    if unknown and all(label.isdecimal() for label in labels):
        raise unnamed_labels("the model", labels)
    if unknown:
        raise InputError(
            f"labels {unknown} are not the model's, which has {list(labels)}{_if_numbers(targets, labels)}"
        )


def _if_numbers(targets: Collection[str], labels: Sequence[str]) -> str:
    """The way out where targets may be the numbers of the outputs, as in most published files; else nothing."""
    numbers = [str(i) for i in range(len(labels))]
    if not set(targets) <= set(numbers):
        return ""
    return f". If they are the numbers of these, say {as_override(numbers)}; else the numbers in the model's order"


FEWEST = 100
"""Examples below which no order of labels is called better than another."""

FAR_BETTER = 0.1
"""Gain in accuracy above which another order is far better."""

AS_GOOD = 0.01
"""Share of the examples by which an order may be worse than the best one and still be as good."""


def why_no_order_is_better(gold: Sequence[int]) -> str:
    """Why these right labels cannot tell in which order a model's labels are, in words; empty where they can."""
    if len(gold) < FEWEST:
        return f"{len(gold)} examples are too few, it takes {FEWEST}"
    return "all examples have one label" if len(set(gold)) < 2 else ""


def better_label_orders(gold: Sequence[int], predicted: Sequence[int], labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Other orders of the model's labels that would make far more of its predictions right.

    Args:
        gold: index of the right label of each example.
        predicted: output that the model chose.
        labels: name of each output, as now.

    Returns:
        The names in the best order, then one that is as good where there is one: then the examples do not tell which is
        right. Nothing where no order is far better, or the examples cannot tell (`why_no_order_is_better`).
    """
    if why_no_order_is_better(gold):
        return []
    right = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(right, (np.asarray(predicted), np.asarray(gold)), 1)
    best = _best_order(right)
    number = _number_right(right, best)
    if number - right.trace() <= FAR_BETTER * len(gold):
        return []
    others = [_best_order(_without(right, output, int(label))) for output, label in enumerate(best)]
    other = max(others, key=lambda order: _number_right(right, order))
    as_good = _number_right(right, other) >= number - AS_GOOD * len(gold)
    return [tuple(labels[int(i)] for i in order) for order in ([best, other] if as_good else [best])]


def _best_order(right: Int[np.ndarray, "outputs labels"]) -> Int[np.ndarray, " outputs"]:
    """The label of each output with which most predictions are right."""
    from scipy.optimize import linear_sum_assignment  # takes half a second, which `study list` should not wait for

    return linear_sum_assignment(right, maximize=True)[1]


def _number_right(right: Int[np.ndarray, "outputs labels"], order: Int[np.ndarray, " outputs"]) -> int:
    return int(right[np.arange(len(order)), order].sum())


def _without(right: Int[np.ndarray, "outputs labels"], output: int, label: int) -> Int[np.ndarray, "outputs labels"]:
    """These numbers, changed so that no best order gives this label to this output."""
    changed = right.copy()
    changed[output, label] = -right.sum() - 1
    return changed
