"""Several treebanks as one: what a probe is trained on."""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from study.data.syntax.ud_file import UdFile
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import file_digest


def read_treebanks(files: Sequence[Path]) -> tuple[Examples, str]:
    """The sentences of several files, in order, and a digest of them; read once a process as long as no file changes.

    Ids and groups begin with the number of the file. Sentences of one word are left out.

    Raises:
        InputError: for a file that is missing, stands twice, or is no treebank; names file and line.
    """
    paths = tuple(path.expanduser() for path in files)
    if missing := [path for path in paths if not path.is_file()]:
        raise InputError(f"there is no file {missing[0]}")
    digests = tuple(map(file_digest, paths))
    if len(set(digests)) < len(digests):
        double = next(path for path, digest in zip(paths, digests, strict=True) if digests.count(digest) > 1)
        raise InputError(f"{double} stands twice among the treebanks")
    return _read(paths, digests)


@lru_cache(maxsize=2)
def _read(paths: tuple[Path, ...], _digests: tuple[str, ...]) -> tuple[Examples, str]:
    parts = [UdFile(path=path).examples() for path in paths]
    groups = [part.columns.get("group", part.ids) for part in parts]
    whole = Examples(
        ids=_numbered([part.ids for part in parts]),
        texts=tuple(text for part in parts for text in part.texts),
        targets=("",) * sum(map(len, parts)),
        columns={"group": _numbered(groups)},
        trees=tuple(tree for part in parts for tree in part.trees or ()),
    )
    digest = hashlib.sha256(json.dumps([part.digest for part in parts]).encode()).hexdigest()
    return whole, digest


def _numbered(columns: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(f"{number}:{name}" for number, names in enumerate(columns, start=1) for name in names)
