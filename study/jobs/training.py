"""A job that trains a model, of which any number of other jobs then measure the checkpoints."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from study.config import StudyConfig
from study.gates.options import GivenMask
from study.jobs.chosen_heads.free_heads import FreeHeads
from study.jobs.chosen_heads.given_mask import GivenHeads
from study.jobs.chosen_heads.order import start_layout
from study.jobs.job import Job, Source
from study.jobs.job_run import report, training_run
from study.jobs.plan import Duration
from study.record.errors import InputError, StudyError
from study.record.training.gates import GATES_FILE
from study.record.training.history import read_history
from study.record.training.tasks import FREE_FILE, TASKS_FILE
from study.subjects.huggingface.declared_heads import declared_heads
from study.tracking.history import TrainingHistory
from study.tracking.run import TRAININGS, Run, read_runs
from study.training.trained_models import TrainedModel

log = logging.getLogger(__name__)

LENGTH = ("train", "held_out", "batch_size", "max_tokens", "updates", "scratch")
"""Options of a training that decide how long an epoch takes."""


class TrainingJob(Job):
    """What `measure=train` does.

    Attributes:
        model: the model that it trains.
    """

    def __init__(self, study: StudyConfig) -> None:
        """Nothing is read yet.

        Raises:
            InputError: when its model is not trained here.
        """
        super().__init__(study)
        if not isinstance(study.model, TrainedModel):
            raise InputError(
                f"measure=train: model '{study.model.name}' is not trained here; models such as hf_finetuned, "
                f"fairseq_trained and bert_mnli_finetuned are"
            )
        self.model = study.model

    def check(self) -> None:
        """See `Job.check`; as far as the model that it starts from is here, heads chosen of it are looked at too."""
        super().check()
        self.require_writable(self.results)
        self.model.require_own_folder()
        self._require_heads()
        if chosen := self._chosen:
            chosen.check()

    def _require_heads(self) -> None:
        """Refuse to keep more heads than the config of the model that it starts from declares; nothing is loaded."""
        training, there = self.model.training, None
        with suppress(InputError):  # it is not here, or cannot do the task: others say so
            if start := training.start_model():
                there = declared_heads(start.folder())
        for option in ("keep", "top"):
            number = getattr(training.gates, option, None)
            if there is not None and number is not None and number > there:
                raise InputError(f"gates.{option}={number}, and the model has {there} heads")

    def work(self) -> str | None:
        """Jobs of one text are one job, whatever epoch or data they name; None before its data is here."""
        return None if self.missing() else f"training of {self.folder}"

    @cached_property
    def folder(self) -> Path:
        """Where the checkpoints are, or will be; its name is known only once the data is here."""
        return self.model.training_folder()

    @property
    def sources(self) -> Sequence[Source]:
        """See `Job.sources`."""
        return (self.model.training,)

    def rehearse(self) -> None:
        """Look whether gates and free heads fit the model that it starts from: else a training has no cheap part."""
        training, chosen = self.model.training, self._chosen
        if self.study.plan or not (chosen or training.gates.has_gates):
            return
        layout = chosen.start.layout() if chosen else start_layout(self.study, training)
        if layout:
            (chosen or training.gates).check_heads(layout)

    def remaining(self) -> int | None:
        """Steps left; None before the first ones are counted, 1 where its course is not in this results folder."""
        left = self._left("step")
        if left == 0 and not self._is_kept():
            return 1
        return None if left is None else round(left)

    def estimate(self) -> float | None:
        """Seconds that the steps left will take at the rate so far; before there is one, of a training like it."""
        left = self._left("seconds")
        return self._seconds_alike() if left is None and not self.missing() else left

    def _seconds_alike(self) -> float | None:
        """Seconds that a training of the same name on the same data took; None where none has ended here."""
        own = training_run(self.study, self.model).config["model"]["training"]
        for folder in sorted((self.results / TRAININGS).glob(f"{self.model.training_name}-*")):
            if folder.name.rpartition("-")[0] != self.model.training_name:  # a longer name
                continue
            with suppress(StudyError):
                others = [run.config["model"]["training"] for run in read_runs(folder)]
                alike = any(all(own.get(name) == other.get(name) for name in LENGTH) for other in others)
                records = read_history(folder) if alike else []
                if records and records[-1].epoch:
                    return records[-1].seconds * self.model.training.epochs / records[-1].epoch
        return None

    def request(self) -> Run:
        """See `Job.request`."""
        return training_run(self.study, self.model)

    def plan(self) -> dict[str, Any]:
        """See `Job.plan`."""
        training, done, seconds = self.model.training, self._epochs_done(), self.estimate()
        expected = "not known before it has begun" if seconds is None else Duration(seconds)
        log.info(
            "training of %s into %s: %d epochs of data '%s', %.2f of them done; checkpoints of epochs %s; expected: %s",
            self.model.training_name,
            self.folder,
            training.epochs,
            training.train.name,
            done,
            ", ".join(f"{epoch:g}" for epoch in training.kept_epochs),
            expected,
        )
        before = [] if done else list(self._planned_before())
        for what, its_seconds in before:
            took = "" if its_seconds is None else f"; expected: {Duration(its_seconds)}"
            log.info("before its first step: %s%s", what, took)
        if isinstance(expected, Duration):
            expected = Duration(expected + sum(own or 0.0 for _, own in before))
        state = "done already" if done >= training.epochs else "planned"
        return {"state": state, "epochs": training.epochs, "done": done, "expected": expected}

    def _planned_before(self) -> Iterator[tuple[str, float | None]]:
        """What is done before its first step, in words, and how many seconds that will take; None: not known."""
        if needed := "; ".join(self.missing()):
            yield f"getting {needed}", None
        if origin := self._untrained_origin():
            job = TrainingJob(replace(self.study, model=origin))
            yield f"training of {origin.training_name}, {origin.training.epochs} epochs", job.estimate()
        if chosen := self._chosen:
            yield chosen.words(), chosen.expected()

    def _untrained_origin(self) -> TrainedModel | None:
        """The model that it starts from, where that is not trained yet."""
        origin = getattr(self.model.training, "origin", None)
        return origin if isinstance(origin, TrainedModel) and origin.needs() else None

    def compute(self) -> dict[str, Any]:
        """Train, or go on; nothing where all checkpoints are there."""
        training, lacking = self.model.training, self.model.training.lacking(self.folder)
        gates = training.gates_file(self.folder, training.epochs) if training.gates.has_gates else None
        history = TrainingHistory(self._kept, self.folder, gates, self._records)
        left = self.remaining()
        run = training_run(self.study, self.model)
        with report(self.study, run, self._kept, history, 1 if left is None else left) as reported:
            if lacking:
                self._make_first()
                self.model.train(self.device(), self.study.threads, reported.stored)
            reported.finish({"epochs": training.epochs})
        records = read_history(self.folder)
        score = records[-1].dev_score if records else None
        log.info(
            "training of %s: %s%s; checkpoints in %s",
            self.model.training_name,
            f"{training.epochs} epochs done" if lacking else "nothing to do",
            "" if score is None else f", {score:.1f} % of the dev data right",
            self.folder,
        )
        return {"epochs": training.epochs, **({} if score is None else {"dev": score})}

    def _make_first(self) -> None:
        """Do what it starts from: the training of another model, and the jobs that choose heads of it."""
        if origin := self._untrained_origin():
            TrainingJob(replace(self.study, model=origin)).run()
        if chosen := self._chosen:
            chosen.write(self.folder)

    @property
    def _chosen(self) -> GivenHeads | FreeHeads | None:
        """The heads that are chosen for it before its first step, to be kept or freed; None where none are."""
        training = self.model.training
        if training.reuse.uses_free_heads:
            return FreeHeads(self.study, training)
        return GivenHeads(self.study, training) if isinstance(training.gates, GivenMask) else None

    def _left(self, what: Literal["step", "seconds"]) -> float | None:
        """How many are left, at so many an epoch as until now; None before there are any."""
        if self.missing():
            return None
        if not self.model.training.lacking(self.folder):
            return 0.0
        done, records = self._epochs_done(), read_history(self.folder)
        spent = getattr(records[-1], what) if records else 0
        return (self.model.training.epochs - done) * spent / done if done and spent else None

    @property
    def _kept(self) -> Path:
        """Where the results folder has the course of the training, and its run."""
        return self.results / TRAININGS / f"{self.model.training_name}-{self.model.training.id}"

    @property
    def _records(self) -> dict[str, Path]:
        """Where the records of its tasks, and of free heads if any, are, or will be, by the name of their copy."""
        training = self.model.training
        if not training.reuse.has_task:
            return {}
        tasks = {TASKS_FILE: training.tasks_file(self.folder, training.epochs)}
        return {FREE_FILE: self.folder / FREE_FILE, **tasks} if training.reuse.uses_free_heads else tasks

    def _is_kept(self) -> bool:
        """Whether it has them, whole; the training may have been a job of another results folder."""
        gates = (self._kept / GATES_FILE).is_file() or not self.model.training.gates.has_gates
        records = all((self._kept / name).is_file() for name in self._records)
        try:
            return gates and records and bool(read_history(self._kept)) and bool(read_runs(self._kept))
        except StudyError:
            return False

    def _epochs_done(self) -> float:
        return 0.0 if self.missing() else self.model.training.epochs_done(self.folder)
