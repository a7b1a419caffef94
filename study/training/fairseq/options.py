"""Options of training a translation model by fairseq."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from study.record.errors import InputError
from study.record.files import short_hash
from study.record.metrics import Task
from study.record.training.gates import GATES_FILE
from study.training.training import Training, source_identity


@dataclass(kw_only=True)
class TranslationTraining(Training):
    """How a transformer of fairseq's is made; the defaults are the paper's for IWSLT.

    Adam on the label-smoothed cross entropy, all embeddings shared, subwords learnt on both sides together.

    Attributes:
        source: language code of the source side; names files and chooses the Moses rules.
        target: language code of the target side, with the same uses.
        merges: BPE merge operations.
        encoder_layers: layers of the encoder.
        decoder_layers: layers of the decoder.
        heads: attention heads per layer, of each kind.
        hidden: model dimension, a multiple of `heads`.
        inner: dimension of the feed-forward layers.
        pre_norm: layer norm before each block instead of after it.
        dropout: dropout of hidden states.
        label_smoothing: label smoothing of the cross entropy.
        learning_rate: peak of the learning rate, which falls with the inverse square root of the updates.
        warmup_updates: updates until the peak.
        weight_decay: Adam's weight decay.
        clip_norm: largest norm of an update's gradient; 0 for none.
        max_tokens: tokens a batch, on the longer side.
        python: interpreter that has fairseq; when empty, this one.
    """

    task: Task = Task.TRANSLATION
    seed: int = 1
    source: str = MISSING
    target: str = MISSING
    merges: int = 10_000
    encoder_layers: int = 6
    decoder_layers: int = 6
    heads: int = 8
    hidden: int = 512
    inner: int = 1024
    pre_norm: bool = True
    dropout: float = 0.3
    label_smoothing: float = 0.1
    learning_rate: float = 5e-4
    warmup_updates: int = 4000
    weight_decay: float = 1e-4
    clip_norm: float = 0.0
    max_tokens: int = 4000
    python: str = ""

    def identity(self) -> dict[str, Any]:
        """See `Training.identity`; the dev data decides which epoch is best, so it belongs to it here."""
        return {**super().identity(), "dev": source_identity(self.dev_set)}

    def initial(self) -> str:
        """See `Training.initial`; fairseq draws the weights by the one seed that there is."""
        names = ("seed", "merges", "encoder_layers", "decoder_layers", "heads", "hidden", "inner")
        drawn = {name: getattr(self, name) for name in names}
        return short_hash({**drawn, "train": source_identity(self.train_set)})

    def check(self) -> None:
        """See `Training.check`."""
        super().check()
        if self.gates.has_gates:
            raise InputError(
                f"gates={self.gates.name}: fairseq itself trains without gates. model=fairseq_finetuned trains a "
                f"translator with them, from a folder of fairseq's (model.training.start) or a model that is trained "
                f"here (model.training.origin)"
            )
        if any(epoch < 1 or not epoch.is_integer() for epoch in self.kept_epochs):
            raise InputError(f"training.keep={list(self.keep)}: fairseq keeps checkpoints of whole epochs, from 1 on")
        if self.hidden % self.heads:
            raise InputError(f"training.hidden={self.hidden} is no multiple of training.heads={self.heads}")

    def checkpoint(self, folder: Path, epoch: float) -> Path:
        """A file of fairseq's; dictionaries and BPE codes stand beside it."""
        return folder / f"checkpoint{epoch:g}.pt"

    def gates_file(self, folder: Path, epoch: float) -> Path:
        """See `Training.gates_file`; fairseq itself trains without gates."""
        return self.checkpoint(folder, epoch).with_suffix(f".{GATES_FILE}")
