"""Sealed JSON: files that hold a digest of their own content, so that a damaged one is never taken for another number.

Files without a seal are read as they are: earlier versions wrote none.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEAL = "digest"


def short_hash(content: Any) -> str:
    """Twelve hexadecimal digits of the sha256 of canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def sealed(content: Mapping[str, Any]) -> str:
    """The text of a file with this content and its seal."""
    return json.dumps({**content, SEAL: short_hash(content)}, indent=1, ensure_ascii=False) + "\n"


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


def read_sealed(path: Path) -> dict[str, Any]:
    """The content of a file.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is not the text of `sealed`.
    """
    return unsealed(json.loads(path.read_text(encoding="utf-8")))
