"""What the synthetic sets have in common: made here, from a seed; the same seed makes the same examples everywhere."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from study.data.language.questions import Question, choice_examples
from study.data.source import DataSource
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics import Task

MOST = 100_000
"""Examples that a set may have."""

TRIES = 1000
"""Questions drawn in a row that are all known already, before a set is called too small."""


@dataclass(frozen=True)
class Row:
    """An example that was made.

    Attributes:
        question: what is asked.
        columns: what groups or slices it, by name.
    """

    question: Question
    columns: dict[str, str]


@dataclass(kw_only=True)
class SyntheticSet(DataSource):
    """Questions made here; no file is read.

    Every question is another one, and a larger `count` only adds some. Log-likelihoods are sums over tokens, so any
    tokenizer will do; names and words are such that most tokenizers of English take each for one token.

    Attributes:
        maker: name of the code that makes the questions, in the identity. Code that makes others takes another name.
        count: how many questions.
        seed: seed of all that is drawn.
    """

    maker: ClassVar[str]
    task: Task = Task.CHOICE
    count: int = 500
    seed: int = 0

    def identity(self) -> dict[str, Any]:
        """See `DataSource.identity`; the code that makes the examples determines them."""
        return {**super().identity(), "maker": self.maker}

    def examples(self) -> Examples:
        """See `DataSource.examples`."""
        if not 1 <= self.count <= MOST:
            raise InputError(f"data.count={self.count}: expected 1 to {MOST:,}")
        rows = [row for row, _ in zip(self.rows(Random(f"{self.maker} {self.seed}")), range(self.count), strict=False)]
        if len(rows) < self.count:
            raise InputError(f"data.count={self.count}: with these options there are {len(rows)} questions to be found")
        names = rows[0].columns
        return choice_examples(
            ids=[f"{self.maker.partition(' ')[0]}-{number:05d}" for number in range(len(rows))],
            questions=[row.question for row in rows],
            columns={name: [row.columns[name] for row in rows] for name in names},
        )

    def rows(self, chance: Random) -> Iterator[Row]:
        """The examples, one after the other.

        Raises:
            InputError: when the options make no sense.
        """
        raise NotImplementedError


def distinct(draw: Callable[[], Row]) -> Iterator[Row]:
    """Rows that are drawn, each question once in whatever order its choices are; ends where no new one is found."""
    seen: set[tuple[tuple[str, ...], frozenset[str]]] = set()
    known = 0
    while known < TRIES:
        row = draw()
        question = row.question.contexts, frozenset(row.question.choices)
        known = known + 1 if question in seen else 0
        if not known:
            seen.add(question)
            yield row
