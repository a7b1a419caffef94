"""Maps of tokens become maps of words by hand, are stored in bytes, and found again; heads go by several names."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from study.record.errors import InputError
from study.record.maps.sentence_maps import SentenceMaps, Side, find_head
from study.record.maps.stored_maps import LONGEST, StoredMaps, examples_to_show, map_columns
from study.record.tables import Maps
from study.record.tables.agreement import FIRST
from study.record.tables.maps import COLUMNS
from study.record.units import AttentionKind, Head, HeadLayout

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2,), AttentionKind.DECODER_SELF: (1,), AttentionKind.CROSS: (1, 1)})
ONE_KIND = HeadLayout({AttentionKind.ENCODER_SELF: (4, 4)})


def side(*words: int, special: tuple[int, ...] = ()) -> Side:
    """Words of so many tokens each; those at these positions are special tokens."""
    word_of = np.repeat(np.arange(len(words)), words)
    tokens = tuple(f"t{i}" for i in range(len(word_of)))
    return Side(tokens, tuple(f"w{i}" for i in range(len(words))), word_of, np.isin(word_of, special))


@pytest.fixture
def maps() -> SentenceMaps:
    source, target = side(1, 2, 3, 1, special=(0, 3)), side(1, 1, 2)
    found = SentenceMaps("a", LAYOUT, source, target, {})
    generator = np.random.default_rng(0)
    weights = {
        head: generator.dirichlet(np.ones(len(found.keys(head.kind).tokens)), len(found.queries(head.kind).tokens))
        for head in LAYOUT.heads
    }
    return replace(found, weights={head: own.astype(np.float32) for head, own in weights.items()})


def test_to_a_word_the_sum_over_its_tokens_from_it_the_mean(maps: SentenceMaps) -> None:
    for head, weights in maps.weights.items():
        queries, keys = maps.queries(head.kind), maps.keys(head.kind)
        found = maps.word_weights(head)
        for row in range(len(queries.words)):
            for column in range(len(keys.words)):
                block = weights[np.ix_(queries.word_of == row, keys.word_of == column)]
                assert found[row, column] == pytest.approx(block.sum(axis=1).mean(), abs=1e-6)
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    assert maps.source.special_words.tolist() == [True, False, False, True]


def test_what_is_stored_is_found_again_to_half_a_step(maps: SentenceMaps) -> None:
    row = {"mask": "1" * 5, "example": "a", **map_columns(maps)}
    stored = StoredMaps.from_row(pl.DataFrame([row], strict=False).row(0, named=True), LAYOUT)
    assert stored.source.words == maps.source.words
    assert stored.target is not None
    assert stored.target.special == (False, False, False)
    for head in LAYOUT.heads:
        np.testing.assert_allclose(stored.weights[head] / 255, maps.word_weights(head), atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize(("steps", "contradict"), [(0, False), (3, False), (4, True)])
def test_rows_agree_within_a_few_steps(steps: int, contradict: bool) -> None:
    row = {"words": ["a"], "special": [False], "target_words": [], "target_special": [], "weights": [10, 200]}
    other = {**row, "weights": [10, 200 - steps]}
    one, two = (pl.DataFrame([each], schema=COLUMNS) for each in (row, other))
    both = pl.concat([one, two.rename(lambda name: f"{name}{FIRST}")], how="horizontal")
    differ, close = Maps().compare(one.schema, 0.0)
    assert both.select(differ.alias("differ"), close.alias("close")).row(0) == (contradict, steps > 0)


def test_answers_that_most_heads_change_come_first_and_long_texts_last() -> None:
    examples = {f"e{i}": 5 for i in range(5)} | {"long": LONGEST + 1}
    generator = np.random.default_rng(1)
    masks = [ONE_KIND.full(), *ONE_KIND.each_off()]
    rows = [
        {"mask": ONE_KIND.key(mask), "example": example, "prediction": int(generator.integers(2))}
        for mask in masks
        for example in examples
    ]
    answers = {(row["mask"], row["example"]): row["prediction"] for row in rows}
    keys = [ONE_KIND.key(mask) for mask in masks]
    changes = {e: sum(answers[key, e] != answers[keys[0], e] for key in keys[1:]) for e in examples}
    expected = sorted([e for e in examples if e != "long"], key=lambda e: -changes[e])
    found = examples_to_show(pl.DataFrame(rows), examples, ONE_KIND, 6)
    assert found == [*expected, "long"]
    assert examples_to_show(pl.DataFrame(), examples, ONE_KIND, 2) == ["e0", "e1"]


@pytest.mark.parametrize("name", ["encoder_self.1.2", "L1H2", "l1h2", " 1.2 ", "encoder_self.L1H2"])
def test_a_head_by_any_of_its_names(name: str) -> None:
    assert find_head(name, ONE_KIND) == Head(AttentionKind.ENCODER_SELF, 1, 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [("L0H0", "encoder_self.0.0, decoder_self.0.0, cross.0.0: add the kind"), ("L7H0", "no head is called 'L7H0'")],
)
def test_a_name_of_none_or_of_several(name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_head(name, LAYOUT)


@pytest.mark.parametrize("word_of", [[0, 0, 2], [1, 0, 0]])
def test_words_without_tokens_or_out_of_order_are_refused(word_of: list[int]) -> None:
    with pytest.raises(ValueError, match="every word needs tokens"):
        Side(("a", "b", "c"), ("x", "y"), np.array(word_of), np.zeros(3, dtype=bool))
