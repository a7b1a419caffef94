"""Texts that a language model reads from their beginning: how likely is each? A local file, or one on the hub."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING

from study.data.hub_file import HubFile
from study.data.language.documents import DocumentKind, split_documents
from study.data.language.records import record_columns, record_names, records
from study.data.language.wikitext import detokenise
from study.data.source import DataSource
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import name_of
from study.record.lines import read_lines
from study.record.metrics import Task

TABLES = {".jsonl", ".parquet", ".tsv", ".csv"}


@dataclass(kw_only=True)
class TextSource(DataSource):
    """Documents of a plain text, or of a column of a table: JSONL, parquet, TSV (header, no quoting) or CSV.

    Examples are documents; long ones are read window by window, and windows are no examples. `words` and `bytes` are
    counted as lm-evaluation-harness counts them: words are what white space parts, bytes are UTF-8, both of the text as
    the file has it.

    Attributes:
        document: what a document of a plain text is; each row of a table is one.
        text: column of a table that holds the texts.
        id: column of unique names of a table; None, or where there is no `id`: the number of the line. Documents of a
            plain text are named by the line on which they begin, from 1.
        group: column of a table of what texts share that makes them dependent. In a plain text it is the article,
            where there are titles.
        annotations: columns of a table to slice the results by.
        detokenise: whether WikiText's tokens are joined to plain text again, as lm-evaluation-harness does.
    """

    task: Task = Task.TEXT
    document: DocumentKind = DocumentKind.paragraph
    text: str = "text"
    id: str | None = "id"
    group: str | None = None
    annotations: list[str] = field(default_factory=list)
    detokenise: bool = False

    def read(self, path: Path) -> Examples:
        """The documents of a file.

        Raises:
            InputError: when there is none, or one is empty.
        """
        path = path.expanduser()
        is_table = (path.with_suffix("") if path.suffix == ".gz" else path).suffix in TABLES
        return self._table(path) if is_table else self._plain(path)

    def _plain(self, path: Path) -> Examples:
        found = split_documents(read_lines(path), self.document)
        if not found:
            raise InputError(f"{path} holds blank lines alone")
        articles = [document.article for document in found]
        columns = {"group": articles} if any(articles) else {}
        return self._examples(
            [str(document.line) for document in found], [document.text for document in found], columns
        )

    def _table(self, path: Path) -> Examples:
        rows = records(path)
        texts = [row.text(self.text) for row in rows]
        for row, text in zip(rows, texts, strict=True):
            if not text.strip():
                raise InputError(f"{row.where}: '{self.text}' is empty")
        columns = record_columns(rows, self.group, self.annotations)
        return self._examples(record_names(rows, self.id), texts, columns)

    def _examples(self, ids: list[str], texts: list[str], columns: dict[str, list[str]]) -> Examples:
        return Examples(
            ids=tuple(ids),
            texts=tuple((detokenise(text) if self.detokenise else text,) for text in texts),
            targets=("",) * len(texts),
            columns={name: tuple(column) for name, column in columns.items()},
            counts={
                "words": tuple((len(re.split(r"\s+", text)),) for text in texts),
                "bytes": tuple((len(text.encode()),) for text in texts),
            },
        )


@dataclass(kw_only=True)
class TextFile(TextSource):
    """A local file of text.

    Attributes:
        path: the file.
    """

    path: Path = MISSING

    def __post_init__(self) -> None:
        self.name = self.name or name_of(self.path)

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        return self.read(self.path)


@dataclass(kw_only=True)
class TextBenchmark(TextSource):
    """Published texts: a file on the Hugging Face hub, or a local copy.

    Attributes:
        repository: the data set on the hub.
        revision: commit, branch or tag of it.
        file: file within it.
        path: a local copy in its place: a table with the same column, or plain text.
    """

    repository: str = MISSING
    revision: str = MISSING
    file: str = MISSING
    path: Path | None = None

    def missing(self) -> list[str]:
        """See `DataSource.missing`."""
        return [] if self.path or self._hub_file().cached() else [str(self._hub_file())]

    def fetch(self) -> None:
        """See `DataSource.fetch`."""
        self._hub_file().download()

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        return self.read(self.path or self._hub_file().path())

    def _hub_file(self) -> HubFile:
        return HubFile(self.repository, self.file, self.revision)
