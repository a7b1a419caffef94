"""An attention-only probe as stored: how it was trained, the weights of every head, and what it is compared with.

    results/<model>/<data>/<setting id>/probes/<id>.json

The probe of Clark et al. (2019, section 5) says which word each word depends on, from attention alone. The id is that
of its training, so that the same probe of a model with random weights, or of another data set, has the same id.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from study.record.documents import Documents
from study.record.errors import StudyError
from study.record.files import short_hash
from study.record.setting import ANEW

FOLDER = "probes"

VERSION = 1
"""Version of what a probe is and of how it is trained. It rises when the numbers of an equal training change."""


class ProbeError(StudyError):
    """A file of a probe that cannot be read."""


@dataclass(frozen=True)
class ProbeTraining:
    """All that determines a probe besides the model.

    Attributes:
        files: names of the treebanks that it is trained on.
        digest: sha256 of their sentences and trees.
        sentences: number of these.
        learning_rates: step sizes of Adam that are tried; a step is a sentence.
        epochs: times that the sentences are gone through at most.
        held_out: share of the documents, or of the sentences where there are none, that only decide which rate and
            epoch are taken.
        seed: seed of the share that is held out, and of the order of sentences.
    """

    files: tuple[str, ...]
    digest: str
    sentences: int
    learning_rates: tuple[float, ...]
    epochs: int
    held_out: float
    seed: int

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits of the hash of all that is no name."""
        return short_hash({"version": VERSION, **asdict(replace(self, files=()))})

    def __str__(self) -> str:
        """For people: `en_ewt-ud-dev + en_ewt-ud-test`."""
        return " + ".join(self.files)


@dataclass(frozen=True)
class ProbeEpoch:
    """How well a probe does after an epoch.

    Attributes:
        loss: mean loss of a word while it was trained, nats.
        held_out_loss: mean loss of a word that is held out, nats.
        held_out_right: words that are held out, punctuation aside, whose head is found.
    """

    loss: float
    held_out_loss: float
    held_out_right: int


@dataclass(frozen=True)
class ProbeWeights:
    """What scores word i as the head of word j: the sum over heads of w a(j, i) + u a(i, j).

    The root is scored so too, by attention to and from what opens a text ([CLS], BOS) and what closes it ([SEP], EOS),
    each sum times a number of its own. Where a model reads neither, the root has a constant score.

    Attributes:
        to_head: w of each head, of attention from a word to its head.
        to_dependent: u of each head, of attention from the head to the word.
        beginning: what the sum over attention to and from the opening token counts.
        separator: what that of the closing token counts.
        constant: the root's score where there is no such token.
    """

    to_head: tuple[float, ...]
    to_dependent: tuple[float, ...]
    beginning: float = 1.0
    separator: float = 1.0
    constant: float = 0.0


@dataclass(frozen=True)
class SyntaxProbe:
    """A trained probe.

    Attributes:
        training: how it was trained.
        heads: addresses of the heads that it reads.
        weights: those of the epoch taken.
        learning_rate: the rate taken.
        course: every epoch at this rate.
        epoch: number of the epoch taken, from 1: rate and epoch are those of the smallest loss on what is held out.
        held_out_sentences: sentences that are held out.
        held_out_words: words of these, punctuation aside.
        loss_without: by head, the mean loss of a held-out word when both of its weights are 0, nats.
        offset: position of the head less that of the word, the same for all words, which is right most often in
            training, punctuation aside.
        single_head: address of the head that is right most often by itself in training, punctuation aside.
        single_to_head: whether it is so by the word that a word attends to most; else by the one that attends to it
            most.
        seen: ids of the examples of this setting whose text is among those of the training.
    """

    training: ProbeTraining
    heads: tuple[str, ...]
    weights: ProbeWeights
    learning_rate: float
    course: tuple[ProbeEpoch, ...]
    epoch: int
    held_out_sentences: int
    held_out_words: int
    loss_without: tuple[float, ...]
    offset: int
    single_head: str
    single_to_head: bool
    seen: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """That of its training."""
        return self.training.id

    @property
    def loss(self) -> float:
        """The mean loss of a held-out word, nats."""
        return self.course[self.epoch - 1].held_out_loss

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "SyntaxProbe":
        """Inverse of `to_json`.

        Raises:
            KeyError, TypeError: when it is not of that form.
        """
        training, weights = (_tuples(stored[part]) for part in ("training", "weights"))
        parts = {
            "training": ProbeTraining(**training),
            "weights": ProbeWeights(**weights),
            "course": tuple(ProbeEpoch(**epoch) for epoch in stored["course"]),
        }
        return cls(**{**_tuples(stored), **parts})


def _tuples(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Values with tuples in place of lists, as there are no others in JSON."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}


PROBES = Documents(FOLDER, "probe", ProbeError, SyntaxProbe.from_json, f"delete it; {ANEW}")


def probe_path(probe: str, folder: Path) -> Path:
    """The file of a probe, by its id, in a setting's folder."""
    return PROBES.path(probe, folder)


def write_probe(probe: SyntaxProbe, folder: Path) -> None:
    """Keep a probe in a setting's folder.

    Raises:
        WriteError: when the folder cannot be written.
    """
    PROBES.write(probe, folder)


def read_probe(probe: str, folder: Path) -> SyntaxProbe | None:
    """A probe of a setting's folder, by its id; None where it has none.

    Raises:
        ProbeError: for a file that is none, or that of another training or setting.
    """
    path = probe_path(probe, folder)
    return PROBES.read(path, folder.name) if path.is_file() else None
