"""Files that are either whole or not there: written beside, synced, renamed; and JSON that says when it is damaged.

Sealed JSON holds a digest of its own content, so that a damaged file is never taken for another number. Files without
a seal are read as they are: earlier versions wrote none.
"""

import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from study.record.errors import StudyError

SEAL = "digest"
"""Key of the digest in sealed JSON."""


class WriteError(StudyError):
    """A file or a folder that cannot be written: the disk is full, there is no permission."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends without an error.

    A reader never sees half a file, also after a power cut: the content is synced before the rename.

    Raises:
        WriteError: when the system refuses to write; nothing of the file is left.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except Exception as error:
        reason = refusal(error)
        if reason is None:
            raise
        if path.is_dir():
            reason = f"a folder has taken its place, take it away: {shlex.join(['rm', '-r', str(path)])}"
        raise WriteError(f"cannot write {path}: {reason}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file while it is read and written anew, so that of two processes neither undoes what the other wrote.

    Nothing is left of the lock; where the file system knows no locks, nothing waits.

    Raises:
        WriteError: when the folder cannot be written.
    """
    lock = made_folder(path.parent) / f".{path.name}.lock"
    try:
        file = _held(lock)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {refusal(error)}") from error
    with file:
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _held(lock: Path) -> IO[str]:
    """The lock's file, open, once no other process holds it."""
    while True:
        file = lock.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            return file
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                return file
        file.close()  # its last holder took it away


def refusal(error: Exception) -> str | None:
    """Why the system refused, in its words; None for an error of another kind.

    Libraries written in Rust (polars, safetensors) raise errors of their own, with the system's number in the text.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error)
    number = re.search(r"\(os error (\d+)\)", str(error))
    return os.strerror(int(number[1])) if number else None


def made_folder(folder: Path) -> Path:
    """The folder, made where it is not there.

    Raises:
        WriteError: when that cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write to {folder}: {refusal(error)}") from error
    return folder


def require_writable(folder: Path) -> None:
    """Refuse a folder in which nothing can be written; it is not made.

    Raises:
        WriteError: says what stands in the way.
    """
    there = next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))
    if not there.is_dir():
        reason = f"{there} is a file" if there != folder else "it is a file"
    elif not os.access(there, os.W_OK | os.X_OK):
        reason = f"{there} is read-only for you" if there != folder else "it is read-only for you"
    elif not shutil.disk_usage(there).free:
        reason = f"no space left where {there} is"
    else:
        return
    raise WriteError(f"cannot write to {folder}: {reason}")


def file_digest(path: Path) -> str:
    """sha256 of a file's content; computed once a process as long as the file's size and time stay the same."""
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=2**14)
def _digest(path: Path, _size: int, _time: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_hash(content: Any) -> str:
    """Twelve hexadecimal digits of the sha256 of canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with its seal, whole or not at all.

    Raises:
        WriteError: when the system refuses to write.
    """
    with whole_file(path) as draft:
        sealed = {**content, SEAL: short_hash(content)}
        draft.write_text(json.dumps(sealed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_sealed(path: Path) -> dict[str, Any]:
    """The content of a file of sealed JSON.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is not what was written.
    """
    return unsealed(json.loads(path.read_text(encoding="utf-8")))


def unsealed(content: Any) -> dict[str, Any]:
    """The content without its seal.

    Raises:
        ValueError: when it is no JSON object, or not the content that was sealed; says so in words.
    """
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    rest = {name: value for name, value in content.items() if name != SEAL}
    if SEAL in content and content[SEAL] != short_hash(rest):
        raise ValueError("its content is not what its digest says, it was damaged or changed")
    return rest


def name_of(path: str | Path) -> str:
    """A short name for what is at a path or of a hub name: its last part, without the ending of a file.

    It names a folder of results: what such a name cannot hold becomes `-`.
    """
    last = Path(path)
    name = last.stem if last.is_file() else last.name
    return name if is_folder_name(name) else re.sub(r"[^\w.+-]+", "-", name).strip("-.")


def is_folder_name(name: str) -> bool:
    """Whether a model or data set may be called so: letters, digits and `. _ - +`, no dot first."""
    return re.fullmatch(r"[\w+-][\w.+-]*", name) is not None


def cache_folder() -> Path:
    """Where downloads and made models are kept: `$SIXTEEN_HEADS_CACHE`, else `~/.cache/sixteen-heads`."""
    return Path(os.environ.get("SIXTEEN_HEADS_CACHE", "~/.cache/sixteen-heads")).expanduser()
