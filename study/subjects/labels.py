"""What the outputs of a classifier are called. Public checkpoints order them differently, and many do not say how."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from study.errors import InputError


def label_names(folder: Path, labels: Sequence[str]) -> tuple[str, ...]:
    """The name of each output of the model in a folder: as configured (`labels`), else as its config.json says.

    Raises:
        InputError: when the model has only placeholders (LABEL_0), or another number of outputs than names.
    """
    id2label = json.loads((folder / "config.json").read_text()).get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    own = tuple(id2label[i] for i in sorted(id2label, key=int))
    if labels:
        if len(labels) != len(own):
            raise InputError(f"model.labels names {len(labels)} labels, {folder} has {len(own)} outputs")
        return tuple(labels)
    if any(name.upper().startswith("LABEL_") for name in own):
        raise InputError(
            f"{folder} does not name its labels ({', '.join(own)}): give their order, for example "
            "model.labels=[contradiction,entailment,neutral]; a wrong order is noticed by the base score"
        )
    return own


def label_index(labels: Sequence[str]) -> dict[str, int]:
    """The output of each label name, in lower case: data sets and models do not agree on capitals."""
    return {label.casefold(): i for i, label in enumerate(labels)}


def require_labels(targets: Collection[str], labels: Sequence[str]) -> None:
    """Refuse targets that are no labels of the model.

    Raises:
        InputError: names them.
    """
    index = label_index(labels)
    unknown = sorted(target for target in set(targets) if target.casefold() not in index)
    if unknown:
        raise InputError(f"labels {unknown} are not the model's, which has {list(labels)}")


FEWEST = 100
"""Examples below which no order of labels is called better than another."""


def better_label_order(
    gold: Sequence[int], predicted: Sequence[int], labels: Sequence[str], *, by: float = 0.1
) -> tuple[str, ...] | None:
    """Another order of the model's labels that would make far more of its predictions right, if there is one.

    Args:
        gold: index of the right label of each example.
        predicted: output that the model chose.
        labels: name of each output, as now.
        by: gain in accuracy from which another order is far better.

    Returns:
        The names in the better order; None where there is none, or too little to tell: fewer than `FEWEST` examples, or
        of one label only.
    """
    if len(gold) < FEWEST or len(set(gold)) < 2:
        return None
    from scipy.optimize import linear_sum_assignment  # takes half a second, which `study list` should not wait for

    right = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(right, (np.asarray(predicted), np.asarray(gold)), 1)
    outputs, order = linear_sum_assignment(right, maximize=True)
    gain = right[outputs, order].sum() - right.trace()
    return tuple(labels[int(i)] for i in order) if gain > by * len(gold) else None
