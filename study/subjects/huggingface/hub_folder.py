"""The folder of a model of transformers, on this machine or downloaded from the hub, whatever the model is for."""

from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import MISSING

from study.record.errors import InputError
from study.record.factors import Factors
from study.record.files import name_of
from study.record.training.gates import GATES_FILE, GatesRecord, read_gates
from study.subjects.checkpoints import PLACE, SEED, at_epoch, at_seed, no_such_epoch, shared_name
from study.subjects.model import ModelConfig

UNTRAINED = "untrained"
"""Ends the name of a model with fresh weights, and is its entry in an identity."""


@dataclass(kw_only=True)
class HubFolder(ModelConfig):
    """A model by hub name or local folder.

    Attributes:
        path: folder with config.json, or hub name; with `{epoch}` or `{seed}` in it, that of each checkpoint.
        revision: commit, tag or branch on the hub.
        untrained: put fresh random weights in the place of those in the folder, for a model that has learned nothing
            and is otherwise the same: the control of what heads look at. Ends the name: `NAME-untrained`.
        untrained_seed: seed of these weights; ends the name, too, where it is not 0.
    """

    path: str = MISSING
    revision: str | None = None
    untrained: bool = False
    untrained_seed: int = 0

    def __post_init__(self) -> None:
        several = PLACE in self.path or SEED in self.path
        self._take_name(shared_name(self.path) if several else name_of(self.path))
        if self.untrained:
            ending = f"-{UNTRAINED}{self.untrained_seed or ''}"
            self.training_name += ending
            self.name += ending

    @property
    def fresh_seed(self) -> int | None:
        """See `ModelConfig.fresh_seed`."""
        return self.untrained_seed if self.untrained else None

    def factors(self, data: str, precision: str) -> Factors:
        """See `ModelConfig.factors`."""
        return replace(super().factors(data, precision), untrained=self.fresh_seed)

    def idle(self) -> dict[str, str]:
        """A revision chooses among those on the hub, a seed is of fresh weights."""
        path = self._path()
        idle = {} if self.untrained else {"untrained_seed": "it is of model.untrained=true"}
        if Path(path).expanduser().is_dir():
            idle["revision"] = f"it is of a model on the hub, and {path} is a folder"
        return idle

    def gates(self) -> GatesRecord:
        """See `ModelConfig.gates`; they stand beside the weights."""
        file = self.folder() / GATES_FILE
        return read_gates(file) if file.is_file() else super().gates()

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
        """See `ModelConfig.folder`."""
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
