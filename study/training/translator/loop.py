"""The training of a translator: updates of our own over the module that is studied."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import whole_file
from study.record.training.gates import GatesRecord, write_gates
from study.subjects.cross_entropy import cross_entropy
from study.subjects.fairseq.write import write_checkpoint, write_tasks_beside
from study.subjects.tasks.stored import StoredTasks
from study.training.callbacks import HistoryWriter
from study.training.folder import training_folder
from study.training.gate_learner import GateLearner, gate_learner
from study.training.second_task.learner import TaskLearner
from study.training.trainer import STATE_FILE, Callback, Trainer
from study.training.training import limited
from study.training.transformers_training import own_state, with_gates
from study.training.translator.batches import TokenPairs, batches_by_tokens, by_length, epochs_of_batches, token_pairs
from study.training.translator.initial import InitialTranslator, initial_translator
from study.training.translator.later_domain import domain_learner, say_unknown
from study.training.translator.options import TranslatorTuning

BETAS = (0.9, 0.98)
EVALUATION_TOKENS = 4000


def tune_translator(
    training: TranslatorTuning, folder: Path, device: str, threads: int, recorded: Callable[[], None] = lambda: None
) -> None:
    """Train, or go on where an earlier run was stopped; see `TrainedModel.train`.

    The folder gets the checkpoints that are kept, in fairseq's format, and the dictionaries and BPE codes of the start.

    Raises:
        InputError: when files are missing or do not fit, a text is empty, or the folder holds another training.
    """
    with training_folder(folder, training.identity()):
        if not training.lacking(folder):
            (folder / STATE_FILE).unlink(missing_ok=True)
            return
        sets = limited(training.train_set), limited(training.dev_set)
        for file, name in training.start_model().text_files().items():
            with whole_file(folder / name) as draft:
                shutil.copyfile(file, draft)
        with own_state(device, training.threads or threads):
            torch.manual_seed(training.seed)
            start = initial_translator(training, torch.device(device))
            torch.manual_seed(training.seed)
            trainer(training, start, sets, folder, recorded).run()


def trainer(
    training: TranslatorTuning,
    start: InitialTranslator,
    sets: tuple[Examples, Examples],
    folder: Path,
    recorded: Callable[[], None] = lambda: None,
) -> Trainer:
    """What trains a translator from its first update on, evaluates it on the dev data, and keeps its course."""
    module = start.translator.module
    pairs, dev_pairs = (token_pairs(start.translator, examples) for examples in sets)
    epochs = epochs_of_batches(pairs, training.max_tokens, seed=training.seed, epochs=training.epochs)
    batches = [batch for epoch in epochs for batch in epoch][: training.updates]

    if len(batches) <= training.warmup_updates:
        raise InputError(
            f"the training has {len(batches)} updates, and the learning rate reaches its peak after "
            f"training.warmup_updates={training.warmup_updates}: take more epochs, smaller batches or a shorter warm-up"
        )

    def step_at(epoch: float) -> int:
        return min(round(epoch * len(epochs[0])), len(batches))

    checkpoints: dict[int, list[tuple[Path, Path]]] = {}
    for epoch in training.kept_epochs:
        files = training.checkpoint(folder, epoch), training.gates_file(folder, epoch)
        checkpoints.setdefault(step_at(epoch), []).append(files)
    evaluations = range(int(training.epochs / training.evaluate_every) + 1)
    evaluation_steps = {step_at(i * training.evaluate_every) for i in evaluations} | {*checkpoints}
    learner = gate_learner(
        training.gates, start.translator.gate, updates=len(batches), seed=training.seed, folder=folder
    )
    later = domain_learner(training, start, folder) if training.reuse.has_task else None
    optimizer = adam(training, module, learner)
    history = HistoryWriter(
        folder, training.record_every, evaluation_steps, lambda: evaluate(module, dev_pairs), recorded
    )
    saver = FairseqSaver(module, start.settings, checkpoints)
    plain = Trainer(
        name="translator",
        module=module,
        loss=lambda rows: token_loss(module, pairs, rows, training.label_smoothing),
        batches=batches,
        steps_per_epoch=len(epochs[0]),
        optimizer=optimizer,
        schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share_of_peak(training, step, len(batches))),
        clip_norm=training.clip_norm or torch.inf,
        state_file=folder / STATE_FILE,
        save_every=training.save_every,
        save_at=checkpoints,
        callbacks=[history, saver],
    )
    if later:
        say_unknown(pairs, training.train.name)
        saver.tasks = later.stored
        return with_later_domain(plain, later, history)
    if not learner:
        return plain
    learner.check_start(
        plain, lambda: evaluate(module, dev_pairs)[0], pairs.answers, dev_pairs.answers, "nats a target token"
    )
    saver.gates = lambda: learner.record(training.id)
    return with_gates(plain, learner, history)


def with_later_domain(plain: Trainer, later: TaskLearner, history: HistoryWriter) -> Trainer:
    """A trainer of a later domain, also where some heads are off meanwhile."""
    evaluate = history.evaluate
    history.evaluate = lambda: later.under_mask(evaluate)
    loss, callbacks = plain.loss, plain.callbacks
    return replace(plain, loss=lambda rows: later.under_mask(lambda: loss(rows)), callbacks=[later, *callbacks])


def adam(training: TranslatorTuning, module: PreTrainedModel, learner: GateLearner | None) -> torch.optim.Optimizer:
    """Adam as fairseq has it, with decoupled weight decay, on the weights that move; gates in a group of their own."""
    moving = [weights for weights in module.parameters() if weights.requires_grad]
    groups = [{"params": moving}] if moving else []
    return torch.optim.AdamW(
        [*groups, *(learner.groups() if learner else ())],
        lr=training.learning_rate,
        betas=BETAS,
        weight_decay=training.weight_decay,
    )


def share_of_peak(training: TranslatorTuning, update: int, updates: int) -> float:
    """The learning rate of an update, divided by its peak."""
    peak = training.learning_rate
    return training.schedule.rate(update, peak=peak, warmup=training.warmup_updates, updates=updates) / peak


def token_loss(module: PreTrainedModel, pairs: TokenPairs, rows: Sequence[int], epsilon: float) -> Tensor:
    """Label-smoothed cross entropy of a target token, the mean over all of a batch, `</s>` counted; nats."""
    inputs, target_RT = pairs.batch(rows, module.device)
    losses_RT = cross_entropy(module(**inputs, use_cache=False).logits, target_RT, epsilon, pad=pairs.tokens.pad)
    return losses_RT.sum() / (target_RT != pairs.tokens.pad).sum()


@torch.no_grad()
def evaluate(module: PreTrainedModel, pairs: TokenPairs) -> tuple[float, float]:
    """Mean loss (nats, not smoothed) and accuracy (percent) of a target token; no dropout, no random number."""
    module.eval()
    total, right, count = 0.0, 0, 0
    for rows in batches_by_tokens(pairs, by_length(pairs, range(len(pairs.sources))), EVALUATION_TOKENS):
        inputs, target_RT = pairs.batch(rows, module.device)
        logits = module(**inputs, use_cache=False).logits
        total += float(cross_entropy(logits, target_RT, 0.0, pad=pairs.tokens.pad).sum())
        there_RT = target_RT != pairs.tokens.pad
        right += int(((logits.argmax(-1) == target_RT) & there_RT).sum())
        count += int(there_RT.sum())
    module.train()
    return total / count, 100 * right / count


@dataclass
class FairseqSaver(Callback):
    """Saves checkpoints as fairseq would.

    Attributes:
        module: the module that is trained.
        settings: its settings by their names on fairseq's command line.
        files: the checkpoints that are kept and where their gates are recorded, by the update after which they are
            saved.
        gates: gives the record of the gates; None where there are none.
        tasks: gives the tasks after so many updates; None where the model has one.
    """

    module: PreTrainedModel
    settings: Mapping[str, Any]
    files: Mapping[int, Sequence[tuple[Path, Path]]]
    gates: Callable[[], GatesRecord] | None = None
    tasks: Callable[[int], StoredTasks] | None = None

    def after_step(self, trainer: Trainer) -> None:
        """Save the checkpoints of this update, the weights last; a file that is there has the same ones."""
        for path, gates_file in self.files.get(trainer.step, ()):
            if not path.is_file():
                if self.gates is not None:
                    write_gates(self.gates(), gates_file)
                state = self.module.state_dict()
                if self.tasks is not None:
                    stored = self.tasks(trainer.step)
                    write_tasks_beside(path, stored)
                    state = stored.shared
                write_checkpoint(path, state, self.settings)
