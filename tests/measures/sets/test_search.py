"""The search for a small set, on games whose every set is known: where it ends, and that it goes on where it was."""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytest

from study.measures.sets.parts import choosing_part
from study.measures.sets.search import Search, Step, asked_sets
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.units import AttentionKind, Head, Unit

UNITS = [Head(AttentionKind.ENCODER_SELF, 0, index) for index in range(9)]


class Game:
    """Scores of all sets: pairs that stand in for each other, single ones that add up, and noise."""

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng(seed)
        worth, noise = generator.exponential(2, len(UNITS)), generator.normal(0, 0.3, 2 ** len(UNITS))
        self.known: dict[frozenset[Unit], float] = {}
        for number, row in enumerate(product((0, 1), repeat=len(UNITS))):
            on = np.array(row)
            pairs = sum(2 * max(on[i], on[i + 1]) for i in range(0, 6, 2))
            off = frozenset(unit for unit, is_on in zip(UNITS, row, strict=True) if not is_on)
            self.known[off] = float(worth @ on + pairs + noise[number])

    def scores(self, sets: Sequence[Sequence[Unit]]) -> np.ndarray:
        return np.array([self.known[frozenset(off)] for off in sets])

    def search(self, lose: float, swaps: int = 50, ranking: Sequence[Unit] = UNITS) -> list[Step]:
        return Search(ranking, self.scores, lose, swaps).steps()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("lose", [0.5, 3.0, 9.0])
def test_no_removal_stays_within_the_margin_and_no_swap_scores_higher(seed: int, lose: float) -> None:
    game = Game(seed)
    steps = game.search(lose)
    off = set(steps[-1].off)
    floor = game.known[frozenset()] - lose
    assert game.known[frozenset(off)] >= floor
    kept = [unit for unit in UNITS if unit not in off]
    assert all(game.known[frozenset(off | {unit})] < floor for unit in kept)
    swaps = [frozenset(off - {back} | {gone}) for back in off for gone in kept]
    assert all(game.known[swap] <= game.known[frozenset(off)] + 1e-9 for swap in swaps)
    sizes = [len(step.off) for step in steps]
    assert sizes == sorted(sizes)
    assert (steps[0].name, steps[0].off) == ("full", ())
    smallest = min(len(UNITS) - len(each) for each, score in game.known.items() if score >= floor)
    assert len(kept) >= smallest


def test_it_is_the_smallest_set_where_units_add_up() -> None:
    worth = np.array([5.0, 0.1, 3.0, 0.2, 0.4, 7.0, 0.3, 2.0, 0.05])
    known = dict(zip(UNITS, worth, strict=True))

    def scores(sets: Sequence[Sequence[Unit]]) -> np.ndarray:
        return np.array([worth.sum() - sum(known[unit] for unit in off) for off in sets])

    for lose in (0.01, 0.5, 1.1, 4.0):
        found = Search(UNITS, scores, lose, 50).steps()[-1].off
        within = [off for size in range(10) for off in combinations(UNITS, size) if sum(known[u] for u in off) <= lose]
        assert len(found) == max(map(len, within))


def test_more_swaps_never_score_lower_and_none_are_taken_where_none_are_asked_for() -> None:
    game = Game(3)
    none, some = (game.search(3.0, swaps) for swaps in (0, 50))
    assert "swap" not in {step.name for step in none}
    assert len(some[-1].off) >= len(none[-1].off)


def test_a_search_goes_on_with_the_same_steps_from_wherever_its_scores_end() -> None:
    game, known, asked = Game(5), {}, 0

    def scores(sets: Sequence[Sequence[Unit]]) -> np.ndarray:
        if lacking := [frozenset(off) for off in sets if frozenset(off) not in known]:
            raise LookupError(lacking)
        return game.scores(sets)

    while True:
        try:
            steps = Search(UNITS, scores, 3.0, 50).steps()
            break
        except LookupError as lacking:
            known.update(dict.fromkeys(lacking.args[0], True))
            asked += 1
    assert steps == game.search(3.0)
    assert asked > 3
    assert len(known) < 2 ** len(UNITS)


@pytest.mark.parametrize("lose", [0.01, 0.5, 3.0, 9.0, 50.0])
def test_it_asks_no_fewer_sets_and_no_more_than_a_plan_says(lose: float) -> None:
    """The sets without each unit are asked for besides, where sets that are judged beside the found one are chosen."""
    least, most = asked_sets(len(UNITS), swaps=3)
    for seed in range(12):
        asked = {frozenset([unit]) for unit in UNITS}
        game = Game(seed)

        def scores(sets: Sequence[Sequence[Unit]], game: Game = game, asked: set = asked) -> np.ndarray:
            asked.update(map(frozenset, sets))
            return game.scores(sets)

        Search(UNITS, scores, lose, swaps=3).steps()
        assert least <= len(asked) <= most


def examples(groups: Sequence[str]) -> Examples:
    ids = tuple(map(str, range(len(groups))))
    return Examples(ids, tuple((name,) for name in ids), ids, columns={"group": tuple(groups)})


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_examples_that_choose_are_whole_groups(share: float) -> None:
    generator = np.random.default_rng(0)
    some = examples([str(number) for number in generator.integers(0, 60, 400)])
    chosen = choosing_part(some, share, seed=3)
    groups = {group for name, group in zip(some.ids, some.groups, strict=True) if name in chosen}
    assert {name for name, group in zip(some.ids, some.groups, strict=True) if group in groups} == set(chosen)
    assert len(chosen) == pytest.approx(share * 400, abs=16)
    assert chosen == choosing_part(some, share, seed=3) != choosing_part(some, share, seed=4)


def test_each_side_has_a_group() -> None:
    assert choosing_part(examples(["a", "a", "b"]), 0.99, seed=0) in (("0", "1"), ("2",))
    with pytest.raises(InputError, match="here is 1"):
        choosing_part(examples(["a", "a"]), 0.5, seed=0)
