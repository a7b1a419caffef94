"""The log of a training by fairseq: its progress, its history, and which checkpoints may go."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.record.training.history import Record, write_history
from study.subjects.checkpoints import epochs_there
from study.training.fairseq.options import TranslationTraining

LOG_FILE = "train.log"
LN_2 = math.log(2)
"""fairseq's losses are in bits."""


class LogReader:
    """Follows a training by fairseq's log: progress, the history, and which checkpoints may go."""

    def __init__(
        self,
        training: TranslationTraining,
        folder: Path,
        checkpoints: Path,
        sentences: int,
        advance: Callable[[int], None],
        recorded: Callable[[], None] = lambda: None,
    ) -> None:
        """Take in what an earlier run logged.

        From then on `advance` is told how many sentences were just done, and `recorded` that the history has changed.
        """
        self._training, self._folder, self._checkpoints = training, folder, checkpoints
        self._sentences, self._advance, self._recorded = sentences, advance, recorded
        self._done, self._rate = 0, 0.0
        self._records: dict[int, Record] = {}
        self._valid_losses: dict[int, float] = {}
        begun = folder / LOG_FILE
        for line in begun.read_text(encoding="utf-8", errors="replace").splitlines() if begun.is_file() else ():
            self._epoch_ended(line)
        for epoch in self._saved() - self._valid_losses.keys():  # killed before it was told of: trained again
            self._checkpoint(epoch).unlink()
        newest = self.newest() or 0
        self._records = {epoch: record for epoch, record in self._records.items() if epoch <= newest}
        self._valid_losses = {epoch: loss for epoch, loss in self._valid_losses.items() if epoch <= newest}
        self._count(newest * sentences)

    def newest(self) -> int | None:
        """The last epoch whose checkpoint is there."""
        return max(self._saved(), default=None)

    def best(self) -> int:
        """The epoch of least loss on the dev data, as fairseq counts: of equals the last."""
        return min(self._valid_losses, key=lambda epoch: (self._valid_losses[epoch], -epoch))

    def read(self, line: str) -> None:
        """Take in one line of the log; lines of other kinds are left alone."""
        if found := _logged(line, "train_inner"):
            self._count(int(float(found["update"]) * self._sentences))
            self._rate = float(found["lr"])
        if self._epoch_ended(line):
            self.write_history()
        if "Saved checkpoint" in line:
            self._remove_others()

    def write_history(self) -> None:
        """Write what is known of every epoch, and say so."""
        write_history(self._folder, list(self._records.values()))
        self._recorded()

    def _count(self, done: int) -> None:
        self._advance(done - self._done)
        self._done = done

    def _epoch_ended(self, line: str) -> bool:
        """Take in what is said of an epoch: how it does on the dev data, then how it did in training, which is all."""
        valid, train = _logged(line, "valid"), _logged(line, "train")
        if valid:
            epoch, step = int(valid["epoch"]), int(valid["valid_num_updates"])
            self._valid_losses[epoch] = float(valid["valid_loss"])
            dev_loss = float(valid["valid_nll_loss"]) * LN_2
            self._records[epoch] = Record(step, float(epoch), self._rate, None, dev_loss, None, 0.0)
        elif train and int(train["epoch"]) in self._records:
            rate, wall = float(train["train_lr"]), float(train["train_wall"])
            loss = float(train["train_nll_loss"]) * LN_2
            epoch = int(train["epoch"])
            self._records[epoch] = replace(self._records[epoch], learning_rate=rate, loss=loss, seconds=wall)
        return bool(train)

    def _remove_others(self) -> None:
        """Remove checkpoints that are neither kept, nor the best, nor the newest."""
        for epoch in self._saved() - {*map(int, self._training.kept_epochs), self.newest(), self.best()}:
            self._checkpoint(epoch).unlink()

    def _saved(self) -> set[int]:
        return {int(epoch) for epoch in epochs_there(self._checkpoint("{epoch}"))}

    def _checkpoint(self, epoch: int | str) -> Path:
        return self._checkpoints / f"checkpoint{epoch}.pt"


def best_step(log: Path) -> int | None:
    """The update after which the loss on the dev data was least, of equals the last; None where no log tells of it."""
    said = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else ()
    by_epoch = {int(valid["epoch"]): valid for line in said if (valid := _logged(line, "valid"))}
    found = [(float(valid["valid_loss"]), -int(valid["valid_num_updates"])) for valid in by_epoch.values()]
    return -min(found)[1] if found else None


def _logged(line: str, kind: str) -> dict[str, Any] | None:
    """The values of a line of this kind; None for any other."""
    _, found, record = line.partition(f"| {kind} | ")
    return json.loads(record) if found and record.startswith("{") else None
