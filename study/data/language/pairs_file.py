"""A local file of minimal pairs: of two sentences, the acceptable one should be the likelier."""

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING

from study.data.language.questions import BLANK, Question, choice_examples
from study.data.language.records import Record, record_columns, record_names, records
from study.data.source import DataSource
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import name_of
from study.record.metrics import Task


@dataclass(kw_only=True)
class PairsFile(DataSource):
    """A local file of pairs of sentences, as BLiMP's: JSONL, parquet, TSV (header, no quoting) or CSV.

    Attributes:
        path: the file.
        id: column of unique names; None, or where there is no `id`: the number of the line in the file, from 1.
        good: column of the sentence that should be the likelier.
        bad: column of the other.
        between: what stands before each sentence; lm-evaluation-harness sets a blank.
        group: column of what pairs share that makes them dependent, such as a paradigm. None: every pair stands for
            itself, which is right for a claim about these paradigms.
        annotations: columns to slice the results by.
    """

    task: Task = Task.CHOICE
    path: Path = MISSING
    id: str | None = "id"
    good: str = "good"
    bad: str = "bad"
    between: str = BLANK
    group: str | None = None
    annotations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.name or name_of(self.path)

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        rows = records(self.path.expanduser())
        return choice_examples(
            ids=record_names(rows, self.id),
            questions=[self._question(row) for row in rows],
            columns=record_columns(rows, self.group, self.annotations),
            between=self.between,
        )

    def _question(self, row: Record) -> Question:
        pair = row.text(self.good), row.text(self.bad)
        for column, sentence in zip((self.good, self.bad), pair, strict=True):
            if not sentence.strip():
                raise InputError(f"{row.where}: '{column}' is empty")
        if pair[0] == pair[1]:
            raise InputError(f"{row.where}: '{self.good}' and '{self.bad}' are equal: {pair[0]!r}")
        return Question(("",), pair, 0)
