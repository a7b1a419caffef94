from pathlib import Path

import pytest
from sacremoses import MosesTokenizer

from study.data.raw_text import processing_sign, require_raw, share_apart
from study.record.errors import InputError

ENGLISH = [
    "The council, which met on Monday, said it wasn't ready.",
    "“We don't know,” Mr. Smith said; “not yet, at least.”",
    'He paid 1,000.50 dollars for a "state-of-the-art" phone.',
    "Wait ... what, again?",
]
FRENCH = [
    "Qu'est-ce que c'est ? Je l'ignore !",
    "Il a dit : « Je n'ai pas faim », puis il est parti.",
    "L'homme, âgé de 42 ans, s'est enfui ; on le cherche.",
]
NO_MARKS = ["lol idk what u mean", "so true :)", "محمد", "أحمد"]


@pytest.mark.parametrize("lines", [ENGLISH, FRENCH, NO_MARKS, ["你好,世界。"], ["A & B, &amp; C."] + ENGLISH * 10])
def test_raw_text_passes(lines):
    assert processing_sign(lines) is None


@pytest.mark.parametrize(("lines", "language"), [(ENGLISH, "en"), (FRENCH, "fr")])
@pytest.mark.parametrize("escape", [True, False])
def test_moses_tokenised_text_is_noticed(lines, language, escape):
    tokeniser = MosesTokenizer(language)
    tokenised = [tokeniser.tokenize(line, return_str=True, escape=escape) for line in lines]
    assert "okenised" in (processing_sign(tokenised) or "")


@pytest.mark.parametrize(
    "line", ["the coun@@ cil , which", "the coun@@", "▁the ▁coun cil", "it &apos;s fine", "a @-@ b"]
)
def test_each_mark_is_a_sign(line):
    assert processing_sign([line]) is not None


def test_share_apart_counts_commas_and_full_stops_at_the_end_of_a_word():
    assert share_apart(["a, b , c . d. e ... f 1,5 ."]) == 3 / 5
    assert share_apart(["a ; b ?"]) == 0


def test_the_error_says_sign_share_and_line():
    lines = [*ENGLISH, "the coun@@ cil"]
    with pytest.raises(InputError, match=r"x\.en looks BPE'd already .*20% of the lines, first in line 5: 'the coun@@"):
        require_raw(lines, Path("x.en"))
    with pytest.raises(
        InputError, match=r"tokenised \(67% of its .* in 50% of the lines, first in line 2: .*raw=false"
    ):
        require_raw(["Yes.", "A dog , a cat ."], Path("x.en"))
