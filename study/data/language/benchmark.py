"""A published multiple choice: files on the Hugging Face hub or a local copy, asked as lm-evaluation-harness asks.

Which files, which prompt and which solved questions stand before each stands in a YAML file of `conf/data`.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from study.data.hub_file import HubFile
from study.data.language.prompts import PROMPTS
from study.data.language.questions import Question, choice_examples, require_filled
from study.data.language.records import Record, records
from study.data.language.shots import Draw, Shots
from study.data.rows import MOST_EMPTY
from study.data.source import DataSource
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.lines import did_you_mean
from study.record.metrics import Task
from study.terminal.once import say_once

log = logging.getLogger(__name__)

ALL = "all"
"""The part that is all parts."""

BETWEEN_SHOTS = "\n\n"
"""What follows a solved question."""


@dataclass(kw_only=True)
class Benchmark(DataSource):
    """A multiple choice with the prompts of lm-evaluation-harness.

    Rows of several files stand in turn, so that a `limit` takes as many of each. Examples are named by the row in their
    file, from 1, after the part where there are several.

    Attributes:
        repository: the data set on the hub.
        revision: commit, branch or tag of it.
        file: file within it; `{part}` stands for the part.
        parts: the parts that there are; none where the data set is one file.
        part: which of them, or `all`.
        part_column: column that says of which part a row is; solved questions are of the same part.
        path: a local copy in its place, with the same columns: JSONL, parquet, TSV or CSV.
        prompt: how a row is asked, see `study.data.language.prompts`.
        description: what stands before everything else; `{part}` stands for the part, with blanks.
        shots: how many solved questions stand before each.
        shots_file: file of solved questions within the repository; empty: there are none.
        shots_path: a local copy of it.
        draw: which of them are shown.
        seed: seed of the random ones.
        group: columns whose values, in any order, are shared by examples that depend on each other; none: every
            example stands for itself.
        annotations: what slices the results, and the column that says it.
        respelled: values of these columns that mean the same as another, and that one.
    """

    task: Task = Task.CHOICE
    repository: str = MISSING
    revision: str = MISSING
    file: str = MISSING
    parts: list[str] = field(default_factory=list)
    part: str = ALL
    part_column: str = ""
    path: Path | None = None
    prompt: str = MISSING
    description: str = ""
    shots: int = 0
    shots_file: str = ""
    shots_path: Path | None = None
    draw: Draw = Draw.random
    seed: int = 1234
    group: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    respelled: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = self.name or (self.benchmark if self.part == ALL else f"{self.benchmark}_{self.part}")

    def identity(self) -> dict[str, Any]:
        """See `DataSource.identity`."""
        return {name: value for name, value in super().identity().items() if name != "parts"}

    def missing(self) -> list[str]:
        """See `DataSource.missing`."""
        return [str(file) for file in self._hub_files() if file.cached() is None]

    def fetch(self) -> None:
        """See `DataSource.fetch`."""
        for file in self._hub_files():
            if file.cached() is None:
                file.download()

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        asked = list(self._asked())
        rows, ask = [row for _, row in asked], PROMPTS[self.prompt]
        questions, before, columns = [ask(row) for row in rows], list(self._before(rows)), self._columns(rows)
        kept = self._filled(rows, questions)
        return choice_examples(
            ids=[asked[number][0] for number in kept],
            questions=[questions[number] for number in kept],
            columns={name: [column[number] for number in kept] for name, column in columns.items()},
            before=[before[number] for number in kept],
        )

    def _filled(self, rows: Sequence[Record], questions: Sequence[Question]) -> list[int]:
        """The questions none of whose choices is empty; a few such rows of a published set are left out."""
        kept = [number for number, question in enumerate(questions) if question.is_filled]
        empty = len(questions) - len(kept)
        if empty > MOST_EMPTY * len(questions):
            for row, question in zip(rows, questions, strict=True):
                require_filled(question.choices, row.where)
        if empty:
            say_once(log.info, "%s: %d of %d questions left out, a choice is empty", self.name, empty, len(questions))
        return kept

    def _chosen(self) -> Sequence[str]:
        """The parts that are asked; an empty name where there are none to choose from."""
        if self.part == ALL:
            return self.parts or [""]
        if self.part not in self.parts:
            known = did_you_mean(self.part, self.parts) or f": there is {', '.join(self.parts) or 'none'}"
            raise InputError(f"data.part={self.part} is no part of {self.benchmark}{known}")
        return [self.part]

    def _hub_files(self) -> Iterator[HubFile]:
        names = [self.file] if self.path is None else []
        names += [self._solved_file()] if self.shots and self.shots_path is None else []
        for name in names:
            for part in self._chosen():
                yield self._hub_file(name, part)

    def _hub_file(self, name: str, part: str) -> HubFile:
        return HubFile(self.repository, name.format(part=part), self.revision)

    def _solved_file(self) -> str:
        if not self.shots_file:
            raise InputError(
                f"data.shots={self.shots}: {self.benchmark} has no part from which solved questions are taken"
            )
        return self.shots_file

    def _asked(self) -> Iterator[tuple[str, Record]]:
        """The names of the rows, and the rows."""
        if self.path is not None:
            rows = [row for row in records(self.path.expanduser()) if self.part in (ALL, self._part(row))]
            if not rows:
                raise InputError(f"{self.path}: no row says that it is of data.part={self.part}")
            yield from ((str(row.line), row) for row in rows)
            return
        files = [[(part, row) for row in records(self._hub_file(self.file, part).path())] for part in self._chosen()]
        for rows in zip_longest(*files):
            for part, row in filter(None, rows):
                yield f"{part}-{row.line}" if len(files) > 1 else str(row.line), row

    def _before(self, rows: Sequence[Record]) -> Iterator[str]:
        """What stands before each question: what describes the part, and solved questions of it."""
        if self.shots < 0:
            raise InputError(f"data.shots={self.shots}: expected a number of solved questions, 0 for none")
        pools: dict[str, list[Record]] = {}
        for row in self._solved():
            pools.setdefault(self._part(row), []).append(row)
        shots = {
            part: Shots(pools.get(part, []), self.shots, self.draw, self.seed)
            for part in dict.fromkeys(map(self._part, rows))
        }
        ask = PROMPTS[self.prompt]
        for row in rows:
            part = self._part(row)
            shown = "".join(f"{ask(shot).solved()}{BETWEEN_SHOTS}" for shot in shots[part].next(row))
            yield f"{self.description.format(part=part.replace('_', ' '))}{shown}"

    def _solved(self) -> list[Record]:
        if not self.shots:
            return []
        if self.shots_path is not None:
            return records(self.shots_path.expanduser())
        files = [self._hub_file(self._solved_file(), part) for part in self._chosen()]
        return [row for file in files for row in records(file.path("name a local copy by data.shots_path=FILE"))]

    def _part(self, row: Record) -> str:
        return row.text(self.part_column) if self.part_column in row.values else ""

    def _columns(self, rows: Sequence[Record]) -> dict[str, list[str]]:
        """What groups or slices the rows; a local copy may lack it."""
        columns = {as_: [column] for as_, column in self.annotations.items()}
        columns |= {"group": self.group} if self.group else {}
        there = {as_: names for as_, names in columns.items() if self.path is None or set(names) <= set(rows[0].values)}
        return {as_: [self._value(row, names) for row in rows] for as_, names in there.items()}

    def _value(self, row: Record, columns: Sequence[str]) -> str:
        """The values of some columns, in order; each by one name, where it has two."""
        values = map(row.text, columns)
        return " / ".join(sorted(self.respelled.get(value, value) for value in values))
