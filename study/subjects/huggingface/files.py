"""The JSON files of a model's folder: config.json, and those of its tokenizer."""

import json
from pathlib import Path
from typing import Any

from study.record.errors import InputError


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file.

    Raises:
        InputError: when it cannot be read or is no JSON object, as where a download was broken off.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # not text, or not JSON
        raise InputError(f"{path} is not whole, copy or download it again: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no JSON object")
    return content
