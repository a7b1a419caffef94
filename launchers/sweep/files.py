"""JSON files that are either whole or not there."""

import contextlib
import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from launchers.errors import LauncherError


def write_json(path: Path, content: Any, *, sync: bool = False) -> None:
    """Write a file so that a reader finds all of it or nothing: beside, then renamed.

    Args:
        path: its folder is made when it is not there.
        content: what JSON cannot say becomes text.
        sync: it shall survive a power cut, too.

    Raises:
        LauncherError: when it cannot be written: the disk is full, for instance.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(json.dumps(content, default=str, ensure_ascii=False) + "\n")
            if sync:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise LauncherError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """What a file of `write_json` says."""
    return json.loads(path.read_bytes())


def stamp() -> str:
    """A name that no other has, in the order of time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:6]}"
