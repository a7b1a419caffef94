"""The whole truth of the toy classifier: the scores of all 65,536 sets of its 16 heads, beside what estimates say.

`python tests/analysis/sets/toy_truth.py RESULTS` prints the figures of design/sets_truth.md, from a results folder in
which `measure=shapley` has taken all sets. The truth is computed by other means than the estimates: by sums over the
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
from study.record.designs import Design, read_designs
from study.record.designs.coalitions import independent_coalitions, kernel_coalitions
from study.record.designs.estimates import kernel_matrix, pair_matrix
from study.record.designs.screening import screened_units
from study.record.metrics import LogLikelihood, Metric, metric
from study.record.reading.mask_sums import read_sums
from study.record.setting import read_setting
from study.record.store import read_examples

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
    (folder,) = (file.parent for file in results.glob("toy_classifier/toy_matched/*/setting.json"))
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


def layout_keys(layout) -> list[str]:
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


def searched(folder: Path) -> dict[float, Design]:
    """The paths of the searches for sufficient sets, by how much these may lose."""
    designs, _ = read_designs(folder, read_setting(folder).layout)
    return {float(one.options["lose"]): one for one in designs if str(one.kind) == "step"}


if __name__ == "__main__":
    TRUTHS, FOLDER = read_truth(Path(sys.argv[1]))
    for SCALE, TRUTH in TRUTHS.items():
        print(SCALE, "full, none:", TRUTH.scores[FULL], TRUTH.scores[0])
        print("  values:", TRUTH.values.round(4).tolist(), "SD", TRUTH.values.std())
        print("  alone:", (TRUTH.scores[FULL] - TRUTH.scores[FULL ^ BITS]).round(4).tolist())
        for COALITIONS in (100, 400, 1000, 2000):
            print(f"  {COALITIONS} coalitions:", kernel_errors(TRUTH, COALITIONS, 30))
        AVERAGE, NEAR = TRUTH.interactions
        RANK, LINE = stats.spearmanr(AVERAGE, NEAR).statistic, np.corrcoef(AVERAGE, NEAR)[0, 1]
        print("  pairs: rank", RANK, "linear", LINE, "same sign", (np.sign(AVERAGE) == np.sign(NEAR)).mean())
        print("  pairs: SD of averages", AVERAGE.std(), "of the full context", NEAR.std())
        for COALITIONS in (1000, 2000):
            print(f"  pairs, {COALITIONS} coalitions:", interaction_errors(TRUTH, COALITIONS, 10))
        print("  sizes:", [round(float(TRUTH.scores[size == SIZE].mean()), 4) for size in range(UNITS + 1)])
    print("screening, 12 masks:", screening(TRUTHS["loss"], 12, 30))
    for LOSE, PATH in sorted(searched(FOLDER).items()):
        FOUND, CHOOSING = int(PATH.on[-1].sum()), PATH.examples
        JUDGES = tuple(name for name in TRUTHS["score"].examples if name not in CHOOSING)
        SCORES = TRUTHS["score"].scores_on(JUDGES)
        LOST = SCORES[FULL] - SCORES[numbers(PATH.on[-1])]
        SMALLEST = TRUTHS["score"].smallest(LOSE, CHOOSING)
        ELSEWHERE = TRUTHS["score"].smallest(LOSE, JUDGES)
        print(
            f"within {LOSE:g}: found {FOUND}, smallest {SMALLEST}, loses elsewhere {LOST}, smallest there {ELSEWHERE}"
        )
