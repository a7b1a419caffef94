"""The training of a sequence classifier: one way for fine-tuning and for a small BERT from nothing.

What is random comes from the training's seeds alone, and the caller's random state is left as it was.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from jaxtyping import Float, Int, Num
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics import Task, metric
from study.record.metrics.numbers import OUTPUT, numbers, on_grid
from study.subjects.labels import label_index, require_labels
from study.training.callbacks import CheckpointSaver, HistoryWriter
from study.training.classifier_options import ClassifierTraining
from study.training.folder import training_folder
from study.training.initial_model import initial_model
from study.training.trainer import STATE_FILE, Trainer
from study.training.training import limited

EVALUATION_BATCH = 250


@dataclass(frozen=True)
class TokenizedExamples:
    """Examples as tokens, of which batches are made.

    Attributes:
        inputs: what the tokenizer made of each example: token ids, segment ids.
        labels: index of each example's label; its number where there are no labels.
        tokenizer: the tokenizer, which pads.
    """

    inputs: list[dict[str, list[int]]]
    labels: Num[Tensor, " examples"]
    tokenizer: PreTrainedTokenizerBase

    def batch(self, rows: Sequence[int], device: torch.device) -> dict[str, Tensor]:
        """Some examples as a model's keyword arguments, padded to the longest of them."""
        padded = self.tokenizer.pad([self.inputs[row] for row in rows], return_tensors="pt")
        return {name: tensor.to(device) for name, tensor in {**padded, "labels": self.labels[list(rows)]}.items()}


def train_classifier(
    training: ClassifierTraining, folder: Path, device: str, threads: int, recorded: Callable[[], None] = lambda: None
) -> None:
    """Train, or go on where an earlier run was stopped; see `TrainedModel.train`.

    Raises:
        InputError: when there is nothing to learn (no example, one label only), labels do not fit, or the folder holds
            another training.
    """
    with training_folder(folder, training.identity()):
        if not training.lacking(folder):
            (folder / STATE_FILE).unlink(missing_ok=True)
            return
        train, dev = limited(training.train), limited(training.dev)
        labels = learnable(training, train, dev)
        with _own_state(device, training.threads or threads):
            torch.manual_seed(training.seed_of_weights)
            model, tokenizer = initial_model(training, [text for row in train.texts for text in row], labels)
            if training.seed_of_order != training.seed_of_weights:
                torch.manual_seed(training.seed_of_order)
            model.to(torch.device(device))  # pyright: ignore[reportArgumentType]
            sets = [tokenize(examples, tokenizer, labels, training.max_length) for examples in (train, dev)]
            classifier_trainer(training, model, sets[0], sets[1], folder, recorded).run()


@contextmanager
def _own_state(device: str, threads: int) -> Iterator[None]:
    """Random state and number of CPU threads within the block; the caller's are as before after it."""
    where, before = torch.device(device), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with torch.random.fork_rng([where.index or 0] if where.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(before)


def learnable(training: ClassifierTraining, train: Examples, dev: Examples) -> tuple[str, ...]:
    """The labels to learn, in the order of the model's outputs; none of a regression.

    Raises:
        InputError: when there are none to tell apart, or the model or the training data do not have them all.
    """
    if training.task is Task.REGRESSION:
        for examples in (train, dev):
            numbers(examples.targets)
        return ()
    if len(train.labels) < 2:
        raise InputError(
            f"nothing to learn from data '{training.train.name}': all of its {len(train)} examples have the label "
            f"{train.targets[0]!r}"
        )
    labels = training.own_labels() or train.labels
    for name, examples in ((training.train.name, train), (training.dev.name, dev)):
        try:
            require_labels(examples.targets, labels)
        except InputError as error:
            raise InputError(f"data '{name}': {error}") from error
    return labels


def tokenize(
    examples: Examples, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str], max_length: int
) -> TokenizedExamples:
    """Tokens and label indices of examples; longer inputs are cut at `max_length` tokens."""
    encoding = tokenizer(
        [texts[0] for texts in examples.texts],
        [texts[1] for texts in examples.texts] if len(examples.texts[0]) == 2 else None,
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
    )
    inputs = [dict(zip(encoding, row, strict=True)) for row in zip(*encoding.values(), strict=True)]
    if not labels:
        return TokenizedExamples(inputs, torch.tensor(numbers(examples.targets), dtype=torch.float32), tokenizer)
    index = label_index(labels)
    return TokenizedExamples(inputs, torch.tensor([index[target.casefold()] for target in examples.targets]), tokenizer)


def classifier_trainer(
    training: ClassifierTraining,
    model: PreTrainedModel,
    data: TokenizedExamples,
    dev: TokenizedExamples,
    folder: Path,
    recorded: Callable[[], None],
) -> Trainer:
    """What trains a model from its first step on, evaluates it on the dev data, and keeps its course in the folder."""
    generator = torch.Generator().manual_seed(training.seed_of_order)
    lengths = torch.tensor([len(row["input_ids"]) for row in data.inputs])
    epochs = [epoch_batches(lengths, training.batch_size, generator) for _ in range(training.epochs)]
    batches = [batch for epoch in epochs for batch in epoch]

    def step_at(epoch: float) -> int:
        return round(epoch * len(epochs[0]))

    checkpoints = {step_at(epoch): training.checkpoint(folder, epoch) for epoch in training.kept_epochs}
    evaluations = int(training.epochs / training.evaluate_every)
    evaluation_steps = {step_at(i * training.evaluate_every) for i in range(1, evaluations + 1)} | {*checkpoints}
    optimizer = adamw(model, training)
    return Trainer(
        name="classifier",
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
        callbacks=[
            HistoryWriter(folder, training.record_every, evaluation_steps, lambda: evaluate(model, dev), recorded),
            CheckpointSaver(model, data.tokenizer, checkpoints),
        ],
    )


def epoch_batches(lengths: Int[Tensor, " examples"], batch_size: int, generator: torch.Generator) -> list[list[int]]:
    """The examples of one epoch, each once, in batches of similar length, in random order."""
    order = torch.randperm(len(lengths), generator=generator)
    chunks = [chunk[lengths[chunk].argsort(stable=True)] for chunk in order.split(50 * batch_size)]
    batches = [batch.tolist() for chunk in chunks for batch in chunk.split(batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def adamw(model: PreTrainedModel, training: ClassifierTraining) -> torch.optim.AdamW:
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


@torch.no_grad()
def evaluate(model: PreTrainedModel, data: TokenizedExamples) -> tuple[float, float]:
    """Mean loss (nats) and accuracy (percent) on some data, without dropout; draws no random number.

    Of a regression: mean squared error, and Pearson's r times 100.
    """
    model.eval()
    loss, count, logits = 0.0, len(data.inputs), []
    for first in range(0, count, EVALUATION_BATCH):
        rows = range(first, min(first + EVALUATION_BATCH, count))
        output = model(**data.batch(rows, model.device))
        logits.append(output.logits.cpu())
        loss += float(output.loss) * len(rows)
    model.train()
    return loss / count, _score(torch.cat(logits), data.labels)


def _score(logits: Float[Tensor, "examples outputs"], labels: Num[Tensor, " examples"]) -> float:
    if not labels.is_floating_point():
        return 100 * int((logits.argmax(-1) == labels).sum()) / len(labels)
    pearson, targets = metric("pearson"), [str(label) for label in labels.tolist()]
    statistics = pearson.count(pl.DataFrame({OUTPUT: on_grid(logits[:, 0].numpy()), "target": targets}))
    return float(pearson.score(statistics.sum(axis=0)))
