"""Random words, said twice: how likely is the second time (Elhage et al. 2021, Olsson et al. 2022)?"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from study.data.language.questions import Question
from study.data.synthetic.source import Row, SyntheticSet, distinct
from study.data.synthetic.words import NOUNS
from study.record.errors import InputError


@dataclass(kw_only=True)
class Induction(SyntheticSet):
    """Different words in random order, and again the first of them; the continuation is all that follows it.

    Nothing but the first time tells what follows. There is one continuation, so the score is how likely it is.

    Attributes:
        words: how many words are said twice.
    """

    maker = "induction 1"
    words: int = 20

    def rows(self, chance: Random) -> Iterator[Row]:
        """See `SyntheticSet.rows`."""
        if not 2 <= self.words <= len(NOUNS):
            raise InputError(f"data.words={self.words}: expected 2 to {len(NOUNS)} different words")
        return distinct(lambda: self._row(chance))

    def _row(self, chance: Random) -> Row:
        first, *others = chance.sample(NOUNS, self.words)
        return Row(Question((" ".join([first, *others, first]),), (" ".join(others),), 0), {})
