"""Heads as parsers: toys by hand, fixed offsets through the same scorer, choices that are scored on the other half."""

import numpy as np
import polars as pl
import pytest

from analysis.inference import Inference
from analysis.syntax.best_heads import best_heads
from analysis.syntax.halves import choose, cross_fitted, first_half
from analysis.syntax.relation_scores import RelationScores
from analysis.syntax.relation_sums import ALL, ALL_BUT_PUNCTUATION, OFFSETS, Direction, relation_sums
from analysis.syntax.word_choices import WordChoices
from study.observing.words import most_attended
from study.record.examples import Examples
from study.record.syntax import Tree
from study.record.units import AttentionKind, Head

TOY = Tree((0, 4, 8), (3, 7, 13), (2, 3, 0), ("det", "nsubj", "root"), ("DET", "NOUN", "VERB"))
"""The <- dog <- barks."""

INFERENCE = Inference(resamples=200)


def toy_sums(*maps):
    row, column = most_attended(np.array(maps, dtype=float))
    examples = Examples(("x",), (("The dog barks",),), ("",), trees=(TOY,)).to_frame()
    return relation_sums(examples, WordChoices(row, column, np.array([3]), np.array([0])), fewest=1)


def random_trees(rng: np.random.Generator, sentences: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Sentences of 3 to 12 words; each depends on the word before it (`near`), or by chance on the first (`far`)."""
    trees = []
    for length in rng.integers(3, 13, sentences):
        far = (rng.random(length) < 0.4) & (np.arange(length) > 1)
        heads = np.where(far, 1, np.arange(length))
        relations = ["root", *np.where(far[1:], "far", "near").tolist()]
        starts = (2 * np.arange(length)).tolist()
        ends = [start + 1 for start in starts]
        trees.append(Tree(tuple(starts), tuple(ends), tuple(heads.tolist()), tuple(relations), ("X",) * length))
    texts = tuple((" ".join("w" * len(tree)),) for tree in trees)
    examples = Examples(tuple(map(str, range(sentences))), texts, ("",) * sentences, trees=tuple(trees))
    return examples.to_frame(), np.array([len(tree) for tree in trees])


def random_choices(rng: np.random.Generator, lengths: np.ndarray, heads: int, groups: int) -> WordChoices:
    """Heads that choose another word at random, in groups of sentences."""
    words = np.repeat(lengths, lengths)
    own = np.concatenate([np.arange(length) for length in lengths])
    row, column = ((own + 1 + (rng.random((heads, len(own))) * (words - 1)).astype(int)) % words for _ in range(2))
    return WordChoices(row, column, lengths, np.arange(len(lengths)) % groups)


def scores_of(sums, heads: int) -> RelationScores:
    return RelationScores(sums, tuple(Head(AttentionKind.ENCODER_SELF, 0, at) for at in range(heads)), INFERENCE)


def test_both_directions_of_a_toy() -> None:
    up = [[0, 1, 0], [0, 0, 1], [0.6, 0.4, 0]]  # each word looks at its head
    down = [[0, 0.4, 0.6], [1, 0, 0], [0.1, 0.9, 0]]  # each word looks at its dependent
    both = [[0, 0.9, 0.1], [0.5, 0, 0.6], [0.2, 0.8, 0]]
    sums = toy_sums(up, down, both)
    assert sums.relations == ("det", "nsubj", ALL, ALL_BUT_PUNCTUATION)
    assert sums.cases.tolist() == [[1, 1, 3, 3]]
    to_head, to_dependent = (sums.hits[0, :, at] for at in range(len(Direction)))
    assert to_head.tolist() == [[1, 0, 1], [1, 0, 1], [2, 0, 2], [2, 0, 2]]
    # `The` is looked at most by barks, dog and dog; `dog` by The, barks and The
    assert to_dependent.tolist() == [[0, 1, 1], [0, 1, 0], [0, 2, 1], [0, 2, 1]]
    assert sums.offsets[0].sum(axis=1).tolist() == [1, 1, 2, 2]
    assert sums.offsets[0, 0, OFFSETS.tolist().index(1)] == 1


def test_a_head_that_looks_nowhere_does_not_find_the_root() -> None:
    assert toy_sums(np.zeros((3, 3))).hits.sum() == 0


def test_a_fixed_offset_is_its_own_baseline() -> None:
    """Heads that look at one offset, through the scorer of heads, have the hits of that offset."""
    examples, lengths = random_trees(np.random.default_rng(0), 80)
    place = np.concatenate([np.arange(length) for length in lengths]) + OFFSETS[:, None]
    row = np.where((place >= 0) & (place < np.repeat(lengths, lengths)), place, -1)
    sums = relation_sums(examples, WordChoices(row, row, lengths, np.arange(80) % 20), fewest=20)
    for at in range(len(Direction)):
        assert (sums.hits[:, :, at] == sums.offsets).all()
    table = best_heads(scores_of(sums, len(OFFSETS)))
    assert set(table["relation"]) == {"near", "far", ALL, ALL_BUT_PUNCTUATION}
    assert table["difference"].to_list() == [0] * table.height
    assert (table["difference_low"] < 0).all()
    assert table["heads_above"].to_list() == [0] * table.height
    assert table["p_corrected"].to_list() == [1] * table.height
    assert table.select(pl.col("clark_accuracy") == pl.col("clark_baseline")).to_series().all()
    assert table.filter(relation="near")["clark_offset"].to_list() == [-1, -1]


def test_what_is_chosen_on_a_half_is_scored_on_the_other() -> None:
    rng = np.random.default_rng(1)
    sums, half = rng.integers(0, 9, (7, 2, 5)), first_half(7, seed=3)
    assert half.sum() == 3
    found = cross_fitted(sums, choose(sums, half), half)
    for group in range(7):
        other = sums[half != half[group]].sum(axis=0)
        for relation in range(2):
            assert found[group, relation] == sums[group, relation, other[relation].argmax()]
    assert (first_half(100, 1) != first_half(100, 2)).any()


def test_choosing_among_many_heads_gains_nothing() -> None:
    """Random heads, 40 of them: the best is above a random head where it was chosen, and not on the other half."""
    rng = np.random.default_rng(2)
    examples, lengths = random_trees(rng, 60)
    near = (examples["relation"].explode() == "near").to_numpy()
    chance = 100 * np.mean(1 / (np.repeat(lengths, lengths)[near] - 1))
    on_all, on_other = [], []
    for _ in range(6):
        sums = relation_sums(examples, random_choices(rng, lengths, 40, 60), fewest=20)
        table = best_heads(scores_of(sums, 40)).filter(relation="near")
        on_all += table["clark_accuracy"].to_list()
        on_other += table["accuracy"].to_list()
    assert np.mean(on_all) > chance + 4
    assert np.mean(on_other) == pytest.approx(chance, abs=2)


def test_a_head_that_parses_is_found_and_the_others_are_not() -> None:
    rng = np.random.default_rng(3)
    examples, lengths = random_trees(rng, 120)
    choices = random_choices(rng, lengths, 6, 40)
    heads = examples["head"].explode().to_numpy() - 1
    finds = (rng.random(len(heads)) < 0.9) & (heads >= 0)
    choices.row[4, finds] = heads[finds]
    scores = scores_of(relation_sums(examples, choices, fewest=20), 6)
    far = scores.each_head.filter(relation="far", direction="to_head", head=4).row(0, named=True)
    truth = finds[(examples["relation"].explode() == "far").to_numpy()].mean()
    assert far["accuracy"] == pytest.approx(100 * truth, abs=4)
    assert far["above"]
    assert far["voita_points"]
    assert far["voita_relative"]
    assert 10 < far["lower"] < far["difference"]
    assert scores.each_head.filter(pl.col("above"))["head"].unique().to_list() == [4]
    best = best_heads(scores).filter(relation="far", direction="to_head").row(0, named=True)
    assert (best["first_head"], best["second_head"]) == ("encoder_self.0.4",) * 2
    assert best["accuracy"] == far["accuracy"]
    assert best["low"] < best["accuracy"] < best["high"]
    assert (best["heads_above"], best["heads_voita_points"], best["heads"]) == (1, 1, 6)
