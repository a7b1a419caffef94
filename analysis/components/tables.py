"""The table of variance components, and the sentence to quote."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis.along.comparability import different_starts
from analysis.components.grid_effects import examples_in_common, noisy_grid
from analysis.components.intervals import Decomposition, Estimate, decompose, share, total
from analysis.components.moments import Component, Components, Values, noise_variance
from analysis.components.noisy_grid import NoisyGrid
from analysis.components.reml_intervals import NO_TOP, decompose_by_reml, within
from analysis.defaults import DEFAULTS
from analysis.formatting import common_power, ends, power_of_ten
from analysis.results.cells import DATA, TASK, Grid
from analysis.results.domain import AUTO
from study.record.errors import InputError
from study.record.units import UnitLevel

SEED = "seed"

WORDS = {DATA: "domain", TASK: "task"}
"""Axes whose values have another name in words."""

COLUMNS = (
    dict.fromkeys(["grid", "metric", "unit", "axes", "component", "belongs_to"], pl.String)
    | dict.fromkeys(["variance", "low", "high", "share", "share_low", "share_high"], pl.Float64)
    | dict.fromkeys(["reml", "reml_low", "reml_high", "reml_share", "reml_share_low", "reml_share_high"], pl.Float64)
    | dict.fromkeys(["measured_variance", "noise_variance", "level"], pl.Float64)
    | dict.fromkeys(["domains", "seeds", "heads", "groups"], pl.Int64)
    | {"reason": pl.String}
)


@dataclass(frozen=True)
class VarianceComponents:
    """The variance components of every grid.

    Attributes:
        table: one row for each grid and component: variance (in the square of the unit), its interval, share of the
            variance of true effects over the heads of a cell; reml, reml_share: the same by restricted maximum
            likelihood, each with its interval;
            measured_variance and noise_variance: of effects as measured, and of sampling alone; domains, seeds: number
            of cells along the axes; groups: fewest groups of examples of a domain; reason: why numbers are missing.
        sentences: a sentence to quote for each grid.
    """

    table: pl.DataFrame
    sentences: tuple[str, ...]


def shown_in(components: pl.DataFrame) -> tuple[str, float]:
    """The unit in which variances are shown, such as `10⁻⁶ nats squared`, and what to divide them by for it."""
    power = common_power([*components["variance"], *components["noise_variance"]])
    return f"{power_of_ten(power)}{' or '.join(components['unit'].unique(maintain_order=True))} squared", 10.0**power


def divided(row: Mapping[str, Any], by: float) -> dict[str, float | None]:
    """The variances of a row, and their interval, in the unit in which they are shown."""
    names = ("variance", "low", "high", "reml", "reml_low", "reml_high", "noise_variance")
    return {name: None if row[name] is None else row[name] / by for name in names}


@dataclass(frozen=True)
class Axes:
    """What the axes of a grid are called: the one with different examples, the one that shares them, and the units."""

    apart: str
    sharing: str
    level: UnitLevel = UnitLevel.head

    def belongs_to(self, name: Component) -> str:
        """What a component belongs to, in words."""
        unit = self.level.noun
        return {
            Component.LAYER: "layer",
            Component.HEAD: f"{unit} in its layer" if self.level in (UnitLevel.head, UnitLevel.group) else unit,
            Component.DOMAIN: f"{unit} × {self.apart}",
            Component.SEED: f"{unit} × {self.sharing}",
            Component.CELL: f"{unit} × {self.apart} × {self.sharing}",
        }[name]


def variance_components(
    grids: Sequence[Grid],
    groups: str = AUTO,
    level: float = 1 - DEFAULTS["alpha"],
    *,
    by_position: bool = False,
) -> VarianceComponents:
    """The variance components of grids of one axis, or of data and one more axis; of others there are none.

    Args:
        grids: cells that differ in these axes alone, of one subject each.
        groups: groups of examples, as in `Domain.sample`.
        level: probability that an interval holds.
        by_position: whether heads are compared by position where models start from different weights; else those have
            no components.

    Returns:
        The components; a sentence says why there are none where the cells of a data set have different examples, or too
        few heads were measured in all cells.
    """
    rows: list[tuple[Any, ...]] = []
    sentences = []
    for grid in grids:
        sharing = [axis for axis in grid.axes if axis not in WORDS]
        if len(sharing) > 1 or not (by_position or _same_heads(grid)):
            continue
        names = Axes(WORDS[TASK if TASK in grid.axes else DATA], sharing[0] if sharing else "", grid.level)
        if "," in grid.metric:
            sentences.append(f"{grid.name}: no variance components, as tasks are scored by {grid.scored_by}.")
            continue
        try:
            effects = noisy_grid(grid, groups)
        except InputError as error:
            sentences.append(f"{grid.name}: no variance components, {error}.")
            continue
        sampled = SEED in sharing
        found, likely = decompose(effects, level, sampled=sampled), decompose_by_reml(effects, level, sampled=sampled)
        about = (grid.name, grid.metric, _unit(grid), ",".join(grid.axes))
        rows += _rows(about, names, effects, found, likely)
        shared = examples_in_common(grid, groups)
        told = [_sentence(f"{grid.name}: ", names, effects, found), f"{shared}." if shared else ""]
        sentences.append(" ".join(filter(None, [*told, _lack_of_reml(found, likely)])))
    return VarianceComponents(pl.DataFrame(rows, schema=COLUMNS, orient="row"), tuple(sentences))


def _same_heads(grid: Grid) -> bool:
    """Whether heads of one place are the same heads in all cells."""
    return not any(different_starts(line, axis) for axis in grid.axes for line in grid.lines(axis))


def _rows(
    about: Sequence[str], names: Axes, effects: NoisyGrid, found: Decomposition, likely: Decomposition | None
) -> Iterator[tuple[Any, ...]]:
    domains, seeds, heads = effects.shape
    noise = noise_variance(effects)
    measured = float(total(found.whole)) + noise
    divided = found.divided
    for name in found.whole:
        estimates = [found.estimate(_component(name)), found.estimate(share(name)) if divided else None]
        if likely is not None:
            by_reml = [likely.estimate(_component(name)), likely.estimate(share(name)) if divided else None]
            estimates += [own and within(own, most) for own, most in zip(by_reml, (np.inf, 1.0), strict=True)]
        part, of_total, likely_part, of_likely = map(_ends, [*estimates, None, None][:4])
        yield (
            *about,
            str(name),
            names.belongs_to(name),
            *part,
            *of_total,
            *likely_part,
            *of_likely,
            *(measured, noise, found.level),
            *(domains, seeds, heads, min(effects.groups)),
            _reasons(found, likely),
        )


def _reasons(found: Decomposition, likely: Decomposition | None) -> str | None:
    """Why numbers are missing, each reason once; None where none is."""
    reasons = (found.reason, _reason_of_reml(likely), None if found.divided else NOT_DIVIDED)
    return "; ".join(dict.fromkeys(filter(None, reasons))) or None


def _reason_of_reml(likely: Decomposition | None) -> str | None:
    return NO_TOP if likely is None else likely.reason


def _lack_of_reml(found: Decomposition, likely: Decomposition | None) -> str:
    """What numbers by REML lack beyond those by moments, as a sentence; empty where that is nothing."""
    reason = _reason_of_reml(likely)
    return "" if reason is None or reason == found.reason else f"{reason[0].upper()}{reason[1:]}."


def _ends(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    """A number and the ends of its interval; none of a share of nothing."""
    if estimate is None or not np.isfinite(estimate.value):
        return None, None, None
    return estimate.value, estimate.low, estimate.high


NOT_DIVIDED = "no shares: the variance of effects is not shown to be above their noise"


def _sentence(name: str, names: Axes, effects: NoisyGrid, found: Decomposition) -> str:
    """How much of the variance belongs to what, as a sentence."""
    unit = names.level.noun
    if not found.divided:
        return f"{name}the variance of {unit} effects is not shown to be above their noise: there is nothing to divide."
    noise = noise_variance(effects)
    taken = f"sampling noise, {_percent(noise / (noise + float(total(found.whole))))} of the variance as measured"
    heads = [part for part in (Component.LAYER, Component.HEAD) if part in found.whole]
    whole = found.estimate(lambda own: sum(share(part)(own) for part in heads))
    told = f"{name}of the variance of {unit} effects, {_told(whole)} belongs to the {unit}{_whatever(names, effects)}"
    if Component.LAYER in heads:
        layer = found.estimate(share(Component.LAYER))
        told += f" ({_share(layer)} to its layer)"
    others = [
        f"{_told(found.estimate(share(part)))} to {names.belongs_to(part)}" for part in found.whole if part not in heads
    ]
    told = ", ".join([told, *others])
    return f"{told}; {taken}, is taken out{'' if found.reason is None else f' ({found.reason})'}."


def _whatever(names: Axes, effects: NoisyGrid) -> str:
    """` whatever domain and seed`, as far as the grid has several."""
    axes = [axis for axis, count in zip((names.apart, names.sharing), effects.shape, strict=False) if count > 1]
    return f" whatever {' and '.join(axes)}"


def _told(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return _share(estimate)
    return _percent(estimate.value) + ends(100 * estimate.low, 100 * estimate.high, 0)


def _share(estimate: Estimate) -> str:
    """A share without its interval; an estimate below 0 or above 1, which noise alone can give, is put in words."""
    words = {estimate.value < 0: "none", estimate.value > 1: "all"}
    return words.get(True, _percent(estimate.value))


def _percent(share_: float) -> str:
    return f"{100 * share_:.0f} %".replace("-", "−")


def _component(name: Component) -> Callable[[Components], Values]:
    return lambda components: components[name]


def _unit(grid: Grid) -> str:
    return next(iter(grid.cells.values())).domain.metric.unit
