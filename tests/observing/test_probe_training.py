"""A probe on planted maps: its scores and gradient by hand, what it learns, and that its seed decides all of it."""

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

import study.observing.probing.training as training
from study.observing.probing.scores import ProbeTensors, head_scores, sentence_loss, single_choices
from study.observing.probing.training import Treebank, best_offset, held_out, train_probe
from study.observing.probing.word_links import WordLinks
from study.record.syntax import Tree
from study.record.syntax.probe import ProbeTraining, SyntaxProbe
from study.record.units import AttentionKind, HeadLayout
from study.subjects.subject import Subject, TokenRow

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 1)})
HOW = ProbeTraining(("planted",), "d", 60, learning_rates=(0.1,), epochs=8, held_out=0.2, seed=0)


def tree(heads: list[int], relations: list[str] | None = None) -> Tree:
    starts = tuple(range(0, 2 * len(heads), 2))
    names = relations or ["root" if head == 0 else "dep" for head in heads]
    return Tree(starts, tuple(start + 1 for start in starts), tuple(heads), tuple(names), ("X",) * len(heads))


def random_tree(rng: np.random.Generator) -> Tree:
    """A root anywhere, and every other word below a word that is there already."""
    order = rng.permutation(int(rng.integers(4, 9))) + 1
    heads = dict.fromkeys(order.tolist(), 0)
    for place, word in enumerate(order.tolist()[1:], start=1):
        heads[word] = int(rng.choice(order[:place]))
    return tree([heads[word] for word in sorted(heads)])


def planted(own: Tree, rng: np.random.Generator, *, knows: bool) -> WordLinks:
    """Random maps of three heads; where it is known, those of the second point from each word to its head.

    The root attends to the closing token.
    """
    size = len(own) + 2
    maps = rng.dirichlet(np.ones(size), (3, size)).astype(np.float32)
    if knows:
        maps[1] = 0
        for word, head in enumerate(own.heads):
            maps[1, word, head - 1 if head else size - 1] = 1
    return WordLinks(maps, has_ends=True)


def bank(monkeypatch: pytest.MonkeyPatch, *, knows: bool, count: int = 60) -> dict[str, Any]:
    """Arguments of `train_probe` for a model with planted maps."""
    rng = np.random.default_rng(3)
    trees = [random_tree(rng) for _ in range(count)]
    links = {str(i): planted(own, rng, knows=knows) for i, own in enumerate(trees)}
    monkeypatch.setattr(training, "read_links", lambda _, rows: [links[row.example] for row in rows])
    rows = [TokenRow(str(i), (), 0, 1) for i in range(count)]
    subject = Mock(spec=Subject, layout=LAYOUT, loaded="a planted model")
    return {"subject": subject, "rows": rows, "trees": trees, "groups": [str(i // 2) for i in range(count)]}


def test_scores_are_the_sum_over_heads_in_both_directions() -> None:
    rng = np.random.default_rng(0)
    maps, (w, u), (opens, closes, constant) = rng.random((3, 5, 5)), rng.normal(size=(2, 3)), rng.normal(size=3)
    probe = ProbeTensors(torch.tensor(np.stack([w, u])).float(), torch.tensor([opens, closes, constant]).float())
    for has_ends in (True, False):
        found = head_scores(probe, WordLinks(maps.astype(np.float32), has_ends)).numpy()
        assert found.shape == (3, 4)
        for j in range(3):
            each = [sum(w[k] * maps[k, j, i] + u[k] * maps[k, i, j] for k in range(3)) for i in range(5)]
            root = opens * each[3] + closes * each[4] + (0 if has_ends else constant)
            np.testing.assert_allclose(found[j], [root, *each[:3]], rtol=1e-5, atol=1e-5)


def test_the_gradient_is_that_of_finite_differences() -> None:
    rng = np.random.default_rng(1)
    links, heads = WordLinks(rng.random((3, 6, 6)).astype(np.float32), has_ends=True), torch.tensor([2, 0, 2, 3])
    start = rng.normal(size=(3, 3))
    probe = ProbeTensors(
        torch.tensor(start[:2]).float().requires_grad_(), torch.tensor(start[2]).float().requires_grad_()
    )
    sentence_loss(head_scores(probe, links), heads).backward()

    def loss(numbers: np.ndarray) -> float:
        maps = links.maps.astype(np.float64)
        sums = np.einsum("k,kji->ji", numbers[0], maps) + np.einsum("k,kij->ji", numbers[1], maps)
        scores = np.concatenate([(sums[:4, 4:] @ numbers[2, :2])[:, None], sums[:4, :4]], axis=1)
        return float((np.log(np.exp(scores).sum(1)) - scores[np.arange(4), heads.numpy()]).sum())

    steps = 1e-5 * np.eye(9).reshape(9, 3, 3)
    expected = np.array([(loss(start + step) - loss(start - step)) / 2e-5 for step in steps]).reshape(3, 3)
    found = torch.cat([probe.heads.grad, probe.root.grad[None]]).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert found[2, 2] == 0, "the constant is of models without opening and closing tokens alone"


def right(probe: SyntaxProbe, pairs: list[tuple[WordLinks, Tree]]) -> float:
    tensors = ProbeTensors.of(probe.weights)
    found = [head_scores(tensors, links).argmax(-1).numpy() == own.heads for links, own in pairs]
    return float(np.concatenate(found).mean())


def test_a_head_that_points_at_the_syntactic_head_is_found_and_random_ones_are_no_better_than_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(9)
    fresh = [random_tree(rng) for _ in range(200)]
    known = train_probe(**bank(monkeypatch, knows=True), training=HOW)
    assert right(known, [(planted(own, rng, knows=True), own) for own in fresh]) == 1
    assert known.course[known.epoch - 1].held_out_right == known.held_out_words
    assert (known.single_head, known.single_to_head) == ("encoder_self.0.1", True)
    assert np.argmax(known.loss_without) == 1
    assert known.loss_without[1] > known.loss + 0.5
    blind = train_probe(**bank(monkeypatch, knows=False), training=HOW)
    chance = np.mean([1 / len(own) for own in fresh])  # itself aside, which it learns to leave out at most
    assert right(blind, [(planted(own, rng, knows=False), own) for own in fresh]) < chance + 0.05


def test_the_seed_decides_all_and_reading_anew_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    few = replace(HOW, epochs=2)
    arguments = bank(monkeypatch, knows=True)
    first = train_probe(**arguments, training=few)
    assert train_probe(**arguments, training=few) == first
    assert train_probe(**arguments, training=replace(few, seed=1)).weights != first.weights
    monkeypatch.setattr(training, "MEMORY_SHARE", 0)
    monkeypatch.setattr(training, "AT_ONCE", 7)
    assert not Treebank(arguments["subject"], arguments["rows"], arguments["trees"]).is_kept
    assert train_probe(**arguments, training=few) == first


def test_rates_race_side_by_side_and_the_one_with_the_smallest_loss_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = bank(monkeypatch, knows=True)
    alone = [train_probe(**arguments, training=replace(HOW, epochs=2, learning_rates=(rate,))) for rate in (0.001, 0.1)]
    both = train_probe(**arguments, training=replace(HOW, epochs=2, learning_rates=(0.001, 0.1)))
    assert alone[0].loss > alone[1].loss
    assert (both.learning_rate, both.epoch) == (0.1, alone[1].epoch)
    np.testing.assert_allclose(both.weights.to_head, alone[1].weights.to_head, rtol=1e-4)
    assert both.loss == pytest.approx(alone[1].loss, rel=1e-4)


def test_the_loss_without_a_head_is_that_of_weights_set_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = bank(monkeypatch, knows=True)
    probe = train_probe(**arguments, training=replace(HOW, epochs=1))
    kept = np.flatnonzero(held_out(arguments["groups"], HOW))
    bank_of_kept = Treebank(arguments["subject"], arguments["rows"], arguments["trees"])
    for head in range(3):
        tensors = ProbeTensors.of(probe.weights)
        tensors.heads[:, head] = 0
        losses = [
            sentence_loss(head_scores(tensors, sentence.links), torch.from_numpy(sentence.heads)).item()
            for sentence in bank_of_kept.read(kept.tolist())
        ]
        words = sum(len(arguments["trees"][i]) for i in kept)
        assert sum(losses) / words == pytest.approx(probe.loss_without[head], abs=1e-5)


def test_whole_documents_are_held_out_and_never_all() -> None:
    groups = [f"d{i // 5}" for i in range(100)]
    held = held_out(groups, HOW)
    assert held.sum() == 20
    assert all(len(set(held[i : i + 5])) == 1 for i in range(0, 100, 5))
    assert held_out(["a", "b", "b", "b"], replace(HOW, held_out=0.9)).sum() in (1, 3)


def test_the_best_offset_and_the_best_word_leave_out_what_does_not_count() -> None:
    trees = [tree([2, 0, 2, 3, 2], ["nsubj", "root", "obj", "nmod", "punct"])] * 3
    assert best_offset(trees) == -1
    assert best_offset([tree([0], ["root"])]) == 1
    maps = np.zeros((1, 5, 5), dtype=np.float32)
    maps[0, 0, [0, 2]] = 0.6, 0.3  # itself aside, to the third word
    maps[0, 1, 4] = 1  # to the closing token alone
    to_head, to_dependent = single_choices(WordLinks(maps, has_ends=True))[:, 0]
    assert (to_head.tolist(), to_dependent.tolist()) == ([3, 0, 0], [0, 0, 1])
