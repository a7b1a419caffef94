"""The names of a classifier's outputs, as configured or as its config.json says. Many public ones do not say them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.record.errors import InputError
from study.subjects.labels import EXAMPLE, label_index, unnamed_labels
from study.subjects.model_files import read_json


def label_names(folder: Path, labels: Sequence[str]) -> tuple[str, ...]:
    """The name of each output of the model in a folder: as configured (`labels`), else as its config.json says.

    Raises:
        InputError: when the model has only placeholders (LABEL_0), another number of outputs than names, a name twice,
            or outputs that are no labels of which one is right.
    """
    config = read_json(folder / "config.json")
    own = _own_names(config, folder)
    if len(own) == 1:
        raise InputError(f"{folder} has one output, a number: model=hf_regressor studies it")
    _require_one_of_several(config, folder)
    if labels and len(labels) != len(own):
        raise InputError(f"model.labels names {len(labels)} labels, {folder} has {len(own)} outputs")
    if not labels and any(name.upper().startswith("LABEL_") for name in own):
        raise unnamed_labels(str(folder), own)
    names = tuple(labels) or own
    if len(label_index(names)) < len(names):
        raise InputError(f"two outputs of {folder} have one name ({', '.join(names)}): give each its own, {EXAMPLE}")
    return names


def require_one_output(folder: Path) -> None:
    """Refuse a model of several outputs where a regression is asked for.

    Raises:
        InputError: names the model's outputs.
    """
    own = _own_names(read_json(folder / "config.json"), folder)
    if len(own) > 1:
        raise InputError(f"{folder} has {len(own)} outputs ({', '.join(own)}), a regression has one")


def has_one_output(folder: Path) -> bool:
    """Whether the model in a folder has one output, a number."""
    return len(_own_names(read_json(folder / "config.json"), folder)) == 1


def _own_names(config: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """The names in a config as transformers reads them: placeholders where there are not as many as outputs.

    Configs of 2019 tell the number of outputs alone (`num_labels`, `_num_labels`), or beside two placeholders.
    """
    named = config.get("id2label") or {}
    try:
        named = dict(enumerate(named)) if isinstance(named, list) else {int(i): name for i, name in named.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"id2label in {folder / 'config.json'} is no list of names by number: {named!r}") from error
    own = tuple(str(named[i]) for i in sorted(named))
    placeholders = all(name.upper().startswith("LABEL_") for name in own)
    number = config.get("num_labels") or (config.get("_num_labels") if placeholders else None) or len(own) or 2
    return own if len(own) == number else tuple(f"LABEL_{i}" for i in range(number))


def _require_one_of_several(config: Mapping[str, Any], folder: Path) -> None:
    """Refuse a model that was trained for something else than to choose one of its labels."""
    kind = config.get("problem_type") or "single_label_classification"
    if kind != "single_label_classification":
        raise InputError(
            f"{folder} is a model of {kind} (problem_type in its config.json), but what is studied here chooses one "
            "label for each text. If this model does, take problem_type out of its config.json"
        )
