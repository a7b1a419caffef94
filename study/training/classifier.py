"""The training of a sequence classifier: one way for fine-tuning and for a small BERT from nothing."""

from collections.abc import Callable, Sequence
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
from study.subjects.classifier import Classifier
from study.subjects.labels import label_index, require_labels
from study.subjects.regressor import Regressor
from study.subjects.subject import Subject
from study.training.classifier_options import ClassifierTraining, FineTuning
from study.training.initial_classifier import initial_classifier
from study.training.second_task.start import later_classifier
from study.training.transformers_training import Start, TokenizedData, train

EVALUATION_BATCH = 250


@dataclass(frozen=True)
class TokenizedExamples(TokenizedData):
    """Examples as tokens, of which batches are made.

    Attributes:
        inputs: what the tokenizer made of each example: token ids, segment ids.
        labels: index of each example's label; its number where there are no labels.
        tokenizer: the tokenizer, which pads.
    """

    inputs: list[dict[str, list[int]]]
    labels: Num[Tensor, " examples"]
    tokenizer: PreTrainedTokenizerBase

    @property
    def lengths(self) -> Int[Tensor, " examples"]:
        """See `TokenizedData.lengths`."""
        return torch.tensor([len(row["input_ids"]) for row in self.inputs])

    @property
    def answers(self) -> Num[Tensor, " examples"]:
        """See `TokenizedData.answers`."""
        return self.labels

    def batch(self, rows: Sequence[int], device: torch.device) -> dict[str, Tensor]:
        """See `TokenizedData.batch`."""
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

    def begin(learnt: Examples, dev: Examples) -> Start:
        labels = learnable(training, learnt, dev)
        if isinstance(training, FineTuning) and training.reuse.has_task:
            model, tokenizer, later = later_classifier(training, labels)
        else:
            model, tokenizer = initial_classifier(training, [text for row in learnt.texts for text in row], labels)
            later = None
        data, dev_data = (tokenize(examples, tokenizer, labels, training.max_length) for examples in (learnt, dev))

        def subject() -> Subject:
            kind = Classifier if labels else Regressor
            length, loaded = training.max_length, f"{type(model).__name__} in training"
            return kind(model, tokenizer, labels=labels, max_length=length, truncate=True, loaded=loaded)

        unit = "nats an example" if labels else "squared"
        return Start(
            name="classifier",
            model=model,
            tokenizer=tokenizer,
            data=data,
            dev=dev_data,
            unit=unit,
            evaluate=lambda: evaluate(model, dev_data),
            subject=subject,
            later=later,
        )

    train(training, folder, begin, device=device, threads=threads, recorded=recorded)


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
    for name, examples in ((training.train_set.name, train), (training.dev_set.name, dev)):
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
