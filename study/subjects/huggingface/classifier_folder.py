"""Where a classifier of transformers is, and how it is run. No tensor is imported before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from omegaconf import MISSING

from study.record.errors import InputError
from study.record.files import name_of
from study.record.metrics import Task
from study.record.metrics.numbers import numbers
from study.subjects.checkpoints import PLACE, SEED, at_epoch, at_seed, no_such_epoch, shared_name
from study.subjects.huggingface.corrections import corrections
from study.subjects.huggingface.label_names import label_names, require_one_output
from study.subjects.labels import require_labels
from study.subjects.model import ModelConfig
from study.subjects.model_files import model_digests, require_tokenizer, tokenizer_files

if TYPE_CHECKING:
    import torch

    from study.record.examples import Examples
    from study.subjects.classifier import Classifier


@dataclass(kw_only=True)
class ClassifierConfig(ModelConfig):
    """A sequence classifier of transformers, wherever its folder is.

    Attributes:
        labels: name of each output, in order; read from the model when empty.
        check_labels: refuse a model that another order of its labels would make far better.
        max_length: most tokens of an example, special tokens included.
        truncate: cut longer examples, as the paper does; they are refused otherwise.
    """

    task: Task = Task.CLASSIFICATION
    labels: list[str] = field(default_factory=list)
    check_labels: bool = True
    max_length: int = 128
    truncate: bool = False

    def folder(self) -> Path:
        """Where its files are.

        Raises:
            InputError: when they are not on this machine.
        """
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        """Digests of the files, the labels as configured, how texts are cut, and what was corrected since."""
        folder = self.folder()
        files = model_digests(folder)
        require_tokenizer(folder)
        return {
            "files": files,
            "labels": list(self.output_names()),
            "max_length": self.max_length,
            "truncate": self.truncate,
            "masked_by": "zero",
            **corrections(folder),
        }

    def check_targets(self, examples: Examples) -> None:
        """Every label of the data must be one of the model's."""
        require_labels(examples.targets, self.output_names(), examples.merged)

    def check_texts(self, examples: Examples, max_unknown: float) -> None:
        """See `ModelConfig.check_texts`; takes the tokenizer alone."""
        from study.subjects.huggingface.load_classifier import load_text

        text = load_text(self.folder(), self.output_names(), max_length=self.max_length, truncate=self.truncate)
        text.encode(examples, max_unknown)

    def load(self, device: torch.device) -> Classifier:
        """The classifier in float32."""
        from study.subjects.huggingface.load_classifier import load_classifier

        options = {"max_length": self.max_length, "truncate": self.truncate}
        return load_classifier(self.folder(), device, labels=self.output_names(), **options)

    def output_names(self) -> tuple[str, ...]:
        """The name of each output, see `label_names`."""
        return label_names(self.folder(), self.labels)

    def text_files(self) -> dict[Path, str]:
        """The files of the tokenizer."""
        return {file: file.name for file in tokenizer_files(self.folder())}

    def pruned(self, folder: Path) -> ClassifierConfig:
        """See `ModelConfig.pruned`; the folder names the labels itself."""
        return HubClassifier(name="", path=str(folder), max_length=self.max_length, truncate=self.truncate)


@dataclass(kw_only=True)
class HubClassifier(ClassifierConfig):
    """Any sequence classifier of transformers, by hub name or local folder.

    Attributes:
        path: folder with config.json, or hub name; with `{epoch}` or `{seed}` in it, that of each checkpoint.
        revision: commit, tag or branch on the hub.
    """

    ENTRY: ClassVar[str] = "hf_classifier"
    path: str = MISSING
    revision: str | None = None

    def __post_init__(self) -> None:
        several = PLACE in self.path or SEED in self.path
        self._take_name(shared_name(self.path) if several else name_of(self.path))

    def idle(self) -> dict[str, str]:
        """A revision chooses among those on the hub."""
        path = self._path()
        is_folder = Path(path).expanduser().is_dir()
        return {"revision": f"it is of a model on the hub, and {path} is a folder"} if is_folder else {}

    def missing(self) -> list[str]:
        """The hub name, when its files are not in the download cache."""
        from study.subjects.huggingface.hub import local_folder

        path = self._path()
        return [] if local_folder(path, self.revision) else [f"model {path} from the Hugging Face hub"]

    def fetch(self) -> None:
        """Download from the hub."""
        from study.subjects.huggingface.hub import download

        if self.missing():
            download(self.path, self.revision)

    def folder(self) -> Path:
        """See `ClassifierConfig.folder`."""
        from study.subjects.huggingface.hub import local_folder

        path = self._path()
        folder = local_folder(path, self.revision)
        if folder is None:
            raise InputError(f"model '{path}' is neither a folder nor downloaded: run `study fetch` with it first")
        return folder

    def _path(self) -> str:
        """The folder or hub name; that of the seed and epoch wanted, where there is one for each."""
        pattern = at_seed(self.path, self.seed, "model.path")
        path = at_epoch(pattern, self.epoch, "model.path")
        if self.epoch is not None and not Path(path).expanduser().is_dir():
            raise no_such_epoch(Path(pattern).expanduser(), self.epoch)
        return path


@dataclass(kw_only=True)
class RegressorConfig(ClassifierConfig):
    """A sequence model of transformers with one output, a number, wherever its folder is."""

    task: Task = Task.REGRESSION

    def idle(self) -> dict[str, str]:
        """It has no labels."""
        return super().idle() | dict.fromkeys(("labels", "check_labels"), "a regression has no labels")

    def output_names(self) -> tuple[str, ...]:
        """No names.

        Raises:
            InputError: when there are several outputs.
        """
        require_one_output(self.folder())
        return ()

    def check_targets(self, examples: Examples) -> None:
        """Every target must be a number."""
        numbers(examples.targets)

    def pruned(self, folder: Path) -> ClassifierConfig:
        """See `ModelConfig.pruned`."""
        return HubRegressor(name="", path=str(folder), max_length=self.max_length, truncate=self.truncate)


@dataclass(kw_only=True)
class HubRegressor(RegressorConfig, HubClassifier):
    """Any sequence model of transformers with one output, by hub name or local folder."""

    ENTRY: ClassVar[str] = "hf_regressor"
