"""What every job is, built once from its config: what a launcher may ask of it beforehand, and the way that it goes."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.config import StudyConfig
from study.data.source import DataSource
from study.jobs.check import check_values
from study.record.errors import InputError
from study.record.files import WriteError, require_writable
from study.subjects.model import ModelConfig
from study.tracking.run import Run
from study.training.trained_models import TrainedModel
from study.training.training import Training

log = logging.getLogger(__name__)

Source = ModelConfig | DataSource | Training
"""What can be downloaded or made before a job starts."""


class Job(ABC):
    """One job.

    Attributes:
        study: its config.
        results: folder of the stored outcomes.
    """

    def __init__(self, study: StudyConfig) -> None:
        self.study = study
        self.results = Path(study.results)

    def run(self) -> dict[str, Any]:
        """Do the job, or go on where an earlier run of it ended; a plan says what there is to do, and does nothing.

        Returns:
            What a launcher shows in its table.
        """
        check_values(self.study)
        log.info("%s", self)  # what follows may take a while without a word: data are read, packages loaded
        self.make_ready()
        return self.plan() if self.study.plan else self.compute()

    def make_ready(self) -> None:
        """Check the job, and get what it needs that is not here; for a plan nothing is got.

        Raises:
            StudyError: in words.
        """
        self.check()
        if not self.study.plan and self.missing():
            self.prepare()
            self.check()

    def check(self) -> None:
        """Refuse a job that cannot work, before anything is computed.

        Raises:
            StudyError: in words.
        """
        check_values(self.study)
        if isinstance(self.study.model, TrainedModel):
            self.study.model.training.check()

    @property
    @abstractmethod
    def sources(self) -> Sequence[Source]:
        """What must be on this machine before it can start."""

    def missing(self) -> list[str]:
        """What it needs that must be downloaded or made first, in words."""
        return [need for source in self.sources for need in source.missing()]

    def prepare(self) -> None:
        """Download or make what is missing; nothing for a plan."""
        for source in () if self.study.plan else self.sources:
            if needed := source.missing():
                log.info("getting %s", "; ".join(needed))
                source.fetch()

    @abstractmethod
    def rehearse(self) -> None:
        """Do the first, cheap part, if there is one, that shows whether the job computes what it seems to."""

    @abstractmethod
    def remaining(self) -> int | None:
        """At most how many units of its work are left; None while that is not known."""

    @abstractmethod
    def estimate(self) -> float | None:
        """Seconds that the units left will take, which are so many at most; None while that is not known."""

    @abstractmethod
    def request(self) -> Run:
        """Its run, as far as that is known before anything is on this machine."""

    @abstractmethod
    def plan(self) -> dict[str, Any]:
        """What it would do, for the table of its launcher; said in the log, too."""

    @abstractmethod
    def compute(self) -> dict[str, Any]:
        """Do all that is left, once it is checked and nothing is missing."""

    def __str__(self) -> str:
        """Its measure, model and data, by name."""
        return f"{self.study.measure.name} of {self.study.model.name} on {self.study.data.name}"

    def work(self) -> str | None:
        """What it does, as a text, where jobs of several configs do the same; None where the config tells."""
        return None

    def device(self) -> str:
        """The device that it computes on: `cpu`, `cuda:0` ...

        Raises:
            InputError: when there is none of this number.
        """
        import torch  # not before something is to be computed

        automatic = "cuda" if torch.cuda.is_available() else "cpu"
        device, count = torch.device(self.study.device.replace("auto", automatic)), torch.cuda.device_count()
        if device.type == "cuda" and (device.index or 0) >= count:
            raise InputError(f"device {device}: this machine and this torch have {count} CUDA devices")
        return str(device)

    def require_writable(self, folder: Path) -> None:
        """Refuse a folder in which nothing can be written; a plan writes nothing.

        Raises:
            WriteError: names the results folder where that is the cause, so that it is one for all jobs of a sweep.
        """
        if self.study.plan:
            return
        try:
            require_writable(folder)
        except WriteError:
            require_writable(self.results)
            raise
