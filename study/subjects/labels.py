"""What the outputs of a classifier are called. Public checkpoints order them differently, and many do not say how."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from study.errors import InputError


def label_names(folder: Path, labels: Sequence[str]) -> tuple[str, ...]:
    """The name of each output of the model in a folder: as configured (`labels`), else as its config.json says.

    Raises:
        InputError: when the model has only placeholders (LABEL_0), or another number of outputs than names.
    """
    id2label = json.loads((folder / "config.json").read_text()).get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    own = tuple(id2label[i].lower() for i in sorted(id2label, key=int))
    if labels:
        if len(labels) != len(own):
            raise InputError(f"model.labels names {len(labels)} labels, {folder} has {len(own)} outputs")
        return tuple(labels)
    if any(name.startswith("label_") for name in own):
        raise InputError(
            f"{folder} does not name its labels ({', '.join(own)}): give their order, for example "
            "model.labels=[contradiction,entailment,neutral]; a wrong order is noticed by the base score"
        )
    return own


def better_label_order(
    gold: Sequence[str], predicted: Sequence[str], labels: tuple[str, ...], *, by: float = 0.1
) -> tuple[str, ...] | None:
    """Another order of the model's labels under which its accuracy is higher by more than `by`, if there is one."""
    counts = Counter(zip(predicted, gold, strict=True))
    right = np.array([[counts[output, label] for label in labels] for output in labels])
    outputs, order = linear_sum_assignment(right, maximize=True)
    gain = right[outputs, order].sum() - right.trace()
    return tuple(labels[int(i)] for i in order) if gain > by * len(gold) else None
