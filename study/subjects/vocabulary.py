"""The share of a text that a model's vocabulary does not know: a large one tells another tokenizer or dictionary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from study.record.errors import InputError
from study.subjects.subject import TokenRow


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that stand for no word.

    Attributes:
        of: the model or tokenizer that has it, for messages.
        unknown: the token of every word that is not known; None where there is none.
        special: the tokens that do not stand for text.
    """

    of: str
    unknown: int | None
    special: frozenset[int]

    def require_known(self, rows: Sequence[TokenRow], most: float) -> None:
        """Refuse texts of which too little is known.

        Args:
            rows: the texts as tokens.
            most: largest share of unknown tokens among those that stand for text.

        Raises:
            InputError: says how many are unknown, and how to take them all the same.
        """
        counts = Counter(token for row in rows for token in row.source)
        words = counts.total() - sum(counts[token] for token in self.special - {self.unknown})
        unknown = 0 if self.unknown is None else counts[self.unknown]
        share = unknown / max(words, 1)
        if share > most:
            first = next(row.example for row in rows if self.unknown in row.source)
            raise InputError(
                f"{self.of} does not know {unknown:,} of {words:,} tokens ({100 * share:.1f} %; first in example "
                f"'{first}'): its tokenizer or dictionary is another one, or the text is processed otherwise than in "
                f"training. If this is right, say so: data.max_unknown={np.ceil(100 * share) / 100:g}"
            )
