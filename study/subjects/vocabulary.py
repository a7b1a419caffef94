"""The share of a text that a model's vocabulary does not know: a large one tells another tokenizer or dictionary."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from study.record.errors import InputError
from study.subjects.subject import TokenRow


def require_known(
    rows: Sequence[TokenRow], most: float, *, owner: str, unknown: int | None, special: Collection[int]
) -> None:
    """Refuse texts of which too little is known.

    Args:
        rows: the texts as tokens.
        most: largest share of unknown tokens among those that stand for text.
        owner: the model or tokenizer whose vocabulary it is, for the message.
        unknown: the token of every word that is not known; None where there is none.
        special: the tokens that do not stand for text.

    Raises:
        InputError: says how many are unknown, and how to take them all the same.
    """
    counts = Counter(token for row in rows for token in row.source)
    words = counts.total() - sum(counts[token] for token in set(special) - {unknown})
    number = 0 if unknown is None else counts[unknown]
    share = number / max(words, 1)
    if share > most:
        first = next(row.example for row in rows if unknown in row.source)
        raise InputError(
            f"{owner} does not know {number:,} of {words:,} tokens ({100 * share:.1f} %; first in example '{first}'): "
            "its tokenizer or dictionary is another one, or the text is processed otherwise than in training. If this "
            f"is right, say so: data.max_unknown={np.ceil(100 * share) / 100:g}"
        )
