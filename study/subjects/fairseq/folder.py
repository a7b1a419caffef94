"""Where a fairseq translation model is, and how it translates. No tensor is imported before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from omegaconf import MISSING

from study.data.archive import fetch_archive
from study.record.errors import InputError
from study.record.factors import Factors
from study.record.files import cache_folder, file_digest, name_of
from study.record.metrics import Task
from study.record.training.tasks import TaskChain, TaskRecord
from study.subjects.checkpoints import SEED, at_epoch, at_seed, no_such_epoch, shared_name
from study.subjects.fairseq.tasks import checkpoint_tasks, tasks_file
from study.subjects.model import ModelConfig
from study.subjects.model_files import WEIGHTS_FILE, model_digests

if TYPE_CHECKING:
    import torch

    from study.subjects.fairseq.text import TextProcessing
    from study.subjects.translator import Translator

CHECKPOINTS = ("checkpoint_best.pt", "model.pt", WEIGHTS_FILE)
CODES = "BPE codes"
BPE_CODES = ("bpecodes", "bpe.codes")
OTHER_SUBWORDS = {
    "*.model": "sentencepiece",
    "vocab.bpe": "the byte-level BPE of GPT-2",
    "merges.txt": "byte-level BPE",
}
"""Files of segmentations that cannot be read."""


@dataclass(kw_only=True)
class FairseqConfig(ModelConfig):
    """A transformer of fairseq's, wherever it is, with dictionaries and BPE codes (of subword-nmt or fastBPE).

    Attributes:
        bpe_codes: file name; `bpecodes` or `bpe.codes` when not given.
        source_lang: language read; names the dictionary `dict.<language>.txt`.
        target_lang: language written; names the other dictionary.
        escape: whether its text was escaped by the Moses tokeniser (`&apos;`).
        aggressive_dash_splits: whether its compounds were split at hyphens (`@-@`).
        beam: hypotheses kept in the search.
        lenpen: exponent of the length in a hypothesis's score.
        max_len_a: share of the most target tokens that grows with the source: so many for each of its tokens.
        max_len_b: share of the most target tokens that every source is given.
        truncate: cut sources that are longer than the model's positions; they are refused otherwise.
        task_name: which task of a model that was taught several is studied; empty: the latest.
    """

    task: Task = Task.TRANSLATION
    bpe_codes: str | None = None
    source_lang: str = MISSING
    target_lang: str = MISSING
    escape: bool = False
    aggressive_dash_splits: bool = False
    beam: int = 5
    lenpen: float = 1.0
    max_len_a: float = 0.0
    max_len_b: int = 200
    truncate: bool = False
    task_name: str = ""

    def languages(self) -> tuple[str, str] | None:
        """See `ModelConfig.languages`."""
        return self.source_lang, self.target_lang

    def task_chain(self) -> TaskChain | None:
        """See `ModelConfig.task_chain`."""
        try:
            weights = self.weights_file()
        except InputError:
            return None
        return checkpoint_tasks(weights)

    def task_record(self) -> TaskRecord | None:
        """The task that is studied; None for a model that has one.

        Raises:
            InputError: for a task that the model does not have.
        """
        chain = self.task_chain()
        if chain is None and self.task_name:
            raise InputError(
                f"model.task_name={self.task_name}: {self.weights_file()} is a model of one task. One that was taught "
                f"several has {tasks_file(self.weights_file()).name} beside it"
            )
        return None if chain is None else chain.task(self.task_name)

    def identity(self) -> dict[str, Any]:
        """Digests of the weights, how text is processed and how translations are searched for."""
        return {
            "checkpoint": self._digests(),
            "text": self.processing().identity(),
            "decoding": {
                "search": "fairseq beam search",
                "beam": self.beam,
                "lenpen": self.lenpen,
                "max_len_a": self.max_len_a,
                "max_len_b": self.max_len_b,
            },
            "truncate": self.truncate,
            "masked_by": "zero",
        }

    def _digests(self) -> Any:
        """What its weights are known by: a task by all numbers that it computes with, a model of one by its files."""
        weights, task = self.weights_file(), self.task_record()
        if task is not None:
            return task.digest
        return model_digests(weights.parent) if weights.name == WEIGHTS_FILE else file_digest(weights)

    def load(self, device: torch.device) -> Translator:
        """The model in float32."""
        from study.subjects.fairseq.load import load_translator
        from study.subjects.translator import DecodingOptions

        decoding = DecodingOptions(
            beam=self.beam, lenpen=self.lenpen, max_len_a=self.max_len_a, max_len_b=self.max_len_b
        )
        task = self.task_record()
        return load_translator(
            self.weights_file(), self.processing(), decoding, device, truncate=self.truncate, task=task and task.name
        )

    def _file(self, names: tuple[str, ...], what: str) -> Path:
        """The one file of these names that is in the folder."""
        folder = self.folder()
        if not folder.is_dir():
            raise InputError(f"no folder {folder} with a fairseq model{self._advice()}")
        found = [folder / name for name in names if (folder / name).is_file()]
        if not found:
            raise InputError(f"{folder} has no {what}: expected {' or '.join(names)}{self._other_subwords(what)}")
        return found[0]

    def _other_subwords(self, what: str) -> str:
        """What the folder has in place of BPE codes, in words."""
        named = [(path.name, kind) for file, kind in OTHER_SUBWORDS.items() for path in self.folder().glob(file)]
        if what != CODES or not named:
            return ""
        return f". {named[0][0]} is of {named[0][1]}, which is not read: codes of subword-nmt and of fastBPE are"

    def weights_file(self) -> Path:
        """The checkpoint, or the weights of a folder from which heads were removed.

        Raises:
            InputError: when it is not there.
        """
        raise NotImplementedError

    def _advice(self) -> str:
        """What to do where the folder is not there."""
        return ""

    def text_files(self) -> dict[Path, str]:
        """Dictionaries and BPE codes, by their usual names."""
        text = self.processing()
        dictionaries = (text.source_dictionary, text.target_dictionary)
        return {**{path: path.name for path in dictionaries}, text.bpe_codes: BPE_CODES[0]}

    def pruned(self, folder: Path) -> FairseqFolder:
        """See `ModelConfig.pruned`."""
        same = {name: getattr(self, name) for name in FairseqConfig.__dataclass_fields__}
        own = {"name": "", "path": str(folder), "epoch": None, "bpe_codes": None, "expected": {}, "task_name": ""}
        return FairseqFolder(**same | own)

    def processing(self) -> TextProcessing:
        """How its text is processed, and by which files.

        Raises:
            InputError: when a dictionary or the BPE codes are not there.
        """
        from study.subjects.fairseq.text import TextProcessing

        return TextProcessing(
            source_dictionary=self._file((f"dict.{self.source_lang}.txt",), "source dictionary"),
            target_dictionary=self._file((f"dict.{self.target_lang}.txt",), "target dictionary"),
            bpe_codes=self._file((self.bpe_codes,) if self.bpe_codes else BPE_CODES, CODES),
            source_lang=self.source_lang,
            target_lang=self.target_lang,
            escape=self.escape,
            aggressive_dash_splits=self.aggressive_dash_splits,
        )


@dataclass(kw_only=True)
class FairseqFolder(FairseqConfig):
    """A folder with a transformer trained by fairseq, its dictionaries and its BPE codes (of subword-nmt or fastBPE).

    Attributes:
        path: the folder, with `{seed}` in it that of each training; when empty, it is in the cache under the model's
            name.
        url: a tar archive of the folder, downloaded by `fetch` when the folder is not there.
        checkpoint: file name, with `{epoch}` in it that of each checkpoint of a training; `checkpoint_best.pt` or
            `model.pt` when not given, or the `model.safetensors` of a folder from which heads were removed.
    """

    ENTRY: ClassVar[str] = "fairseq_folder"
    path: str = ""
    url: str | None = None
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        self._take_name(shared_name(self.path) if SEED in self.path else name_of(self.path))

    def missing(self) -> list[str]:
        """The archive, when there is one and its folder is not there."""
        return [f"{self.url} into {self.folder()}"] if self.url and not self.folder().is_dir() else []

    def fetch(self) -> None:
        """Download and unpack the archive; the folder is whole or not there.

        Raises:
            InputError: when it cannot be downloaded, or is no tar archive or an unsafe one.
        """
        if self.url and self.missing():
            fetch_archive(self.url, self.folder())

    def folder(self) -> Path:
        """Where its files are, or will be once they are fetched.

        Raises:
            InputError: when neither `path` nor `url` says so.
        """
        if self.path:
            return Path(at_seed(self.path, self.seed, "model.path")).expanduser()
        if self.url:
            return cache_folder() / self.training_name
        raise InputError("model.path is not set: give the folder of a fairseq model")

    def factors(self, data: str, precision: str) -> Factors:
        """See `ModelConfig.factors`: of a model with several tasks, which it does, and how the latest was taught."""
        place, chain = super().factors(data, precision), self.task_chain()
        if chain is None:
            return place
        return replace(place, reuse=chain.latest.words or None, taught=chain.task(self.task_name).name)

    def weights_file(self) -> Path:
        """See `FairseqConfig.weights_file`."""
        if self.checkpoint is None and self.epoch is None:
            return self._file(CHECKPOINTS, "checkpoint")
        name = at_epoch(self.checkpoint or CHECKPOINTS[0], self.epoch, "model.checkpoint")
        if self.epoch is not None and self.folder().is_dir() and not (self.folder() / name).is_file():
            raise no_such_epoch(self.folder() / str(self.checkpoint), self.epoch)
        return self._file((name,), "checkpoint")

    def _advice(self) -> str:
        return ": run `study fetch` with it first" if self.url else ""
