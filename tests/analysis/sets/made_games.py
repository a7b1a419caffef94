"""Results of games with known answers: the log-likelihood of a set of heads is what a game pays it, plus noise.

The loss of an example is a constant less what the game pays, times how much the example counts (1 on average), so that
interactions and Shapley values of the mean log-likelihood are those of the game.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import polars as pl
from fixtures.sets.games import Game

from study.record.designs import Design, DesignKind, write_design
from study.record.designs.coalitions import all_coalitions, independent_coalitions, kernel_coalitions
from study.record.designs.design import rows_without
from study.record.designs.pairs import pair_places
from study.record.examples import Examples
from study.record.factors import Factors
from study.record.metrics import metric
from study.record.setting import Setting
from study.record.store import Store
from study.record.units import AttentionKind, HeadLayout, UnitLevel

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (4, 4)})
LABELS = ("no", "yes")


def pair_design(layout: HeadLayout = LAYOUT, within: str = "layer") -> Design:
    units = list(layout.heads)
    on = rows_without(pair_places(units, within), len(units))
    return Design(DesignKind.PAIR, UnitLevel.head, tuple(map(str, units)), on, {"within": within})


def kernel_design(number: int, layout: HeadLayout = LAYOUT, seed: int = 0) -> Design:
    on = kernel_coalitions(len(layout), number, seed)
    return Design(DesignKind.COALITION, UnitLevel.head, tuple(map(str, layout.heads)), on, {"sampling": "kernel"}, seed)


def all_design(layout: HeadLayout = LAYOUT) -> Design:
    on = all_coalitions(len(layout))
    return Design(DesignKind.COALITION, UnitLevel.head, tuple(map(str, layout.heads)), on, {"sampling": "all"})


def near_design(number: int, kept: float = 0.9, layout: HeadLayout = LAYOUT, seed: int = 0) -> Design:
    on = independent_coalitions(len(layout), number, kept, seed)
    options = {"sampling": "independent", "kept": kept}
    return Design(DesignKind.COALITION, UnitLevel.head, tuple(map(str, layout.heads)), on, options, seed)


def search_designs(
    sets: Mapping[str, Sequence[int]],
    steps: Sequence[tuple[str, Sequence[int]]],
    *,
    lose: float,
    choosing: Sequence[str],
    layout: HeadLayout = LAYOUT,
) -> tuple[Design, Design]:
    """The path of a search, by which units are off, and the sets that it ends with, both chosen by some examples."""
    units, options = tuple(map(str, layout.heads)), {"lose": lose, "choosing": 0.5, "swaps": 2}

    def design(kind: DesignKind, named: Sequence[tuple[str, Sequence[int]]]) -> Design:
        on = rows_without([off for _, off in named], len(units))
        names = tuple(name for name, _ in named)
        return Design(kind, UnitLevel.head, units, on, options, 0, names=names, examples=tuple(choosing))

    return design(DesignKind.STEP, steps), design(DesignKind.SET, list(sets.items()))


def screen_designs(
    number: int, named: Sequence[tuple[str, int]], examples: Sequence[str], layout: HeadLayout, rate: float = 0.1
) -> tuple[Design, Design]:
    """Random masks, and units that got a mask of their own, each with what it was chosen by."""
    sample = near_design(number, 1 - rate, layout)
    options = {"masks": number, "kept": 1 - rate, "confirmed": 10, "rivals": True}
    on = rows_without([[place] for _, place in named], len(layout.heads))
    names = tuple(name for name, _ in named)
    chosen = Design(DesignKind.SET, UnitLevel.head, sample.units, on, options, 0, names=names, examples=tuple(examples))
    return sample, chosen


def fill_game(
    results: Path,
    game: Game,
    designs: Sequence[Design],
    *,
    layout: HeadLayout = LAYOUT,
    count: int = 120,
    noise: float = 0.0,
    spread: float = 0.5,
    seed: int = 0,
    model: str = "toy",
    data: str = "home",
    lacking: Sequence[str] = (),
    singles: bool = True,
    hidden: Sequence[Design] = (),
    seen: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Store:
    """Make a setting with the outcomes of designs, and of each head off; examples come in groups of three.

    Args:
        results: the results folder.
        game: what a set of heads pays.
        designs: which masks there are.
        layout: the heads.
        count: examples.
        noise: standard deviation of what is added to each loss.
        spread: how much what examples count differs between groups.
        seed: seed of the examples and their noise.
        model: name of the model.
        data: name of the data set.
        lacking: keys of masks that are not stored.
        singles: whether each head is removed by itself.
        hidden: designs whose masks have rows of the examples that chose them alone.
        seen: keys of masks that have rows of some examples alone, with these.
    """
    rng = np.random.default_rng(seed)
    gold = rng.integers(2, size=count)
    counts = np.repeat(1 + spread * rng.uniform(-1, 1, -(-count // 3)), 3)[:count]
    counts /= counts.mean()
    examples = Examples(
        ids=tuple(f"{data}-{i}" for i in range(count)),
        texts=tuple((f"text {i}",) for i in range(count)),
        targets=tuple(LABELS[label] for label in gold),
        columns={"group": tuple(str(i // 3) for i in range(count))},
    )
    place = Factors(model, data, "float32")
    about = {"weights": "w1", "labels": LABELS}
    setting = Setting(
        model, data, "accuracy", about, {"sha256": examples.digest}, metric("accuracy").signature, (place,)
    )
    store = Store(results, setting, layout, examples)
    masks = {layout.full_key: layout.full()}
    masks |= {layout.key(mask): mask for mask in layout.each_off()} if singles else {}
    for design in designs:
        masks |= dict(zip(design.keys(layout), design.masks(layout), strict=True))
        write_design(design, store.folder)
    partial: dict[str, set[str]] = {}
    for design in hidden:
        known = dict(zip(design.keys(layout), design.masks(layout), strict=True))
        partial |= {key: set(design.examples) for key in known if key not in masks}
        masks |= {key: mask for key, mask in known.items() if key not in masks}
        write_design(design, store.folder)
    partial.update({key: set(some) for key, some in seen.items()})
    bears = rng.normal(0.0, 0.6, count)
    frames = []
    for key, mask in masks.items():
        if key in lacking:
            continue
        ahead = counts * game(mask) + noise * rng.standard_normal(count)
        correct = (ahead + bears > 0).astype(np.int64)
        columns = {
            **{"correct": correct, "count": np.ones(count, dtype=np.int64)},
            **{"margin": np.abs(ahead + bears).astype(np.float32), "loss": (40.0 - ahead).astype(np.float64)},
            "prediction": np.where(correct == 1, gold, 1 - gold),
        }
        rows = pl.DataFrame({"mask": [key] * count, "example": examples.ids, **columns})
        frames.append(rows.filter(pl.col("example").is_in(list(partial[key]))) if key in partial else rows)
    store.write(pl.concat(frames), {"device": "cpu", "versions": {"torch": "2.0"}})
    return store
