"""The course of a training as a small file, for curves: `history.jsonl`, a JSON object a line, by step.

    {"step": 50, "epoch": 0.12, "learning_rate": 1e-05, "loss": 1.1, "dev_loss": null, "dev_score": null, "seconds": 41}

step           updates of the weights so far
epoch          passes over the training data so far
learning_rate  of the last of these updates
loss           mean training loss since the record before, nats (an example, of a translation a token); null at step 0
dev_loss       mean loss on the dev data, likewise; null where it was not evaluated
dev_score      of a classifier its accuracy on the dev data in percent; null where it was not evaluated
seconds        of training so far, by this machine's clock; not the same in two runs

The file is written whole each time, so a reader never sees half a line.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from study.errors import InputError
from study.files import whole_file

HISTORY_FILE = "history.jsonl"


@dataclass(frozen=True)
class Record:
    """One line of the history; see above."""

    step: int
    epoch: float
    learning_rate: float
    loss: float | None
    dev_loss: float | None
    dev_score: float | None
    seconds: float


def write_history(folder: Path, records: Sequence[Record]) -> None:
    """Write the whole history of the training in a folder."""
    with whole_file(folder / HISTORY_FILE) as draft:
        draft.write_text("".join(f"{json.dumps(asdict(record))}\n" for record in records), encoding="utf-8")


def read_history(folder: Path) -> list[Record]:
    """The history of the training in a folder; empty before its first record.

    Raises:
        InputError: for a file that is no history.
    """
    path = folder / HISTORY_FILE
    if not path.is_file():
        return []
    try:
        return [Record(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is no history of a training: {error}") from error
