"""Folders that are made once and then reused: either whole or not there, whoever makes them and whatever kills him."""

import fcntl
import importlib.util
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from study.errors import StudyError
from study.files import file_digest

log = logging.getLogger(__name__)


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """The folder, made first when it is not there.

    `make` fills a draft beside it, which takes its name when `make` returns. Where several processes ask at once, one
    makes it and the others wait. The draft of a making that failed stays, for its logs, until the next one begins.

    Raises:
        StudyError: when the folder cannot be written.
    """
    if folder.is_dir():
        return folder
    with _locked(folder):
        if folder.is_dir():
            return folder
        for dead in folder.parent.glob(f".{folder.name}.*.draft"):
            shutil.rmtree(dead)
        draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.draft")
        draft.mkdir()
        make(draft)
        draft.rename(folder)
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait for, then hold, the right to make a folder; a process that dies loses it."""
    path = folder.with_name(f".{folder.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise StudyError(f"cannot write to {path.parent}: {error.strerror or error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process that is making %s", folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def source_digests(modules: Sequence[str]) -> dict[str, str]:
    """sha256 of the source files of modules, without importing them."""
    digests = {}
    for module in modules:
        spec = importlib.util.find_spec(module)
        assert spec is not None, f"no module {module}"
        assert spec.origin is not None, f"{module} has no source file"
        digests[module] = file_digest(Path(spec.origin))
    return digests
