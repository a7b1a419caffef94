"""What the gates of a training have become: at each checkpoint, and over the steps.

    <checkpoint>/gates.json      a `GatesRecord`
    <training>/gates.jsonl       a `GatesMoment` a line, by step

Both are copied to `results/trainings/<name>-<id>/`, the first that of the last checkpoint.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from study.record.errors import InputError
from study.record.files import SEAL, read_sealed, short_hash, whole_file, write_sealed
from study.record.units import HeadLayout, parse_mask

GATES_FILE = "gates.json"
COURSE_FILE = "gates.jsonl"

DECIDED = 0.9
"""A gate is decided where it is 0, or where it is 1, with at least this probability."""


@dataclass(frozen=True)
class GatesRecord:
    """The gates of a model at one checkpoint; lists of numbers are in the order of `heads`.

    Attributes:
        method: name of the gates in `conf/gates`.
        options: their options, as the identity of the training has them.
        training: id of the training.
        step: updates that are behind it.
        heads: addresses of the heads that have gates, in the order of a mask.
        kept: mask of the model's heads that stay, heads without a gate among them, a text of 0 and 1.
        log_alpha: the parameter of each gate, of a subset its weight; None where gates are given.
        zero: probability that the gate is 0; None where it has none.
        one: probability that it is 1.
        open: probability that it is not 0.
        undecided: addresses of the heads whose gate is neither 0 nor 1 with a probability of `DECIDED`.
        fractional: addresses of the heads whose gate would be between 0 and 1 by the test-time rule of Voita's code.
    """

    method: str
    options: Mapping[str, Any]
    training: str
    step: int
    heads: tuple[str, ...]
    kept: str
    log_alpha: tuple[float, ...] | None = None
    zero: tuple[float, ...] | None = None
    one: tuple[float, ...] | None = None
    open: tuple[float, ...] | None = None
    undecided: tuple[str, ...] = ()
    fractional: tuple[str, ...] = ()


@dataclass(frozen=True)
class GatesMoment:
    """The gates after a step of the training.

    Attributes:
        step: updates so far.
        open: probability that each gate is not 0; of a subset, its value without noise.
        log_alpha: the parameter of each gate.
        penalty: what the penalty adds to the loss of a batch, in nats; None where there is none.
    """

    step: int
    open: tuple[float, ...]
    log_alpha: tuple[float, ...]
    penalty: float | None = None


def write_gates(record: GatesRecord, path: Path) -> None:
    """Write the gates of a checkpoint."""
    write_sealed(path, asdict(record))


def read_gates(path: Path) -> GatesRecord:
    """The gates of a checkpoint.

    Raises:
        InputError: for a file that cannot be read, or is none.
    """
    if not path.is_file():
        raise InputError(f"there is no record of gates at {path}: `measure=train` with gates writes one")
    try:
        stored = read_sealed(path)
        return GatesRecord(**{name: _as_tuple(value) for name, value in stored.items()})
    except (ValueError, TypeError, OSError) as error:
        raise InputError(f"{path} is no whole record of gates: {error}") from error


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def kept_mask(record: GatesRecord, layout: HeadLayout) -> Bool[np.ndarray, " width"]:
    """The mask of the heads that stay.

    Raises:
        InputError: when the gates are of another model: it has other heads, or another number of them.
    """
    own = set(map(str, layout.heads))
    if absent := [head for head in record.heads if head not in own]:
        raise InputError(
            f"the gates of training {record.training} are of a model that has head {absent[0]}, "
            f"and this one has not ({layout})"
        )
    numbers = {"log_alpha": record.log_alpha, "zero": record.zero, "one": record.one, "open": record.open}
    for name, values in numbers.items():
        if values is not None and len(values) != len(record.heads):
            raise InputError(f"a record of gates has {len(values)} numbers {name} for {len(record.heads)} heads")
    return parse_mask(record.kept, layout)


def write_course(folder: Path, moments: Sequence[GatesMoment]) -> None:
    """Write the whole course of the gates of the training in a folder."""
    lines = [asdict(moment) for moment in moments]
    with whole_file(folder / COURSE_FILE) as draft:
        text = "".join(f"{json.dumps(line)}\n" for line in [*lines, {SEAL: short_hash(lines)}])
        draft.write_text(text, encoding="utf-8")


def read_course(folder: Path) -> list[GatesMoment]:
    """The course of the gates of the training in a folder; empty where there are none.

    Raises:
        InputError: for a file that is none.
    """
    path = folder / COURSE_FILE
    if not path.is_file():
        return []
    try:
        *lines, seal = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if seal != {SEAL: short_hash(lines)}:
            raise ValueError("it was damaged or changed, it is not what its last line says")
        return [
            GatesMoment(line["step"], tuple(line["open"]), tuple(line["log_alpha"]), line["penalty"]) for line in lines
        ]
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise InputError(f"{path} is no whole course of gates: {error}") from error
