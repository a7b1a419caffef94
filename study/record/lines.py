"""Lines of a text file: UTF-8, broken at LF only, and an error that names file and line where that fails."""

import codecs
import difflib
import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path

from study.record.errors import InputError


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without their ends.

    Lines end at LF (or CR LF) only: U+2028, U+0085 and their kin are characters of the text, where str.splitlines
    would break and shift parallel files against each other. A name ending in `.gz` is decompressed.

    Raises:
        InputError: when the file is missing (names its nearest neighbour), unreadable, empty or not UTF-8.
    """
    content = _content(path).removeprefix(codecs.BOM_UTF8)
    if not content:
        raise InputError(f"{path} is empty")
    return [
        _decoded(line.removesuffix(b"\r"), f"{path}:{number}")
        for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1)
    ]


def require_file(path: Path) -> None:
    """Check that a file is there.

    Raises:
        InputError: when it is not; names the nearest file beside it.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected a file")
    if not path.parent.is_dir():
        raise InputError(f"{path} does not exist: there is no folder {path.parent}")
    siblings = [sibling.name for sibling in path.parent.iterdir() if sibling.is_file()]
    raise InputError(f"{path} does not exist{did_you_mean(path.name, siblings)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the known name nearest to an unknown one; nothing when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _content(path: Path) -> bytes:
    require_file(path)
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _decoded(line: bytes, where: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: not UTF-8 (byte 0x{line[error.start]:02X} at position {error.start + 1} of the line)"
        ) from error
