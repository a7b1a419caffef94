"""IWSLT 2014 (TED talks), from its raw files: tags stripped, talks told apart, training pairs cleaned and split.

    <folder>/train.tags.de-en.de                  lines of text between lines of tags
             IWSLT14.TED.tst2010.de-en.de.xml     <seg> elements, in the order of the talks

As in fairseq's recipe (`examples/translation/prepare-iwslt14.sh`): pairs of which a side has no or over 175 tokens, or
of which one has over 1.5 times as many as the other, are left out of the training text; every 23rd of the rest is
`valid`; `test` is dev2010, dev2012, tst2010, tst2011 and tst2012; text is in lower case. Tokens are sacremoses's.
"""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from study.data.archive import fetch_archive
from study.data.parallel import require_parallel
from study.data.source import DataSource
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import cache_folder, file_digest
from study.record.lines import read_lines
from study.record.metrics import Task

log = logging.getLogger(__name__)

EVERY = 23
"""The last of so many cleaned training pairs is for validation."""

TESTS = ("TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011", "TED.tst2012")
TALK = re.compile(r"<talkid>\s*(.*?)\s*</talkid>|<doc [^>]*docid=\"([^\"]*)\"")
SEGMENT = re.compile(r"<seg id=\"[^\"]*\">\s*(.*?)\s*</seg>")
TEXT_TAGS = re.compile(r"</?(?:title|description)>")
"""What stands between these is text of the corpus; lines of any other tag are not."""


class Part(StrEnum):
    """Which pairs."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


@dataclass(frozen=True)
class Line:
    """A line of text, the talk that it is of, and its number in the file, from 1."""

    text: str
    talk: str
    number: int


@dataclass(kw_only=True)
class IwsltTed(DataSource):
    """One part of an IWSLT 2014 language pair; examples are grouped by their talk.

    Attributes:
        part: which.
        source: language code of the source side.
        target: language code of the target side.
        folder: with the raw files; when empty, in the cache.
        url: the archive that `fetch` gets them from.
        lower_case: as the paper's model has it; the references as well.
        max_tokens: longest side of a training pair.
        max_ratio: most tokens of one side for each of the other.
    """

    task: Task = Task.TRANSLATION
    part: Part = MISSING
    source: str = "de"
    target: str = "en"
    folder: str = ""
    url: str = "http://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz"
    lower_case: bool = True
    max_tokens: int = 175
    max_ratio: float = 1.5

    def identity(self) -> dict[str, Any]:
        """See `DataSource.identity`."""
        own = {name: value for name, value in super().identity().items() if name not in ("folder", "url")}
        return {**own, "files": {path.name: file_digest(path) for pair in self._files() for path in pair}}

    def languages(self) -> tuple[str, str] | None:
        """See `DataSource.languages`."""
        return self.source, self.target

    def missing(self) -> list[str]:
        """See `DataSource.missing`."""
        return [] if self.folder or self._place().is_dir() else [f"{self.url} into {self._place()}"]

    def fetch(self) -> None:
        """See `DataSource.fetch`."""
        if self.missing():
            fetch_archive(self.url, self._place())

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        chosen = list(self._test() if self.part is Part.TEST else self._split())
        if not chosen:
            raise InputError(f"data '{self.name}': {self._place()} has no pair for '{self.part}'")
        cased = str.lower if self.lower_case else str
        pairs = [(name, source.talk, cased(source.text), cased(target.text)) for name, source, target in chosen]
        names, talks, sources, targets = zip(*pairs, strict=True)
        return Examples(names, tuple((text,) for text in sources), targets, {"group": talks})

    def _split(self) -> Iterator[tuple[str, Line, Line]]:
        kept = _clean(*self._files()[0], self.source, self.target, self.max_tokens, self.max_ratio)
        for number, (source, target) in enumerate(kept, start=1):
            if (number % EVERY == 0) is (self.part is Part.VALID):
                yield f"{self.part}-{source.number}", source, target

    def _test(self) -> Iterator[tuple[str, Line, Line]]:
        for name, files in zip(TESTS, self._files(), strict=True):
            sides = [_lines(path, _segment) for path in files]
            require_parallel(files, sides, "lines of text")
            for number, (source, target) in enumerate(zip(*sides, strict=True), start=1):
                yield f"{name}-{number}", source, target

    def _place(self) -> Path:
        return (
            Path(self.folder).expanduser() if self.folder else cache_folder() / f"iwslt14-{self.source}-{self.target}"
        )

    def _files(self) -> list[tuple[Path, Path]]:
        """Source and target file of each set that the part is made of."""
        pair = f"{self.source}-{self.target}"
        stems = [f"IWSLT14.{test}.{pair}.{{}}.xml" for test in TESTS]
        if self.part is not Part.TEST:
            stems = [f"train.tags.{pair}.{{}}"]
        return [(self._place() / stem.format(self.source), self._place() / stem.format(self.target)) for stem in stems]


@lru_cache(maxsize=1)
def _clean(
    source: Path, target: Path, source_lang: str, target_lang: str, max_tokens: int, max_ratio: float
) -> list[tuple[Line, Line]]:
    """The training pairs whose lengths fit each other; read and counted once for both parts."""
    from sacremoses import MosesTokenizer  # takes half a second, which only this data needs

    sides = [_lines(path, _tagged) for path in (source, target)]
    require_parallel((source, target), sides, "lines of text")
    counts = [
        [len(tokenizer.tokenize(line.text, escape=False)) for line in side]
        for tokenizer, side in zip(map(MosesTokenizer, (source_lang, target_lang)), sides, strict=True)
    ]
    kept = [
        (a, b)
        for a, b, n, m in zip(*sides, *counts, strict=True)
        if min(n, m) >= 1 and max(n, m) <= max_tokens and max(n, m) <= max_ratio * min(n, m)
    ]
    log.info(
        "%s: %d of %d pairs left out: empty, too long, or of too different lengths",
        source.name,
        len(sides[0]) - len(kept),
        len(sides[0]),
    )
    return kept


def _lines(path: Path, text_of: Callable[[str], str | None]) -> list[Line]:
    """The lines of a file that hold text of a talk; `text_of` gives what a line holds, None where it is markup."""
    lines, talk = [], ""
    for number, line in enumerate(read_lines(path), start=1):
        if found := TALK.search(line):
            talk = found[1] or found[2] or ""
        text = text_of(line)
        if text is not None:
            lines.append(Line(unescape(text), talk, number))
    return lines


def _tagged(line: str) -> str | None:
    """The text in a line of a training file: one without tags, or what stands in title and description."""
    text = TEXT_TAGS.sub("", line).strip()
    return None if text.startswith("<") else text


def _segment(line: str) -> str | None:
    """The text in a line of a test file."""
    found = SEGMENT.search(line)
    return None if found is None else found[1]
