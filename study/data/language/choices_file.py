"""A local file of questions with choices: what a language model reads, what may follow, and which is right."""

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import MISSING

from study.data.language.questions import (
    AnswerForm,
    Question,
    choice_examples,
    find_answer,
    require_choices,
    require_filled,
)
from study.data.language.records import Record, record_columns, record_names, records
from study.data.source import DataSource
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import name_of
from study.record.metrics import Task


@dataclass(kw_only=True)
class ChoicesFile(DataSource):
    """A local file of multiple choice: JSONL, parquet, TSV (header, no quoting) or CSV.

    Attributes:
        path: the file.
        id: column of unique names; None, or where there is no `id`: the number of the line in the file, from 1.
        context: column of what stands before the choices; None: nothing does.
        choices: the one column that holds a list of choices, or the columns that hold one choice each.
        answer: column that says which choice is right. None: each example has one continuation, and what is asked is
            how likely it is.
        answers: how it says so: a number `from_zero` or `from_one`, a `letter`, or the `text` of the choice.
        between: what stands between a context and each choice. None: the choices begin with it themselves.
        group: column of what examples share that makes them dependent, such as a template or a passage. None: every
            example stands for itself.
        annotations: columns to slice the results by.
    """

    task: Task = Task.CHOICE
    path: Path = MISSING
    id: str | None = "id"
    context: str | None = "context"
    choices: list[str] = field(default_factory=lambda: ["choices"])
    answer: str | None = "answer"
    answers: AnswerForm = AnswerForm.from_zero
    between: str | None = None
    group: str | None = None
    annotations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.name or name_of(self.path)
        if self.answer is None and not self.metric:
            self.metric = "target_accuracy"

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        rows = records(self.path.expanduser())
        return choice_examples(
            ids=record_names(rows, self.id),
            questions=[self._question(row) for row in rows],
            columns=record_columns(rows, self.group, self.annotations),
            between=self.between or "",
        )

    def _question(self, row: Record) -> Question:
        context = "" if self.context is None else row.text(self.context)
        choices = self._choices(row)
        for choice in choices if self.between is None else ():
            _require_apart(context, choice, row.where)
        if self.answer is None:
            require_filled(choices, row.where)
            if len(choices) > 1:
                raise InputError(
                    f"{row.where}: {len(choices)} choices, but data.answer=null says of none that it is right"
                )
            return Question((context,), choices, 0)
        require_choices(choices, row.where)
        return Question((context,), choices, find_answer(row.text(self.answer), choices, self.answers, row.where))

    def _choices(self, row: Record) -> tuple[str, ...]:
        if len(self.choices) == 1 and (self.answer is not None or isinstance(row.value(self.choices[0]), list)):
            return row.texts(self.choices[0])
        return tuple(row.text(column) for column in self.choices)


def _require_apart(context: str, choice: str, where: str) -> None:
    """Refuse a choice that would be glued to the last word of its context."""
    if context[-1:].isalnum() and choice[:1].isalnum():
        glued = f"{context[-20:]}{choice[:20]}"
        raise InputError(
            f"{where}: the choice {choice[:20]!r} does not begin with a blank, so the model would read {glued!r}: "
            f"data.between=' ' sets one between, data.between='' says that it is meant so"
        )
