"""The training of a model of transformers, whatever its task: in batches, from its first step or where it was stopped.

What is random comes from the training's seeds alone, and the caller's random state is left as it was.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int, Num
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from study.certification.certify import certify
from study.masking.gate import Gate
from study.record.examples import Examples
from study.record.training.gates import GATES_FILE, write_gates
from study.subjects.subject import Subject
from study.training.callbacks import CheckpointSaver, HistoryWriter
from study.training.folder import training_folder
from study.training.gate_course import GateCourse
from study.training.gate_learner import GateLearner, freeze, gate_learner
from study.training.second_task.learner import LaterStart, TaskLearner, TasksSaver, task_learner
from study.training.trainer import STATE_FILE, Trainer
from study.training.training import limited
from study.training.transformers_options import TransformersTraining


class TokenizedData(ABC):
    """Examples as tokens, of which batches are made."""

    @property
    @abstractmethod
    def lengths(self) -> Int[Tensor, " examples"]:
        """Tokens of each example."""

    @property
    @abstractmethod
    def answers(self) -> Num[Tensor, " answers"]:
        """All that is learnt: indices of labels or tokens, or numbers."""

    @abstractmethod
    def batch(self, rows: Sequence[int], device: torch.device) -> dict[str, Tensor]:
        """Some examples as a model's keyword arguments, labels among them, padded to the longest of them."""


@dataclass(frozen=True)
class Start:
    """What a training begins with.

    Attributes:
        name: what is trained, in a few words for people.
        model: the model before the first step.
        tokenizer: its tokenizer.
        data: what it learns from.
        dev: what it is evaluated on.
        unit: what the loss is in, see `study.training.gate_learner.CONVERGED`.
        evaluate: gives the mean loss (nats) and the score (percent) on the dev data.
        subject: makes a subject of the model, whose heads can have gates.
        later: what it is taught a later task with; None where it has no other.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    data: TokenizedData
    dev: TokenizedData
    unit: str
    evaluate: Callable[[], tuple[float, float]]
    subject: Callable[[], Subject]
    later: LaterStart | None = None


def train(
    training: TransformersTraining,
    folder: Path,
    begin: Callable[[Examples, Examples], Start],
    *,
    device: str,
    threads: int,
    recorded: Callable[[], None],
) -> None:
    """Train, or go on where an earlier run was stopped; see `TrainedModel.train`.

    Args:
        training: its options.
        folder: where its checkpoints go.
        begin: what it begins with, given examples to learn from and to evaluate on; what is random in it comes from
            torch's current random state.
        device: `cpu`, `cuda:0` ...
        threads: CPU threads, where the training says no number.
        recorded: called whenever the history has changed.

    Raises:
        InputError: when there is nothing to learn, or the folder holds another training.
    """
    with training_folder(folder, training.identity()):
        if not training.lacking(folder):
            (folder / STATE_FILE).unlink(missing_ok=True)
            return
        sets = limited(training.train_set), limited(training.dev_set)
        with own_state(device, training.threads or threads):
            torch.manual_seed(training.seed_of_weights)
            start = begin(*sets)
            if training.seed_of_order != training.seed_of_weights:
                torch.manual_seed(training.seed_of_order)
            start.model.to(torch.device(device))  # pyright: ignore[reportArgumentType]
            trainer(training, start, folder, recorded).run()


@contextmanager
def own_state(device: str, threads: int) -> Iterator[None]:
    """Random state and number of CPU threads within the block; the caller's are as before after it."""
    where, before = torch.device(device), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with torch.random.fork_rng([where.index or 0] if where.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(before)


def trainer(training: TransformersTraining, start: Start, folder: Path, recorded: Callable[[], None]) -> Trainer:
    """What trains a model from its first step on, evaluates it on the dev data, and keeps its course in the folder."""
    model, data = start.model, start.data
    generator = torch.Generator().manual_seed(training.seed_of_order)
    epochs = [epoch_batches(data.lengths, training.batch_size, generator) for _ in range(training.epochs)]
    batches = [batch for epoch in epochs for batch in epoch]

    def step_at(epoch: float) -> int:
        return round(epoch * len(epochs[0]))

    checkpoints = {step_at(epoch): training.checkpoint(folder, epoch) for epoch in training.kept_epochs}
    evaluations = int(training.epochs / training.evaluate_every)
    evaluation_steps = {step_at(i * training.evaluate_every) for i in range(1, evaluations + 1)} | {*checkpoints}
    learner = _learner(training, start, folder, len(batches))
    later = _later(training, start, folder)
    optimizer = adamw(model, training)
    for group in learner.groups() if learner else ():
        optimizer.add_param_group(group)
    history = HistoryWriter(folder, training.record_every, evaluation_steps, start.evaluate, recorded)
    saver = CheckpointSaver(model, start.tokenizer, checkpoints)
    plain = Trainer(
        name=start.name,
        module=model,
        loss=lambda rows: model(**data.batch(rows, model.device)).loss,
        batches=batches,
        steps_per_epoch=len(epochs[0]),
        optimizer=optimizer,
        schedule=torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: triangle((step + 1) / (len(batches) + 1), training.warmup)
        ),
        clip_norm=training.clip_norm,
        state_file=folder / STATE_FILE,
        save_every=training.save_every,
        save_at=checkpoints,
        callbacks=[history, saver],
    )
    if later:
        return with_later_task(plain, later, history, saver)
    if not learner:
        return plain
    learner.check_start(plain, lambda: start.evaluate()[0], data.answers, start.dev.answers, start.unit)
    saver.more = lambda folder: write_gates(learner.record(training.id), folder / GATES_FILE)
    return with_gates(plain, learner, history)


def _learner(training: TransformersTraining, start: Start, folder: Path, updates: int) -> GateLearner | None:
    """What gives the model gates, once masking it is certified; weights that are not to move are frozen."""
    if not training.gates.has_gates:
        return None
    gates, gate = training.gates, _certified(start)
    freeze(gates, start.model)
    return gate_learner(gates, gate, updates=updates, seed=training.seed_of_order, folder=folder)


def _later(training: TransformersTraining, start: Start, folder: Path) -> TaskLearner | None:
    """What teaches the model a later task, once masking it is certified; weights that are not to move are frozen."""
    return task_learner(training, start.model, start.later, _certified(start), folder) if start.later else None


def _certified(start: Start) -> Gate:
    """The gate of the model, proved; the model and what is random in its training are as before."""
    moving = [parameter for parameter in start.model.parameters() if parameter.requires_grad]
    device = start.model.device
    with torch.random.fork_rng([device.index or 0] if device.type == "cuda" else []):
        subject = start.subject()
        certify(subject)
    for parameter in moving:
        parameter.requires_grad_()
    return subject.gate


def with_gates(plain: Trainer, learner: GateLearner, history: HistoryWriter) -> Trainer:
    """A trainer whose heads have gates; it is evaluated with those heads that stay, and keeps the course of gates."""
    evaluate = history.evaluate

    def evaluate_kept() -> tuple[float, float]:
        with learner.hard():
            return evaluate()

    history.evaluate = evaluate_kept
    return replace(
        plain,
        loss=lambda rows: learner.loss(lambda: plain.loss(rows)),
        penalty=learner.penalty,
        callbacks=[learner, GateCourse(history.folder, learner, history.is_due), *plain.callbacks],
    )


def with_later_task(plain: Trainer, later: TaskLearner, history: HistoryWriter, saver: CheckpointSaver) -> Trainer:
    """A trainer of a later task, whose checkpoints are folders of tasks; other tasks' heads may be off meanwhile."""
    evaluate = history.evaluate
    history.evaluate = lambda: later.under_mask(evaluate)
    tasks = TasksSaver(saver.model, saver.tokenizer, saver.folders, learner=later)
    return replace(
        plain, loss=lambda rows: later.under_mask(lambda: plain.loss(rows)), callbacks=[later, history, tasks]
    )


def epoch_batches(lengths: Int[Tensor, " examples"], batch_size: int, generator: torch.Generator) -> list[list[int]]:
    """The examples of one epoch, each once, in batches of similar length, in random order."""
    order = torch.randperm(len(lengths), generator=generator)
    chunks = [chunk[lengths[chunk].argsort(stable=True)] for chunk in order.split(50 * batch_size)]
    batches = [batch.tolist() for chunk in chunks for batch in chunk.split(batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def adamw(model: PreTrainedModel, training: TransformersTraining) -> torch.optim.AdamW:
    """AdamW on the parameters that require a gradient; biases and norms, which are vectors, do not decay."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate)


def triangle(progress: float, warmup: float) -> float:
    """Share of the peak learning rate: up from 0 to 1 until `warmup`, down to 0 at the end of the training."""
    return progress / warmup if progress < warmup else (1 - progress) / (1 - warmup)
