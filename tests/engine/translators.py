"""Tiny translators whose words are numbers, and sentences for them."""

from collections.abc import Sequence

import cases
import numpy as np

from study.data.examples import Examples
from study.subjects.translator import Decoding, Translator


class Numbers:
    """A text processing whose words are numbers."""

    def encode(self, text: str) -> tuple[int, ...]:
        return (*map(int, text.split()), 3)

    def encode_target(self, text: str) -> tuple[int, ...]:
        return self.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))


def translator(name: str, *, beam: int = 2) -> Translator:
    decoding = Decoding(beam=beam, lenpen=1.0, max_len_a=0.0, max_len_b=6)
    module = cases.build(cases.TRANSLATORS[name])
    return Translator(module, Numbers(), decoding, max_source=64, max_target=64, truncate=False, loaded=name)


def sentences(number: int = 5) -> Examples:
    words = np.random.default_rng(8).integers(4, 60, (number, 12))
    return Examples(
        ids=tuple(f"s{i}" for i in range(number)),
        texts=tuple((" ".join(map(str, row[: 2 + i % 5])),) for i, row in enumerate(words)),
        targets=tuple(" ".join(map(str, row[7 + i % 2 :])) for i, row in enumerate(words)),
    )
