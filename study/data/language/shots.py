"""Solved questions that stand before a question ("shots"), drawn as lm-evaluation-harness 0.4.13 draws them."""

from collections.abc import Sequence
from enum import StrEnum
from random import Random

from study.data.language.records import Record
from study.record.errors import InputError


class Draw(StrEnum):
    """Which solved questions are shown.

    Attributes:
        first: the first of the file, the same for every question.
        random: others for every question.
        random_spare: as well, where one more is drawn and the question itself left out; what lm-evaluation-harness does
            in tasks that have no test part.
    """

    first = "first"
    random = "random"
    random_spare = "random_spare"


class Shots:
    """Draws the solved questions of one question after the other; the order of the questions decides."""

    def __init__(self, pool: Sequence[Record], count: int, draw: Draw, seed: int) -> None:
        """Nothing is drawn yet.

        Args:
            pool: the solved questions.
            count: how many are shown.
            draw: which.
            seed: seed of what is random.

        Raises:
            InputError: when there are too few.
        """
        needed = count + (draw is Draw.random_spare)
        if count and len(pool) < needed:
            raise InputError(
                f"data.shots={count} needs {needed} solved questions to draw from, and there are {len(pool)}"
            )
        self._pool, self._count, self._draw = pool, count, draw
        self._chance = Random(seed)

    def next(self, asked: Record) -> Sequence[Record]:
        """The solved questions of the next question."""
        if self._draw is Draw.first or not self._count:
            return self._pool[: self._count]
        if self._draw is Draw.random:
            return self._chance.sample(self._pool, self._count)
        drawn = self._others(self._chance.sample(self._pool, self._count + 1), asked)
        if len(drawn) < self._count:  # it stands in the pool more than once
            drawn = self._chance.sample(self._others(self._pool, asked), self._count)
        return drawn[: self._count]

    @staticmethod
    def _others(shots: Sequence[Record], asked: Record) -> list[Record]:
        return [shot for shot in shots if shot.values != asked.values]
