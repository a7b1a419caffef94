"""A published task: a table of texts with labels or numbers, as a data set on the Hugging Face hub or a local copy.

Which columns are texts, what the labels are called and which metric scores them stands in a YAML file of `conf/data`, a
file a task.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING

from study.data.hub_file import HubFile
from study.data.rows import labelled_rows, require_filled, row_names, rows_with_texts
from study.data.source import DataSource
from study.data.table import Table, read_header, read_table
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.lines import did_you_mean
from study.record.metrics import Task
from study.record.metrics.numbers import numbers

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class TableTask(DataSource):
    """A table of texts with labels or numbers.

    Examples are named by their row in the file, as the ids of published files are not always unique.

    Attributes:
        repository: the data set on the hub.
        file: parquet file within it.
        revision: commit, branch or tag of it.
        part: the part of the data that `file` is named by, where there are several: a language, a round.
        path: a local copy in its place, with the same columns: TSV (no quoting), CSV, JSONL or parquet.
        texts: columns of the one or two texts.
        label: column of the label, or of the number.
        labels: what the file's labels 0, 1 ... are called; a file may also hold these names. None of numbers.
        merged: what the data calls a label that it does not tell from another, such as `{neutral: non-entailment}`:
            any of the labels with that name is right.
        group: column of what examples share that makes them dependent. None: every example stands for itself.
        annotations: columns to slice the results by.
        skip_labels: rows with these labels are left out, and counted in the log.
    """

    task: Task = Task.CLASSIFICATION
    repository: str = MISSING
    file: str = MISSING
    revision: str = "main"
    part: str = ""
    path: Path | None = None
    texts: list[str] = MISSING
    label: str = "label"
    labels: list[str] = field(default_factory=list)
    merged: dict[str, str] = field(default_factory=dict)
    group: str | None = None
    annotations: list[str] = field(default_factory=list)
    skip_labels: list[str] = field(default_factory=lambda: ["-1", "-"])

    def missing(self) -> list[str]:
        """See `DataSource.missing`."""
        return [] if self.path or self._hub_file().cached() else [str(self._hub_file())]

    def fetch(self) -> None:
        """See `DataSource.fetch`."""
        self._hub_file().download()

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        path = self._hub_file().path() if self.path is None else self.path.expanduser()
        optional = [name for name in (self.group, *self.annotations) if name is not None]
        header = read_header(path)
        found = [name for name in optional if name in header]
        if self.path is None and (lacking := sorted(set(optional) - set(found))):
            raise InputError(f"{path}: no column {', '.join(lacking)} among {', '.join(header)}")
        table = read_table(path, list(dict.fromkeys([*self.texts, self.label, *found])), numbers=self._numbers())
        rows = rows_with_texts(table, self.texts, labelled_rows(table, self.label, self.skip_labels))
        require_filled(table, rows)
        own = {"group": self.group} if self.group in found else {}
        own |= {name: name for name in self.annotations if name in found}
        return Examples(
            ids=row_names(table, None, rows),
            texts=tuple(tuple(table.columns[name][row] for name in self.texts) for row in rows),
            targets=self._targets(table, rows),
            columns={as_: tuple(table.columns[name][row] for row in rows) for as_, name in own.items()},
            merged=self.merged,
        )

    def _hub_file(self) -> HubFile:
        return HubFile(self.repository, self.file, self.revision)

    def _numbers(self) -> list[str]:
        return [self.label] if self.task is Task.REGRESSION else []

    def _targets(self, table: Table, rows: Sequence[int]) -> tuple[str, ...]:
        """The labels by name, or the numbers as they stand."""
        found = [table.columns[self.label][row] for row in rows]
        if self.task is Task.REGRESSION:
            for row, text in zip(rows, found, strict=True):
                try:
                    numbers([text])
                except InputError as error:
                    raise InputError(f"{table.where(row)}: {error}") from error
            return tuple(found)
        names = {str(number): name for number, name in enumerate(self.labels)} | {name: name for name in self.labels}
        for row, text in zip(rows, found, strict=True):
            if names and text not in names:
                numbered = ", ".join(f"{number} ({name})" for number, name in enumerate(self.labels))
                near = did_you_mean(text, self.labels)
                raise InputError(f"{table.where(row)}: label '{text}' is none of {numbered}{near}")
        return tuple(names.get(text, text) for text in found)
