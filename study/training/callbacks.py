"""What the training of a model of transformers keeps as it goes: its history, with evaluations, and checkpoints."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from logging import getLogger
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from study.record.training.history import Record, write_history
from study.subjects.huggingface.quiet import quiet
from study.training.folder import whole_folder
from study.training.trainer import Callback, Trainer

log = getLogger(__name__)


@dataclass
class HistoryWriter(Callback):
    """Writes a record of losses now and then, and evaluates on the dev data where that is due.

    Attributes:
        folder: folder of the training.
        every: steps between two records of the training loss.
        evaluation_steps: steps after which the dev data is evaluated on, which is recorded as well.
        evaluate: gives the mean loss (nats) and the accuracy (percent) on the dev data.
        recorded: called whenever the history has changed.
        records: the history so far.
        loss: sum of the losses of the steps since the last record.
        counted: number of these steps.
    """

    folder: Path
    every: int
    evaluation_steps: Collection[int]
    evaluate: Callable[[], tuple[float, float]]
    recorded: Callable[[], None]
    records: list[Record] = field(default_factory=list)
    loss: float = 0.0
    counted: int = 0

    def is_due(self, step: int) -> bool:
        """Whether there is a record after this step."""
        return step in self.evaluation_steps or bool(step and not step % self.every)

    def after_step(self, trainer: Trainer) -> None:
        """Count the step's loss; evaluate and add a line to the history where that is due."""
        if trainer.step:
            self.loss, self.counted = self.loss + trainer.last_loss, self.counted + 1
        if not self.is_due(trainer.step):
            return
        evaluates = trainer.step in self.evaluation_steps
        dev_loss, dev_score = self.evaluate() if evaluates else (None, None)
        loss = self.loss / self.counted if self.counted else None
        epoch, seconds = trainer.step / trainer.steps_per_epoch, round(trainer.seconds, 1)
        self.records.append(Record(trainer.step, epoch, trainer.learning_rate, loss, dev_loss, dev_score, seconds))
        self.loss, self.counted = 0.0, 0
        self.write()
        if evaluates:
            log.info("epoch %.2f: dev loss %.3f, accuracy %.1f %%", epoch, dev_loss, dev_score)

    def write(self) -> None:
        """Write what is recorded, and tell of it."""
        write_history(self.folder, self.records)
        self.recorded()

    def state_dict(self) -> dict[str, Any]:
        """See `Callback.state_dict`."""
        return {"records": [asdict(record) for record in self.records], "loss": self.loss, "counted": self.counted}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Callback.load_state_dict`; what was recorded after that state is forgotten."""
        self.records = [Record(**record) for record in state["records"]]
        self.loss, self.counted = state["loss"], state["counted"]
        self.write()


@dataclass
class CheckpointSaver(Callback):
    """Saves model and tokenizer as transformers would.

    Attributes:
        model: the model that is trained.
        tokenizer: its tokenizer.
        folders: folder of each checkpoint that is kept, by the step after which it is saved.
        more: writes what else belongs to a checkpoint into its folder.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    folders: Mapping[int, Path]
    more: Callable[[Path], None] = lambda _: None

    def after_step(self, trainer: Trainer) -> None:
        """Save the checkpoint of this step; a folder that is there has the same one."""
        folder = self.folders.get(trainer.step)
        if folder and not folder.is_dir():
            with whole_folder(folder) as draft, quiet():
                self.write(draft, trainer.step)
                self.more(draft)

    def write(self, folder: Path, updates: int) -> None:  # noqa: ARG002
        """Write the model after so many updates, and its tokenizer, into a folder."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
