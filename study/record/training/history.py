"""The course of a training as a small file, for curves: `history.jsonl`, a JSON object a line, by step.

    {"step": 50, "epoch": 0.12, "learning_rate": 1e-05, "loss": 1.1, "dev_loss": null, "dev_score": null, "seconds": 41}

step           updates of the weights so far
epoch          passes over the training data so far
learning_rate  of the last of these updates
loss           mean training loss since the record before, nats (an example, of text a token); null at step 0
dev_loss       mean loss on the dev data, likewise; null where it was not evaluated
dev_score      accuracy on the dev data in percent, of a regression Pearson's r times 100; null where not evaluated
seconds        of training so far, by this machine's clock; not the same in two runs

The file is written whole each time, so a reader never sees half a line; the last line is the digest of the others.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from study.record.errors import InputError
from study.record.files import SEAL, short_hash, whole_file

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
        lines = [asdict(record) for record in records]
        text = "".join(f"{json.dumps(line)}\n" for line in [*lines, {SEAL: short_hash(lines)}])
        draft.write_text(text, encoding="utf-8")


def read_history(folder: Path) -> list[Record]:
    """The history of the training in a folder; empty before its first record.

    Raises:
        InputError: for a file that is no history.
    """
    path = folder / HISTORY_FILE
    if not path.is_file():
        return []
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        seal = lines.pop()[SEAL] if lines and SEAL in lines[-1] else None
        if seal not in {None, short_hash(lines)}:
            raise ValueError("it was damaged or changed, it is not what its last line says")
        return [Record(**line) for line in lines]
    except (ValueError, TypeError, OSError) as error:
        raise InputError(
            f"{path} is no whole history of a training ({error}). Delete it and run the training again: "
            "it goes on from its checkpoints, only the curve of what came before is lost"
        ) from error
