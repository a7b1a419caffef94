"""ExactCopy: a list of words is to be repeated; the exact copy against copies with one fault."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from study.data.language.questions import Question
from study.data.synthetic.source import Row, SyntheticSet, distinct
from study.data.synthetic.words import NOUNS
from study.record.errors import InputError


@dataclass(kw_only=True)
class ExactCopy(SyntheticSet):
    """The list as it is, with two neighbours exchanged, and with another word in the place of one.

    The column `place` says before which word the two exchanged ones begin, counted from 0; the other word stands there.

    Attributes:
        words: how many words the list has.
    """

    maker = "copy 1"
    words: int = 8

    def rows(self, chance: Random) -> Iterator[Row]:
        """See `SyntheticSet.rows`."""
        if not 2 <= self.words < len(NOUNS):
            raise InputError(f"data.words={self.words}: expected 2 to {len(NOUNS) - 1} different words")
        return distinct(lambda: self._row(chance))

    def _row(self, chance: Random) -> Row:
        *listed, new = chance.sample(NOUNS, self.words + 1)
        place = chance.randrange(self.words - 1)
        before, (one, other), after = listed[:place], listed[place : place + 2], listed[place + 2 :]
        copies = [listed, [*before, other, one, *after], [*before, new, other, *after]]
        chance.shuffle(copies)
        context = f"Words: {' '.join(listed)}\nThe same words again:"
        choices = tuple(" ".join(copy) for copy in copies)
        return Row(Question((context,), choices, copies.index(listed)), {"place": str(place)})
