"""Rare words: who attends to the rarest, against a word at random and its usual place, both counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from analysis.inference import Inference
from analysis.syntax.frequencies import TOP, Frequencies
from analysis.syntax.rare_words import PLACES, rare_head_scores, rare_sums
from analysis.syntax.word_choices import WordChoices
from study.record.errors import InputError
from study.record.units import AttentionKind, Head

COMMON = [f"w{number}" for number in range(TOP)]
COUNTS = Frequencies("by hand", dict.fromkeys(COMMON, 1000) | {"owl": 2, "elk": 3, "Elk": 9})


def choices_of(row, lengths, groups) -> WordChoices:
    row = np.array(row)
    return WordChoices(row, row, np.array(lengths), np.array(groups))


def test_the_rarest_word_and_the_two_rarest_by_hand() -> None:
    """w1 owl w2 elk: owl looks for elk, the others for owl; equally rare words are all targets."""
    words = [["w1", "owl", "w2", "elk"]]
    heads = [[1, 3, 1, 1], [3, 3, 3, 1], [-1, 0, 0, 0]]
    one, two = (rare_sums(words, choices_of(heads, [4], [0]), COUNTS, rarest, causal=False) for rarest in (1, 2))
    assert one.cases.tolist() == [4]
    assert one.hits.tolist() == [[4, 2, 0]]
    assert one.blind.tolist() == pytest.approx([4 / 3])
    assert one.longest.tolist() == pytest.approx([1 / 2 + 1 + 1 / 2 + 1])  # owl and elk are equally long
    # the two rarest that owl may look at are elk and, equally common, w1 and w2
    assert two.hits.tolist() == [[4, 4, 2]]
    assert two.blind.tolist() == pytest.approx([2 / 3 + 1 + 2 / 3 + 1])
    assert one.places[0, PLACES.index("word 2 from the beginning")] == 3
    assert one.places[0, PLACES.index("word 3 from the end")] == 3
    assert one.places[0, PLACES.index("word 1 from the end")] == 1
    assert one.places[0, PLACES.index("offset +2")] == 1
    assert one.places[0, PLACES.index("offset -2")] == 1


def test_a_causal_model_may_look_back_alone() -> None:
    words = [["w1", "owl", "w2", "elk"]]
    sums = rare_sums(words, choices_of([[-1, 0, 1, 1]], [4], [0]), COUNTS, 1, causal=True)
    assert sums.cases.tolist() == [2]  # w2 and elk, which have two or more before them, owl among them
    assert sums.hits.tolist() == [[2]]
    assert sums.blind.tolist() == pytest.approx([1 / 2 + 1 / 3])


def test_a_text_of_common_words_is_no_case() -> None:
    words = [["w1", "w2", "w3"]]
    assert rare_sums(words, choices_of([[1, 0, 0]], [3], [0]), COUNTS, 1, causal=False).cases.tolist() == [0]


def test_a_head_that_finds_rare_words_has_the_role_and_a_fixed_place_has_not() -> None:
    """The rarest word is mostly the second: a head that always looks there is not above that place."""
    rng = np.random.default_rng(0)
    words, finding, second, chance = [], [], [], []
    for _ in range(200):
        length = int(rng.integers(4, 9))
        place = 1 if rng.random() < 0.6 else int(rng.integers(length))
        words.append([*rng.choice(COMMON, length)])
        words[-1][place] = "owl"
        own = np.arange(length)
        finding.append(np.where(own == place, (own + 1) % length, place))
        second.append(np.where(own == 1, -1, 1))
        chance.append((own + rng.integers(1, length, length)) % length)
    row = [np.concatenate(each) for each in (finding, second, chance)]
    choices = choices_of(row, [len(text) for text in words], np.arange(200) // 2)
    heads = [Head(AttentionKind.ENCODER_SELF, 0, at) for at in range(3)]
    table = rare_head_scores(rare_sums(words, choices, COUNTS, 1, causal=False), heads, 1, Inference())
    assert table["above"].to_list() == [True, False, False]
    assert set(table["first_place"]) | set(table["second_place"]) == {"word 2 from the beginning"}
    assert table["share"][1] == table["position"][1]
    assert table["share"][2] == pytest.approx(table["blind"][2], abs=4)
    assert (table["lower_blind"] > 0).to_list() == [True, True, False]
    assert (table["low"] <= table["share"]).all()
    assert (table["share"] <= table["high"]).all()


def test_counts_of_a_corpus(tmp_path: Path) -> None:
    file = tmp_path / "news.tsv"
    file.write_text("The\t10\nthe\t5\nowl\t1\n", encoding="utf-8")
    known = Frequencies.read(file)
    assert known.corpus == "news.tsv"
    assert (known.of("THE"), known.of("owl"), known.of("elk")) == (15, 1, 0)
    assert not known.is_rare("owl")  # there are no 500 words
    assert known.is_rare("elk")
    own = Frequencies.from_texts([["The", "owl"], ["the"]], "birds")
    assert (own.corpus, own.of("the")) == ("birds itself", 2)


@pytest.mark.parametrize("line", ["owl 3", "owl\tmany", "\t3", "owl\t-1"])
def test_other_lines_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text(f"the\t9\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"x.tsv:2: expected a word, a tab and its count"):
        Frequencies.read(tmp_path / "x.tsv")
