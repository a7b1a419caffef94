"""Words of a text where nobody has marked them: what white space and punctuation part."""

import re
import unicodedata

Span = tuple[int, int]
"""Where a word stands in a text: its first character, from 0, and the one after its last."""

IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Characters of Chinese and Japanese, each of which stands for itself, as BERT's tokenizer has it."""


def split_words(text: str) -> tuple[Span, ...]:
    """The words of a text: runs of letters, marks and digits; every other character but blanks is a word by itself.

    `don't` is three words, as BERT's tokenizer has it. Chinese and Japanese are parted into characters; languages that
    write no blanks and are no ideographs, such as Thai, into what stands between blanks.
    """
    spans: list[Span] = []
    is_open = False
    for at, character in enumerate(text):
        kind = unicodedata.category(character)[0]
        is_letter = kind in "LMNC" and not character.isspace() and not IDEOGRAPHS.match(character)
        if is_letter and is_open:
            spans[-1] = (spans[-1][0], at + 1)
        elif not character.isspace() and kind != "Z":
            spans.append((at, at + 1))
        is_open = is_letter
    return tuple(spans)


def is_punctuation(text: str) -> bool:
    """Whether a word has no letter and no digit: punctuation, or a symbol."""
    return not any(unicodedata.category(character)[0] in "LN" for character in text)
