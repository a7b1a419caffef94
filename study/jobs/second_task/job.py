"""What `measure=second_task` does: a task of a model that was taught several, and what the latest one cost it.

Of the latest task there is its score and, where it has no output layer of its own, that of the model before on the same
data: a translator can translate them before it is taught. An earlier task is measured three times on the same data: as
it is now; as its model was before the latest task was taught, with all of its heads; and that model under the mask of
the heads which the task still has. All of the model before are rows in the setting that any job has of it.
"""

import logging
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from study.jobs.measuring import MeasuringJob
from study.jobs.plan import Duration
from study.jobs.second_task.proof import Comparison, RowsUnderMask, compare_kept
from study.measures.ablation import Base
from study.measures.second_task import OneMask
from study.record.errors import InputError
from study.record.training.tasks import (
    KeptProof,
    TaskChain,
    TaskRecord,
    TaskResult,
    read_result,
    result_file,
    write_result,
)
from study.record.units import parse_mask, stack
from study.replacement.options import Replacement
from study.reuse.options import LaterTask
from study.subjects.model import ModelConfig
from study.training.trained_models import TrainedModel
from study.training.training import Training

log = logging.getLogger(__name__)

READING = ("max_length", "truncate", "beam", "lenpen", "max_len_a", "max_len_b")
"""Options of models on which outcomes depend, and no weight."""


class SecondTaskJob(MeasuringJob):
    """A job that measures one task of a model, and proves that an earlier one is kept."""

    @cached_property
    def _training(self) -> Training:
        """The training of the latest task.

        Raises:
            InputError: for a model that was taught no later task here.
        """
        model = self.study.model
        if not isinstance(model, TrainedModel) or not model.training.reuse.has_task:
            raise InputError(
                f"measure=second_task is of a model that was taught a later task here, with model.training.reuse=NAME, "
                f"and nothing says what '{model.name}' was before. measure=ablation, pruning and others take it as any"
            )
        return model.training

    @cached_property
    def chain(self) -> TaskChain:
        """The tasks of the model, once it is trained."""
        found = self.study.model.task_chain()
        if found is None:
            raise InputError(
                f"{self.study.model.folder()} has no record of its tasks: train it anew with measure=train"
            )
        return found

    @cached_property
    def task(self) -> TaskRecord:
        """The task that is measured."""
        return self.chain.task(getattr(self.study.model, "task_name", ""))

    @property
    def _is_latest(self) -> bool:
        return self.task.name == self.chain.latest.name

    @property
    def _keeps_earlier(self) -> bool:
        """Whether the latest task was taught without moving anything of those before, which there is a proof of."""
        reuse = self._training.reuse
        return isinstance(reuse, LaterTask) and reuse.keeps_earlier

    @cached_property
    def before(self) -> MeasuringJob | None:
        """The job on the model as it was before the latest task; None where that could not do the task yet."""
        if self._is_latest and self.task.output_parameters:
            return None
        model = self._training.start_model()
        assert model is not None, "a later task has a model that it was taught to"
        own, asked = model if self._is_latest else _with_task(model, self.task.name), self.study
        plain = {"replacement": Replacement(), "measure": Base() if self._is_latest else OneMask(mask=self.task.on)}
        before = replace(asked, model=_reading_as(own, asked.model), **plain)
        return MeasuringJob(before, self._cache, is_asked=False)

    def check(self) -> None:
        """See `Job.check`; a model that was not taught a later task is refused."""
        assert self._training.reuse.has_task
        if self.study.shards > 1:
            raise InputError("measure=second_task compares all examples of a task at once: run it without shards")
        super().check()
        if self.is_here() and (before := self.before):
            before.check()

    def remaining(self) -> int | None:
        """See `Job.remaining`; rows of the model before count too, and the record of what came out."""
        left = super().remaining()
        if left is None or not self.is_here():
            return left
        before = self.before.remaining() or 0 if self.before else 0
        return left + before + (not self._is_told())

    def plan(self) -> dict[str, Any]:
        """See `Job.plan`; the model before is planned too."""
        planned = super().plan()
        if planned["state"] == "cannot be planned yet" or not (before := self.before):
            return planned
        earlier = before.plan()
        if not isinstance(earlier.get("expected"), Duration):
            return planned
        done = "done already" in (planned["state"], earlier["state"]) and planned["state"] == earlier["state"]
        return {
            **planned,
            "state": "done already" if done else "planned",
            "masks": planned["masks"] + earlier["masks"],
            "missing": planned["missing"] + earlier["missing"],
            "expected": Duration(planned["expected"] + earlier["expected"]),
        }

    def compute(self) -> dict[str, Any]:
        """See `Job.compute`; then the model before is measured, and compared with the task as it is now.

        Raises:
            NotKeptError: when an earlier task is not kept; the record that says so is written before.
        """
        found, before, compared = super().compute(), self.before, None
        if before:
            before.run()
        if before and not self._is_latest:
            compared = self._compare(before) if self._keeps_earlier else None
        proof = compared.proof if compared else None
        self._write(
            TaskResult(
                task=self.task,
                latest=self.chain.latest,
                chain=tuple(task.training for task in self.chain.tasks),
                start=before.setting.id if before else None,
                proof=proof,
            )
        )
        if compared:
            compared.require_kept(self.study.model.name, self.study.data.name)
        if before and not self._is_latest:
            self._say(found["base"], before, proof)
        return found

    def _compare(self, before: MeasuringJob) -> Comparison:
        layout = self.evaluator.layout
        return compare_kept(RowsUnderMask(self, layout.full_key), RowsUnderMask(before, self.task.on))

    def _write(self, result: TaskResult) -> None:
        """Write the record, but none of fewer examples over one that says the same of more."""
        told = self._told()
        if told != result and not (told and _says_more(told, result)):
            write_result(result, self._file)

    def _say(self, score: float, before: MeasuringJob, proof: KeptProof | None) -> None:
        """Say what the latest task cost this one."""
        evaluator = before.evaluator
        layout, metric = evaluator.layout, evaluator.metric
        masks = stack([layout.full(), parse_mask(self.task.on, layout)], layout)
        full, masked = map(metric.shown, evaluator.stored().scores(masks))
        if proof is None:
            kept = "no weight of it was kept apart, so there is nothing to prove"
        elif proof.unlike:
            kept = f"all {proof.rows:,} rows agree (within {proof.largest:.1g})"
        else:
            kept = f"all {proof.rows:,} rows are the masked model's to the last bit"
        log.info(
            "%s after %s: %s; before, %s with all heads and %s with those that it keeps; %s",
            *(self.task.name, self.chain.latest.name, metric.shown(score), full, masked, kept),
        )

    @property
    def _file(self) -> Path:
        return self.setting.folder(self.results) / result_file(self._training.id)

    def _told(self) -> TaskResult | None:
        """The record that is there; None where none is, or no whole one."""
        try:
            return read_result(self._file)
        except InputError:
            return None

    def _is_told(self) -> bool:
        """Whether the record is there, and is of all examples; one that speaks against the task is made anew."""
        told = self._told()
        proof = told and told.proof
        return bool(told) and (proof is None or (proof.rows >= len(self.view) and not proof.contradicting))


def _says_more(told: TaskResult, result: TaskResult) -> bool:
    """Whether a record says of more examples what another one says of some."""
    one, other = told.proof, result.proof
    if one is None or other is None or replace(told, proof=None) != replace(result, proof=None):
        return False
    return (one.masked, one.mask) == (other.masked, other.mask) and one.rows > other.rows and not other.contradicting


def _with_task(model: ModelConfig, name: str) -> ModelConfig:
    """The model as it does a task of a name; itself where it has one task."""
    return _with(model, task_name=name) if model.task_chain() is not None else model


def _reading_as(model: ModelConfig, other: ModelConfig) -> ModelConfig:
    """The model, reading texts and searching translations as another one does: their rows are compared."""
    return _with(model, **{name: getattr(other, name) for name in READING if hasattr(other, name)})


def _with(model: ModelConfig, **options: Any) -> ModelConfig:
    """The model with other options; its name stays, which is made of others when it is first made."""
    changed = copy(model)
    for name, value in options.items():
        if hasattr(changed, name):
            setattr(changed, name, value)
    return changed
