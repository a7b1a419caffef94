"""The whole truth of the toy classifier: the scores of all 65,536 sets of its 16 heads, beside what estimates say.

`PYTHONPATH=. python tests/analysis/sets/toy_truth.py RESULTS` prints the figures of design/sets_truth.md, where RESULTS
has all sets, taken by `measure=shapley`. The truth is computed by other means than the estimates: by sums over the
definition, with a set as a number of 16 bits.
"""

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from analysis.results.sample import Sample
from analysis.sets.shapley import values_of
from study.measures.sets.search import Search
from study.record.designs import Design, DesignKind, read_designs
from study.record.designs.coalitions import independent_coalitions, kernel_coalitions
from study.record.designs.estimates import kernel_matrix, pair_matrix, semivalue_matrix
from study.record.designs.names import LOSE
from study.record.designs.screening import screened_units
from study.record.metrics import LogLikelihood, Metric, metric
from study.record.reading.mask_sums import read_sums
from study.record.setting import read_setting
from study.record.store import read_examples
from study.record.units import AttentionKind, Head, HeadLayout

UNITS, EXAMPLES = 16, 100
EVERY = 2**UNITS
FULL = EVERY - 1
BITS = 1 << np.arange(UNITS)
SETS = np.arange(EVERY)
SIZE = np.bitwise_count(SETS).astype(int)
ALPHA = 0.05
SCALES: dict[str, Metric] = {"score": metric("accuracy"), "loss": LogLikelihood()}


def numbers(on: np.ndarray) -> np.ndarray:
    """Sets as numbers: bit i is head i."""
    return on @ BITS


@dataclass(frozen=True, eq=False)
class Truth:
    """What every set scores.

    Attributes:
        metric: what sums are scored with.
        sums: the metric's statistics of each set and example, shape (sets, examples, statistics).
        examples: ids of the examples.
    """

    metric: Metric
    sums: np.ndarray
    examples: tuple[str, ...]

    @cached_property
    def scores(self) -> np.ndarray:
        """The score of each set."""
        return self.scores_on(self.examples)

    def scores_on(self, examples: tuple[str, ...]) -> np.ndarray:
        """The score of each set on some of the examples."""
        some = np.isin(self.examples, examples)
        return self.metric.score(self.sums[:, some].sum(axis=1))

    def gains(self, unit: int) -> tuple[np.ndarray, np.ndarray]:
        """What a unit adds to each set without it, and how many units that set has."""
        without = SETS[SETS & BITS[unit] == 0]
        return self.scores[without | BITS[unit]] - self.scores[without], SIZE[without]

    @cached_property
    def values(self) -> np.ndarray:
        """Shapley values: what a unit adds, averaged over the sets of a size, then over sizes."""
        means = np.zeros((UNITS, UNITS))
        for unit in range(UNITS):
            gains, size = self.gains(unit)
            means[unit] = np.bincount(size, gains) / np.bincount(size)
        return means.mean(axis=1)

    def semivalues(self, kept: float) -> np.ndarray:
        """What a unit adds where each other one stays on with one probability."""
        gains = (self.gains(unit) for unit in range(UNITS))
        return np.array([gain @ (kept**size * (1 - kept) ** (UNITS - 1 - size)) for gain, size in gains])

    def both_gains(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        """What two units add together beyond what each adds, to each set without them; and how many that set has."""
        without = SETS[SETS & (BITS[i] | BITS[j]) == 0]
        v = self.scores
        gains = v[without | BITS[i] | BITS[j]] - v[without | BITS[i]] - v[without | BITS[j]] + v[without]
        return gains, SIZE[without]

    @cached_property
    def interactions(self) -> tuple[np.ndarray, np.ndarray]:
        """Shapley interactions of every two units (Grabisch and Roubens 1999), and those in the full context."""
        average, near = [], []
        for i, j in combinations(range(UNITS), 2):
            gains, size = self.both_gains(i, j)
            average.append((np.bincount(size, gains) / np.bincount(size)).mean())
            near.append(gains[size == UNITS - 2][0])
        return np.array(average), np.array(near)

    def smallest(self, lose: float, examples: tuple[str, ...]) -> tuple[int, int]:
        """How many units the smallest set within a margin has, and how many sets are as small."""
        scores = self.scores_on(examples)
        fitting = SIZE[scores >= scores[FULL] - lose - 1e-9]
        return int(fitting.min()), int((fitting == fitting.min()).sum())

    def sample(self, sets: np.ndarray) -> Sample:
        """The outcomes of some sets, as the analysis has them; the full one first."""
        names = tuple(map(str, sets))
        return Sample(names, self.metric, self.sums[sets], np.ones(len(self.examples), dtype=np.int64), self.examples)


def read_truth(results: Path) -> tuple[dict[str, Truth], Path]:
    """The truth on every scale, and the setting's folder."""
    folder = truth_folder(results)
    layout, examples = read_setting(folder).layout, read_examples(folder).head(EXAMPLES)
    keys = layout_keys(layout)
    found = {}
    for scale, own in SCALES.items():
        read = read_sums(folder, own, examples, np.arange(EXAMPLES))
        place = {key: number for number, key in enumerate(read.masks)}
        at = np.array([place[key] for key in keys])
        assert (read.counts[at] == EXAMPLES).all()
        found[scale] = Truth(own, read.sums[at], tuple(examples["example"]))
    return found, folder


def truth_folder(results: Path) -> Path:
    """The folder of the toy's setting."""
    (folder,) = (file.parent for file in results.glob("toy_classifier/toy_matched/*/setting.json"))
    return folder


def layout_keys(layout: HeadLayout) -> list[str]:
    """The key of every set, by its number."""
    on = SETS[:, None] & BITS != 0
    return [layout.key(mask) for mask in on]


def kernel_errors(truth: Truth, coalitions: int, seeds: int) -> dict[str, float]:
    """The errors of Shapley values from samples of coalitions, and how often their intervals hold the true ones.

    The truth is of the same examples, so that the interval is that of the coalitions alone.
    """
    squares, largest, held, width = [], [], [], []
    for seed in range(seeds):
        on = kernel_coalitions(UNITS, coalitions, seed)
        sets, at = np.unique(-numbers(on), return_inverse=True)  # the full set first
        values = values_of(kernel_matrix(on), truth.sample(-sets), at, seed)
        low, high = replace(values, error=values.by_coalitions).interval(ALPHA)
        squares.append(np.square(values.values - truth.values).mean())
        largest.append(np.abs(values.values - truth.values).max())
        held.append(((low <= truth.values) & (truth.values <= high)).mean())
        width.append((high - low).mean())
    return {
        "error": float(np.sqrt(np.mean(squares))),
        "largest": float(np.mean(largest)),
        "held": float(np.mean(held)),
        "width": float(np.mean(width)),
    }


def interaction_errors(truth: Truth, coalitions: int, seeds: int) -> float:
    """The root mean square error of interactions of two units, fitted to samples of coalitions."""
    squares = []
    for seed in range(seeds):
        on = kernel_coalitions(UNITS, coalitions, seed)
        found = pair_matrix(on, sampled=True).matrix @ truth.scores[numbers(on)]
        squares.append(np.square(found - truth.interactions[0]).mean())
    return float(np.sqrt(np.mean(squares)))


def screening(truth: Truth, masks: int, seeds: int, most: int = 10) -> dict[str, float]:
    """How often random masks point at the units of the largest average effect, and at how many units at all."""
    effects = truth.semivalues(0.9)
    order, named, first, top = np.argsort(-effects), [], [], []
    for seed in range(seeds):
        on = independent_coalitions(UNITS, masks, 0.9, seed)
        found, _ = screened_units(on, -truth.scores[numbers(on)], most)
        named.append(len(found))
        first.append(order[0] in found)
        top.append(len(set(order[:3].tolist()) & set(found)) / 3)
    return {"named": float(np.mean(named)), "first": float(np.mean(first)), "of three": float(np.mean(top))}


def semivalue_errors(truth: Truth, coalitions: int, seeds: int, kept: float = 0.9) -> dict[str, float]:
    """The errors of semivalues from masks near the full set, and how often their intervals hold the true ones."""
    exact, squares, held = truth.semivalues(kept), [], []
    for seed in range(seeds):
        on = independent_coalitions(UNITS, coalitions, kept, seed)
        sets, at = np.unique(-numbers(np.vstack([np.ones(UNITS, dtype=bool), on])), return_inverse=True)
        values = values_of(semivalue_matrix(on), truth.sample(-sets), at[1:], seed)
        low, high = replace(values, error=values.by_coalitions).interval(ALPHA)
        squares.append(np.square(values.values - exact).mean())
        held.append(((low <= exact) & (exact <= high)).mean())
    return {"error": float(np.sqrt(np.mean(squares))), "held": float(np.mean(held))}


def contexts(truth: Truth) -> dict[str, float]:
    """How far interactions of two with all others on go along with their averages over contexts."""
    average, near = truth.interactions
    differs = np.abs(near) > 1e-9
    return {
        "rank correlation": float(stats.spearmanr(average, near)[0]),  # type: ignore[arg-type]
        "of these not 0 in the full context": int(differs.sum()),
        "with one sign": float((np.sign(average) == np.sign(near))[differs].mean()),
        "negative on average": float((average < 0).mean()),
        "negative in the full context": float((near[differs] < 0).mean()),
        "SD of averages": float(average.std()),
        "SD in the full context": float(near.std()),
    }


@dataclass(frozen=True)
class SearchEnd:
    """Where a search ended, beside what is true on the examples that chose.

    Attributes:
        kept: units of the set found.
        smallest: units of the smallest set within the margin.
        as_small: how many sets are as small as that.
        lost: what the set loses on the examples that judge.
        sets: how many sets the search asked scores of.
    """

    kept: int
    smallest: int
    as_small: int
    lost: float
    sets: int


def search_ends(truth: Truth, groups: tuple[str, ...], lose: float, seeds: int, swaps: int = 2) -> list[SearchEnd]:
    """Searches by random halves of the groups of examples; units are ranked by their effects there."""
    units = [Head(AttentionKind.ENCODER_SELF, unit // 4, unit % 4) for unit in range(UNITS)]
    bit = {unit: int(BITS[number]) for number, unit in enumerate(units)}
    own, found = np.array(groups), []
    for seed in range(seeds):
        drawn = np.random.default_rng(seed).permutation(np.unique(own))
        chooses = np.isin(own, drawn[: len(drawn) // 2])
        choosing, judging = (tuple(np.array(truth.examples)[some]) for some in (chooses, ~chooses))
        scores, asked = truth.scores_on(choosing), set()

        def known(sets, scores=scores, asked=asked):
            at = [FULL ^ sum(bit[unit] for unit in off) for off in sets]
            asked.update(at)
            return scores[at]

        ranking = [units[i] for i in np.argsort(-scores[FULL ^ BITS], kind="stable")]
        off = Search(ranking, known, lose, swaps).steps()[-1].off
        end = FULL ^ sum(bit[unit] for unit in off)
        judged = truth.scores_on(judging)
        smallest, as_small = truth.smallest(lose, choosing)
        found.append(SearchEnd(UNITS - len(off), smallest, as_small, float(judged[FULL] - judged[end]), len(asked)))
    return found


def searched(folder: Path) -> dict[float, Design]:
    """The paths of the searches for sufficient sets that jobs have stored, by how much these may lose."""
    designs, _ = read_designs(folder, read_setting(folder).layout)
    return {float(one.options[LOSE]): one for one in designs if one.kind is DesignKind.STEP and LOSE in one.options}


def groups_of(folder: Path) -> tuple[str, ...]:
    """The group of each of the examples."""
    return tuple(read_examples(folder).head(EXAMPLES)["group"])


if __name__ == "__main__":
    TRUTHS, FOLDER = read_truth(Path(sys.argv[1]))
    for SCALE, TRUTH in TRUTHS.items():
        print(SCALE, "full, none:", TRUTH.scores[FULL], TRUTH.scores[0])
        print("  values:", TRUTH.values.round(4).tolist(), "SD", TRUTH.values.std())
        print("  alone:", (TRUTH.scores[FULL] - TRUTH.scores[FULL ^ BITS]).round(4).tolist())
        for COALITIONS in (100, 400, 1000, 2000):
            print(f"  {COALITIONS} coalitions:", kernel_errors(TRUTH, COALITIONS, 30))
        for COALITIONS in (100, 500):
            print(f"  semivalues, {COALITIONS} masks:", semivalue_errors(TRUTH, COALITIONS, 30))
        print("  semivalues:", TRUTH.semivalues(0.9).round(4).tolist())
        print("  pairs:", contexts(TRUTH))
        for COALITIONS in (1000, 2000):
            print(f"  pairs, {COALITIONS} coalitions:", interaction_errors(TRUTH, COALITIONS, 10))
        print("  sizes:", [round(float(TRUTH.scores[size == SIZE].mean()), 4) for size in range(UNITS + 1)])
    for MASKS in (12, 100):
        print(f"screening, {MASKS} masks:", screening(TRUTHS["loss"], MASKS, 30))
    for LOSE in (1.0, 2.0, 5.0):
        ENDS = search_ends(TRUTHS["score"], groups_of(FOLDER), LOSE, 30)
        MORE = np.bincount([end.kept - end.smallest for end in ENDS]).tolist()
        KEPT = np.mean([end.kept for end in ENDS]), np.mean([end.smallest for end in ENDS])
        REST = np.mean([end.lost for end in ENDS]), np.median([end.as_small for end in ENDS])
        SETS = [end.sets for end in ENDS]
        print(f"within {LOSE:g}: kept, smallest", KEPT, "above the smallest by 0, 1, ...:", MORE)
        print("  loses elsewhere, sets as small:", REST, "sets asked for", min(SETS), np.mean(SETS), max(SETS))
    for LOSE, PATH in sorted(searched(FOLDER).items()):
        FOUND, CHOOSING = int(PATH.on[-1].sum()), PATH.examples
        JUDGES = tuple(name for name in TRUTHS["score"].examples if name not in CHOOSING)
        SCORES = TRUTHS["score"].scores_on(JUDGES)
        LOST = SCORES[FULL] - SCORES[numbers(PATH.on[-1])]
        SMALLEST = TRUTHS["score"].smallest(LOSE, CHOOSING)
        ELSEWHERE = TRUTHS["score"].smallest(LOSE, JUDGES)
        print(f"job within {LOSE:g}: found {FOUND}, smallest {SMALLEST}, loses elsewhere {LOST}, there {ELSEWHERE}")
