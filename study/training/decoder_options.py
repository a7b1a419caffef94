"""Options of training a decoder language model: further training of a model, or a small Llama from nothing."""

from dataclasses import dataclass
from pathlib import Path

from study.record.errors import InputError
from study.record.files import short_hash
from study.record.metrics import Task
from study.subjects.huggingface.decoder_folder import HubDecoder
from study.subjects.language_model.options import Begin, ReadingOptions
from study.subjects.model import ModelConfig
from study.training.training import source_identity
from study.training.transformers_options import TransformersTraining, Tuning


@dataclass(kw_only=True)
class DecoderTraining(TransformersTraining):
    """How the weights of a decoder language model are found: by the cross entropy of tokens, in nats a token.

    A text is learnt as a whole, in windows of `max_length` tokens; of a choice the tokens of the right continuation.

    Attributes:
        begin: what stands before every text, see `model.begin`.
    """

    task: Task = Task.TEXT
    begin: Begin = Begin.tokenizer

    def tasks(self) -> tuple[Task, ...]:
        """See `Training.tasks`."""
        return (Task.TEXT, Task.CHOICE)

    def check(self) -> None:
        """See `Training.check`."""
        super().check()
        if self.max_length < 2:
            raise InputError(f"training.max_length={self.max_length}: a token is learnt after another, so 2 at least")

    def reading(self) -> ReadingOptions:
        """How texts are read: a window and the token after it are `max_length` tokens."""
        return ReadingOptions(begin=self.begin, window=self.max_length - 1, truncate=True)


@dataclass(kw_only=True)
class DecoderTuning(DecoderTraining, Tuning):
    """A trained decoder learns more of texts or choices."""

    def start_model(self) -> ModelConfig:
        """See `Training.start_model`; texts are read as in the training."""
        if self.origin:
            return self.origin
        revision = None if Path(self.start).expanduser().is_dir() else self.revision
        reading = {"begin": self.begin, "window": self.max_length - 1, "truncate": True}
        return HubDecoder(name="", path=self.start, revision=revision, **reading)


@dataclass(kw_only=True)
class NewLlama(DecoderTraining):
    """A small Llama with random weights, whose tokens are the words of the training texts.

    Attributes:
        layers: decoder layers.
        heads: query heads per layer.
        groups: groups of query heads that share keys and values; `heads` is a multiple of it.
        hidden: model dimension, a multiple of `heads`.
        inner: dimension of the MLPs.
        initial_range: standard deviation of the initial weights.
    """

    layers: int = 2
    heads: int = 4
    groups: int = 2
    hidden: int = 48
    inner: int = 96
    initial_range: float = 0.02

    def check(self) -> None:
        """See `Training.check`."""
        super().check()
        if self.heads % self.groups or self.hidden % (2 * self.heads):
            raise InputError(
                f"training.heads={self.heads} must be a multiple of training.groups={self.groups}, and training.hidden="
                f"{self.hidden} an even multiple of training.heads"
            )

    def initial(self) -> str:
        """See `Training.initial`."""
        sizes = (self.layers, self.heads, self.groups, self.hidden, self.inner, self.max_length)
        drawn = {"seed": self.seed_of_weights, "range": self.initial_range}
        return short_hash({**drawn, "sizes": sizes, "train": source_identity(self.train_set)})
