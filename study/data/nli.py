"""Classification of sentence pairs (or single sentences): a local file, or MultiNLI from the Hugging Face hub."""

import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from study.data.columns import Columns, find_columns
from study.data.hub_file import HubFile
from study.data.rows import labelled_rows, require_filled, row_names
from study.data.source import DataSource
from study.data.table import Table, read_header, read_table
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import name_of
from study.record.lines import did_you_mean
from study.record.metrics import Task
from study.terminal.once import say_once

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class NliFile(DataSource):
    """A local file of labelled sentence pairs or sentences: TSV (header, no quoting), CSV, JSONL or parquet.

    Where the file lacks a column of a name below, that of MultiNLI, SNLI, SICK or GLUE is taken in its place, see
    `study.data.columns`.

    Attributes:
        path: the file.
        id: column of unique names; None, or where there is no `id`: the number of the line in the file, from 1.
        premise: column of the first, or only, text.
        hypothesis: column of the second text; None for single sentences.
        label: column of the labels.
        genre: column to slice the results by; None: there is none.
        group: column of what examples share that makes them dependent: a premise has several hypotheses. None: every
            example stands for itself.
        weight: column of how much each example counts in every score, in numbers above 0, for a sample that is not a
            random one. None: all alike.
        labels: what the file's labels are called here, such as `{"0": "entailment"}`; empty: they keep their names,
            whatever they are.
        skip_labels: rows with these labels are left out, and counted in the log; as in the file, before `labels`.
    """

    task: Task = Task.CLASSIFICATION
    path: Path = MISSING
    id: str | None = "id"
    premise: str = "premise"
    hypothesis: str | None = "hypothesis"
    label: str = "label"
    genre: str | None = None
    group: str | None = "premise"
    weight: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    skip_labels: list[str] = field(default_factory=lambda: ["-"])

    def __post_init__(self) -> None:
        self.name = self.name or name_of(self.path)

    def identity(self) -> dict[str, Any]:
        """See `DataSource.identity`."""
        return {name: value for name, value in super().identity().items() if name != "weight" or value is not None}

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        path = self.path.expanduser()
        found = self._columns(path)
        slices = {as_: name for as_, name in (("group", found.group), ("genre", self.genre)) if name is not None}
        ids = [] if found.id is None else [found.id]
        weights = [] if self.weight is None else [self.weight]
        wanted = list(dict.fromkeys([*ids, *found.texts, found.label, *slices.values(), *weights]))

        table = read_table(path, wanted, numbers=weights)
        labels = table.columns[found.label]
        rows = labelled_rows(table, found.label, self.skip_labels)
        require_filled(table, rows)
        return Examples(
            ids=row_names(table, found.id, rows),
            texts=tuple(tuple(table.columns[name][row] for name in found.texts) for row in rows),
            targets=tuple(self._target(labels[row], table.where(row)) for row in rows),
            columns={as_: tuple(table.columns[name][row] for row in rows) for as_, name in slices.items()},
            weights=None if self.weight is None else tuple(_weight(table, self.weight, row) for row in rows),
        )

    def _columns(self, path: Path) -> Columns:
        """The columns to read; the log says which stand in for those asked for."""
        texts = tuple(name for name in (self.premise, self.hypothesis) if name is not None)
        asked = Columns(self.id, texts, self.label, self.group)
        found = find_columns(path, read_header(path), asked)
        if found != asked:
            named = "their line" if found.id is None else found.id
            read = " and ".join(found.texts)
            say_once(log.info, "%s: texts are %s, labels %s, ids %s", path, read, found.label, named)
        return found

    def _target(self, label: str, where: str) -> str:
        if not self.labels:
            return label
        if label not in self.labels:
            raise InputError(
                f"{where}: label '{label}' is none of {', '.join(self.labels)}{did_you_mean(label, self.labels)} "
                f"(rows with a label in skip_labels are left out)"
            )
        return self.labels[label]


def _weight(table: Table, column: str, row: int) -> float:
    text = table.columns[column][row]
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise InputError(f"{table.where(row)}: {column} is '{text}', but a weight is a number above 0")
    return weight


@dataclass(kw_only=True)
class MnliHub(DataSource):
    """A set of MultiNLI (Williams et al. 2018) as published on the Hugging Face hub; read from its local cache only.

    Examples are named by their row, not by MultiNLI's `pairID`, and grouped by the premise, not by its `promptID`: in
    the mismatched set 27 pair ids stand twice, and 9 prompt ids have two premises.

    Attributes:
        file: parquet file within the repository.
        repository: the data set on the hub.
        revision: commit, branch or tag of it.
    """

    task: Task = Task.CLASSIFICATION
    file: str = MISSING
    repository: str = "nyu-mll/multi_nli"
    revision: str = "da70db2af9d09693783c3320c4249840212ee221"

    def missing(self) -> list[str]:
        """See `DataSource.missing`."""
        return [] if self._hub_file().cached() else [str(self._hub_file())]

    def fetch(self) -> None:
        """See `DataSource.fetch`."""
        self._hub_file().download()

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        path = self._hub_file().path("read a local copy with data=nli_file")
        labels = {"0": "entailment", "1": "neutral", "2": "contradiction"}
        return NliFile(path=path, id=None, genre="genre", labels=labels, skip_labels=["-1"]).examples()

    def _hub_file(self) -> HubFile:
        return HubFile(self.repository, self.file, self.revision)
