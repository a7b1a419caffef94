"""Rows of bits as text: row after row, eight of them a byte, deflated."""

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool


def packed(rows: Bool[np.ndarray, "rows columns"]) -> dict[str, Any]:
    """Rows as JSON values."""
    text = base64.b64encode(zlib.compress(np.packbits(rows, axis=1).tobytes())).decode()
    return {"count": len(rows), "bits": text}


def unpacked(stored: Mapping[str, Any], columns: int) -> Bool[np.ndarray, "rows columns"]:
    """Inverse of `packed`.

    Raises:
        ValueError: when there are not so many bits.
    """
    try:
        content = zlib.decompress(base64.b64decode(stored["bits"], validate=True))
    except zlib.error as error:
        raise ValueError(f"its bits cannot be unpacked: {error}") from error
    rows = np.frombuffer(content, dtype=np.uint8).reshape(stored["count"], -(-columns // 8))
    return np.unpackbits(rows, axis=1, count=columns).astype(bool)
