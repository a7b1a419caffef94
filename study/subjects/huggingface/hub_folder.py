"""The folder of a model of transformers, on this machine or downloaded from the hub, whatever the model is for."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from study.record.errors import InputError
from study.record.files import name_of
from study.subjects.checkpoints import PLACE, SEED, at_epoch, at_seed, no_such_epoch, shared_name
from study.subjects.model import ModelConfig


@dataclass(kw_only=True)
class HubFolder(ModelConfig):
    """A model by hub name or local folder.

    Attributes:
        path: folder with config.json, or hub name; with `{epoch}` or `{seed}` in it, that of each checkpoint.
        revision: commit, tag or branch on the hub.
    """

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
