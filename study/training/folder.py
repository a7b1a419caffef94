"""The folder of one training: what it was made by, its history, its checkpoints; held by one process at a time.

<folder>/training.json       all that determines the weights
         history.jsonl       the course of it, see `study.record.training.history`
         epoch-1/, ...       checkpoints (transformers), or checkpoint1.pt ... (fairseq): whole or not there
"""

import fcntl
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from study.record.errors import InputError, StudyError
from study.record.files import whole_file
from study.record.setting import differences

log = logging.getLogger(__name__)

IDENTITY_FILE = "training.json"


@contextmanager
def training_folder(folder: Path, identity: Mapping[str, Any]) -> Iterator[None]:
    """Hold the folder of a training while it goes on; another process that wants the same waits, then finds it done.

    Sweeps hold their folders alike (`launchers.sweep.folder`): code twice, as study and launchers may share none.

    Args:
        folder: made when it is not there.
        identity: identity of the training, as JSON values.

    Raises:
        InputError: when the folder holds another training; says where they differ.
        StudyError: when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(f".{folder.name}.lock").open("w")
    except OSError as error:
        raise StudyError(f"cannot write to {folder}: {error.strerror or error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process that is training into %s", folder)
            fcntl.flock(lock, fcntl.LOCK_EX)
        require_same(folder, identity)
        if not (folder / IDENTITY_FILE).is_file():
            with whole_file(folder / IDENTITY_FILE) as draft:
                draft.write_text(json.dumps(identity, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        yield


def require_same(folder: Path, identity: Mapping[str, Any]) -> None:
    """Refuse a folder that holds another training, or something that is none.

    Raises:
        InputError: says where they differ.
    """
    path = folder / IDENTITY_FILE
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(f"{folder} holds no training (it has no {IDENTITY_FILE}), and is not empty: name another")
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if unlike := differences(json.loads(json.dumps(identity)), found):
        raise InputError("\n  ".join([f"{folder} holds the checkpoints of another training:", *unlike]))


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its name when the block ends without an error; dead drafts go first."""
    for dead in path.parent.glob(f".{path.name}.*.draft"):
        shutil.rmtree(dead)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.draft")
    draft.mkdir(parents=True)
    yield draft
    for file in draft.rglob("*"):
        if file.is_file():
            with file.open("rb") as content:
                os.fsync(content.fileno())
    draft.rename(path)
