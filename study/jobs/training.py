"""The training of a model as a job: what a launcher may ask of it, and its doing."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from study.jobs.plan import Duration
from study.record.errors import InputError
from study.record.training_history import read_history
from study.subjects.model import ModelConfig
from study.training.trained_models import TrainedModel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingJob:
    """What `measure=train` does.

    Attributes:
        model: whose training it is.
        threads: CPU threads; 0 leaves it to torch.
    """

    model: TrainedModel
    threads: int = 0

    @classmethod
    def of(cls, model: ModelConfig, threads: int = 0) -> "TrainingJob":
        """The training of a model.

        Raises:
            InputError: when it is not trained here.
        """
        if not isinstance(model, TrainedModel):
            raise InputError(
                f"measure=train: model '{model.name}' is not trained here; models such as hf_finetuned, "
                f"fairseq_trained and bert_mnli_finetuned are"
            )
        return cls(model, threads)

    @property
    def work(self) -> str:
        """What it does, as a text: jobs of one text are one job, whatever epoch or data they name."""
        return f"training of {self.model.training_folder()}"

    def missing(self) -> list[str]:
        """What must be downloaded first, in words; nothing once the training is done."""
        return self.model.training.missing() if self._lacks_downloads() else []

    def fetch(self) -> None:
        """Download what is missing."""
        self.model.training.fetch()

    def remaining(self) -> int | None:
        """Steps left; None before the first ones are counted."""
        left = self._left("step")
        return None if left is None else round(left)

    def estimate(self) -> float | None:
        """Seconds that the steps left will take at the rate so far; None before there is one."""
        return self._left("seconds")

    def plan(self) -> dict[str, Any]:
        """What it would do; shown by the launcher's table as well."""
        training, done, seconds = self.model.training, self._done(), self.estimate()
        kept = ", ".join(f"{epoch:g}" for epoch in training.kept_epochs)
        expected = "not known before it has begun" if seconds is None else Duration(seconds)
        log.info(
            "training of %s into %s: %d epochs of data '%s', %.2f of them done; checkpoints of epochs %s; expected: %s",
            self.model.training_name,
            self.model.training_folder(),
            training.epochs,
            training.train.name,
            done,
            kept,
            expected,
        )
        state = "done already" if done >= training.epochs else "planned"
        return {"state": state, "epochs": training.epochs, "done": done, "expected": expected}

    def run(self, device: str, recorded: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Train, or go on; does nothing where it is done.

        Args:
            device: `cpu`, `cuda:0` ...
            recorded: called whenever the history has changed.

        Returns:
            What a launcher shows in its table.
        """
        training, folder = self.model.training, self.model.training_folder()
        lacking = training.lacking(folder)
        if lacking:
            self.model.train(device, self.threads, recorded)
        records = read_history(folder)
        last = records[-1] if records else None
        score = "" if last is None or last.dev_score is None else f", {last.dev_score:.1f} % of the dev data right"
        log.info(
            "training of %s: %s%s; checkpoints in %s",
            self.model.training_name,
            f"{training.epochs} epochs done" if lacking else "nothing to do",
            score,
            folder,
        )
        score = {} if last is None or last.dev_score is None else {"dev": last.dev_score}
        return {"epochs": training.epochs, **score}

    def _left(self, what: Literal["step", "seconds"]) -> float | None:
        """How many are left, at so many an epoch as until now; None before there are any."""
        if not self._lacks_downloads() and not self.model.training.lacking(self.model.training_folder()):
            return 0.0
        done, records = self._done(), read_history(self.model.training_folder())
        spent = getattr(records[-1], what) if records else 0
        if not done or not spent:
            return None
        return (self.model.training.epochs - done) * spent / records[-1].epoch

    def _lacks_downloads(self) -> bool:
        """Whether something is to be downloaded; asked first, as the folder's name is known only once it is here."""
        return bool(self.model.training.missing())

    def _done(self) -> float:
        return 0.0 if self._lacks_downloads() else self.model.training.epochs_done(self.model.training_folder())
