"""The training of a sequence classifier: one loop for fine-tuning and for a small BERT from nothing.

What is random comes from the training's seed alone, and the caller's random state is left as it was. What a step
depends on besides the data (weights, optimizer, schedule, random state of dropout) is written now and then, so that a
killed training goes on with the same batches and ends with the same weights: on a CPU with the same number of
threads, to the last bit.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from logging import getLogger
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from study.record.errors import InputError, Stopped
from study.record.examples import Examples
from study.record.files import whole_file
from study.record.training_history import Record, write_history
from study.subjects.labels import label_index, require_labels
from study.terminal.progress import progress
from study.training.classifier_options import ClassifierTraining, FineTuning
from study.training.folder import training_folder, whole_folder
from study.training.initial_model import start
from study.training.training import limited

log = getLogger(__name__)

STATE_FILE = "state.pt"
EVALUATION_BATCH = 250


@dataclass(frozen=True)
class Encoded:
    """Examples as tokens, ready to be put into batches.

    Attributes:
        inputs: what the tokenizer made of each example: token ids, segment ids.
        labels: index of each example's label.
    """

    inputs: list[dict[str, list[int]]]
    labels: Int[Tensor, " examples"]

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def lengths(self) -> Int[Tensor, " examples"]:
        """Tokens of each example."""
        return torch.tensor([len(row["input_ids"]) for row in self.inputs])


def train_classifier(
    training: ClassifierTraining, folder: Path, device: str, threads: int, recorded: Callable[[], None] = lambda: None
) -> None:
    """Train, or go on where an earlier run was stopped; see `Training.run`.

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
        texts = [text for row in train.texts for text in row]
        with _threads(threads), torch.random.fork_rng(_cuda(device)):
            torch.manual_seed(training.seed)
            model, tokenizer = start(training, texts, labels)
            tokenizer.pad_token_id = pad_token(model, tokenizer)
            sets = [encode(examples, tokenizer, labels, training.max_length) for examples in (train, dev)]
            model.to(torch.device(device))  # pyright: ignore[reportArgumentType]
            Course(training, model, tokenizer, sets[0], sets[1], folder, recorded).go()


def pad_token(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding token; a model without one (GPT-2) is trained to take its end token for padding.

    Raises:
        InputError: when it has no end token either.
    """
    config = model.config.get_text_config()
    end = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    pad = next((i for i in (tokenizer.pad_token_id, config.pad_token_id, end) if isinstance(i, int)), None)
    if pad is None:
        raise InputError(f"{type(model).__name__} has no padding and no end token")
    config.pad_token_id = pad
    return pad


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many CPU threads within the block; 0: as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _no_bar() -> Iterator[None]:
    """No bar of transformers' within the block: files are written in no time, and the training has a bar of its own."""
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


def _cuda(device: str) -> list[int]:
    """The CUDA devices whose random state is to be kept."""
    where = torch.device(device)
    return [where.index or 0] if where.type == "cuda" else []


def learnable(training: ClassifierTraining, train: Examples, dev: Examples) -> tuple[str, ...]:
    """The labels to learn, in the order of the model's outputs.

    Raises:
        InputError: when there are none to tell apart, or the model or the training data do not have them all.
    """
    if len(train.labels) < 2:
        raise InputError(
            f"nothing to learn from data '{training.train.name}': all of its {len(train)} examples have the label "
            f"{train.targets[0]!r}"
        )
    own = training.own_labels() if isinstance(training, FineTuning) else ()
    labels = own or train.labels
    for name, examples in ((training.train.name, train), (training.dev.name, dev)):
        try:
            require_labels(examples.targets, labels)
        except InputError as error:
            raise InputError(f"data '{name}': {error}") from error
    return labels


def encode(examples: Examples, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str], max_length: int) -> Encoded:
    """Tokens and label indices of examples; longer inputs are cut at `max_length` tokens."""
    encoding = tokenizer(
        [texts[0] for texts in examples.texts],
        [texts[1] for texts in examples.texts] if len(examples.texts[0]) == 2 else None,
        truncation=True,
        max_length=max_length,
        return_attention_mask=False,
    )
    inputs = [dict(zip(encoding, row, strict=True)) for row in zip(*encoding.values(), strict=True)]
    index = label_index(labels)
    return Encoded(inputs, torch.tensor([index[target.casefold()] for target in examples.targets]))


def epoch_batches(lengths: Int[Tensor, " examples"], batch_size: int, generator: torch.Generator) -> list[list[int]]:
    """The examples of one epoch, each once, in batches of similar length, in random order."""
    order = torch.randperm(len(lengths), generator=generator)
    chunks = [chunk[lengths[chunk].argsort(stable=True)] for chunk in order.split(50 * batch_size)]
    batches = [batch.tolist() for chunk in chunks for batch in chunk.split(batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def triangle(progress: float, warmup: float) -> float:
    """Share of the peak learning rate: up from 0 to 1 until `warmup`, down to 0 at the end of the training."""
    return progress / warmup if progress < warmup else (1 - progress) / (1 - warmup)


def optimizer_of(model: PreTrainedModel, training: ClassifierTraining) -> torch.optim.AdamW:
    """AdamW; biases and norms, which are vectors, do not decay."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate)


@dataclass
class Course:
    """A training under way.

    Attributes:
        training: its settings.
        model: what is trained, on its device.
        tokenizer: of the model.
        data: to learn from.
        dev: to evaluate on.
        folder: of the training.
        recorded: called whenever the history in it has changed.
        records: the history so far.
        step: updates so far.
        saved: the step from which a killed training goes on; 0: from its beginning.
        loss: sum of the losses of the steps since the last record.
        counted: how many these are.
        rate: the learning rate of the last step.
        seconds: of training so far.
    """

    training: ClassifierTraining
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    data: Encoded
    dev: Encoded
    folder: Path
    recorded: Callable[[], None] = lambda: None
    records: list[Record] = field(default_factory=list)
    step: int = 0
    saved: int = 0
    loss: float = 0.0
    counted: int = 0
    rate: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        training, generator = self.training, torch.Generator().manual_seed(self.training.seed)
        epochs = [epoch_batches(self.data.lengths, training.batch_size, generator) for _ in range(training.epochs)]
        self.batches = [batch for batches in epochs for batch in batches]
        self.steps_an_epoch = len(epochs[0])
        self.optimizer = optimizer_of(self.model, training)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: triangle((step + 1) / (len(self.batches) + 1), training.warmup)
        )
        self.keep = {self.step_of(epoch): epoch for epoch in training.moments}
        evaluations = int(training.epochs / training.evaluate_every)
        self.evaluate_at = {self.step_of(i * training.evaluate_every) for i in range(1, evaluations + 1)}

    def step_of(self, epoch: float) -> int:
        """The step after which so many epochs are over."""
        return round(epoch * self.steps_an_epoch)

    def go(self) -> None:
        """Train until the last checkpoint is there."""
        state = self.folder / STATE_FILE
        if state.is_file():
            self.restore(state)
            log.info("going on with the training after step %d of %d", self.step, len(self.batches))
        else:
            self.keep_what_is_due()
        self.model.train()
        try:
            with progress("training the classifier", len(self.batches), "steps") as advance:
                advance(self.step)
                while self.step < len(self.batches):
                    began = time.monotonic()
                    self.learn(self.batches[self.step])
                    self.seconds += time.monotonic() - began
                    self.keep_what_is_due()
                    advance(1)
        except KeyboardInterrupt:
            raise Stopped(self.what_is_kept()) from None
        state.unlink(missing_ok=True)

    def what_is_kept(self) -> str:
        """Where the same command will go on after Ctrl-C."""
        again = f"goes on after step {self.saved:,}" if self.saved else "begins it anew, as nothing of it is saved yet"
        return (
            f"The training was at step {self.step:,} of {len(self.batches):,}: the same command {again} "
            f"(saved at checkpoints and every {self.training.save_every:,} steps, model.training.save_every)"
        )

    def learn(self, batch: list[int]) -> None:
        """One step."""
        loss = self.model(**self.tensors(self.data, batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.training.clip_norm)
        self.rate = self.optimizer.param_groups[0]["lr"]
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.step, self.loss, self.counted = self.step + 1, self.loss + loss.item(), self.counted + 1

    def keep_what_is_due(self) -> None:
        """Evaluation, record, checkpoint and state, each at its steps; together they change nothing of the training."""
        training, step = self.training, self.step
        evaluates = step in self.keep or step in self.evaluate_at
        if evaluates or (step and step % training.record_every == 0):
            self.record(evaluates)
        if step in self.keep:
            self.save_checkpoint(training.checkpoint(self.folder, self.keep[step]))
        if 0 < step < len(self.batches) and (step in self.keep or step % training.save_every == 0):
            self.save(self.folder / STATE_FILE)

    def record(self, evaluates: bool) -> None:
        """Add a line to the history."""
        dev_loss, dev_score = evaluate(self.model, self, self.dev) if evaluates else (None, None)
        loss = self.loss / self.counted if self.counted else None
        epoch = self.step / self.steps_an_epoch
        self.records.append(Record(self.step, epoch, self.rate, loss, dev_loss, dev_score, round(self.seconds, 1)))
        self.loss, self.counted = 0.0, 0
        self.write_history()
        if evaluates:
            log.info("epoch %.2f: dev loss %.3f, accuracy %.1f %%", epoch, dev_loss, dev_score)

    def save_checkpoint(self, path: Path) -> None:
        """Model and tokenizer, as transformers would; a folder that is there is of this very training."""
        if not path.is_dir():
            with whole_folder(path) as draft, _no_bar():
                self.model.save_pretrained(draft)
                self.tokenizer.save_pretrained(draft)

    def save(self, path: Path) -> None:
        """All that the next step depends on."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.model.device) if self.model.device.type == "cuda" else None,
            "records": [asdict(record) for record in self.records],
            **{name: getattr(self, name) for name in ("step", "loss", "counted", "seconds")},
        }
        with whole_file(path) as draft:
            torch.save(state, draft)
        self.saved = self.step

    def restore(self, path: Path) -> None:
        """Go back to what was saved."""
        state = torch.load(path, map_location=self.model.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"].cpu())
        if state["random_cuda"] is not None and self.model.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.model.device)
        self.records = [Record(**record) for record in state["records"]]
        self.step, self.loss, self.counted = state["step"], state["loss"], state["counted"]
        self.saved = self.step
        self.seconds = state["seconds"]
        self.write_history()

    def write_history(self) -> None:
        """Write what is recorded, and say so."""
        write_history(self.folder, self.records)
        self.recorded()

    def tensors(self, data: Encoded, rows: Sequence[int]) -> dict[str, Tensor]:
        """Examples as the model's keyword arguments, padded to the longest of them."""
        padded = self.tokenizer.pad([data.inputs[row] for row in rows], return_tensors="pt")
        batch = {**padded, "labels": data.labels[list(rows)]}
        return {name: tensor.to(self.model.device) for name, tensor in batch.items()}


@torch.no_grad()
def evaluate(model: PreTrainedModel, course: Course, data: Encoded) -> tuple[float, float]:
    """Mean loss (nats) and accuracy (percent) on some data, without dropout; draws no random number."""
    model.eval()
    right, loss = 0, 0.0
    for first in range(0, len(data), EVALUATION_BATCH):
        rows = range(first, min(first + EVALUATION_BATCH, len(data)))
        batch = course.tensors(data, rows)
        found = model(**batch)
        right += int((found.logits.argmax(-1) == batch["labels"]).sum())
        loss += float(found.loss) * len(rows)
    model.train()
    return loss / len(data), 100 * right / len(data)
