"""Codes of languages as models, data and sacreBLEU write them, and which way round a model translates."""

import unicodedata
from collections.abc import Iterable
from itertools import chain, islice

from study.record.errors import InputError

OTHER_CODES = {"zho": "zh", "chi": "zh", "cmn": "zh", "jpn": "ja", "kor": "ko"}
"""Three-letter codes of the languages that sacreBLEU knows by two letters."""


def main_language(code: str) -> str:
    """The language of a code without region or script: `zh` of `zh_CN`, `zh-TW`, `zho_Hans`."""
    language = code.replace("-", "_").partition("_")[0].casefold()
    return OTHER_CODES.get(language, language)


UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
"""Scripts without spaces between words, as the names of their characters begin."""
LOOKED_AT = 10_000
"""Characters that tell whether texts have spaces."""


def has_no_spaces(texts: Iterable[str]) -> bool:
    """Whether most letters of texts are of scripts that put no spaces between words."""
    letters = [letter for letter in islice(chain.from_iterable(texts), LOOKED_AT) if letter.isalpha()]
    return sum(unicodedata.name(letter, "").startswith(UNSPACED) for letter in letters) > len(letters) / 2


def require_direction(asked: tuple[str, str], known: tuple[str | None, str | None], where: str) -> None:
    """Refuse a translation whose source is the language that is known as the target, or its target the source.

    Args:
        asked: source and target as the model's configuration has them.
        known: as some other place has them; None where it does not say.
        where: that place, in words.

    Raises:
        InputError: with the right way round.
    """
    source, target = map(main_language, asked)
    known_source, known_target = (main_language(code or "") for code in known)
    if known_source == known_target or (source != known_target and target != known_source):
        return
    raise InputError(
        f"model.source_lang={asked[0]} model.target_lang={asked[1]} is the wrong way round: {where} is from "
        f"{known[0] or '?'} to {known[1] or '?'}"
    )
