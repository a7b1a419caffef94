"""Tiny translators whose words are numbers, and sentences for them."""

import cases
import numpy as np

from study.record.examples import Examples
from study.subjects.translator import Decoding, Translator


def translator(name: str, *, beam: int = 2) -> Translator:
    decoding = Decoding(beam=beam, lenpen=1.0, max_len_a=0.0, max_len_b=6)
    module = cases.build(cases.TRANSLATORS[name])
    return Translator(module, cases.Numbers(), decoding, max_source=64, max_target=64, truncate=False, loaded=name)


def sentences(number: int = 5) -> Examples:
    words = np.random.default_rng(8).integers(4, 60, (number, 12))
    return Examples(
        ids=tuple(f"s{i}" for i in range(number)),
        texts=tuple((" ".join(map(str, row[: 2 + i % 5])),) for i, row in enumerate(words)),
        targets=tuple(" ".join(map(str, row[7 + i % 2 :])) for i, row in enumerate(words)),
    )
