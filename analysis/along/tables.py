"""Cells of a results folder along axes, compared head by head, as tidy tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from analysis.along.comparability import Match, different_starts, unknown_starts
from analysis.along.importance import IMPORTANCE, importance_correlations
from analysis.along.matching import matched_heads
from analysis.along.selective import scaled_differences
from analysis.along.spread import spread
from analysis.along.words import plural
from analysis.correlation import CorrelationOptions
from analysis.correlation.domain_effects import DomainEffects
from analysis.correlation.pair_numbers import CROSSED, NUMBERS, DomainResamples, PairResamples
from analysis.correlation.pairs import Pair, by_kind
from analysis.correlation.shared_examples import head_covariances
from analysis.correlation.tables import NULL, PAIR, columns_of, null_rows
from analysis.effects.unit_effects import single_effects
from analysis.inference.multiplicity import Correction, corrected
from analysis.results.cells import DATA, PRECISION, TASK, Cell, Grid, grids, held_axes
from analysis.results.read import Results
from study.record.cascade.stage import STAGE, is_draft
from study.record.errors import InputError, listed
from study.record.metrics import METRICS
from study.record.units import ADDRESS, Unit, UnitLevel
from study.terminal.progress import progress

LINE = dict.fromkeys(["family", "metric", "axis", "held"], pl.String)
CELLS = LINE | dict.fromkeys(["cell_a", "cell_b", "setting_a", "setting_b"], pl.String)
PAIRS = (
    CELLS
    | {"kind": pl.String}
    | NUMBERS
    | CROSSED
    | {"level": pl.Float64, "groups_a": pl.Int64, "groups_b": pl.Int64, "groups_shared": pl.Int64}
    | {"start": pl.String}
)
NULLS = CELLS | {name: kind for name, kind in NULL.items() if name not in PAIR}
HEADS = (
    LINE
    | ADDRESS
    | {"unit": pl.String, "cells": pl.Int64}
    | dict.fromkeys(["mean", "mean_low", "mean_high", "spread", "spread_low", "spread_high"], pl.Float64)
    | dict.fromkeys(["variance", "p", "p_corrected"], pl.Float64)
    | {"significant": pl.Int64, "lowest": pl.Float64, "lowest_cell": pl.String}
    | {"highest": pl.Float64, "highest_cell": pl.String, "level": pl.Float64, "reason": pl.String}
)
MATCHED = (
    CELLS
    | {"heads": pl.Int64}
    | dict.fromkeys(["matched", "low", "high", "by_size", "in_place", "ceiling"], pl.Float64)
    | {"same_place": pl.Float64, "same_place_by_chance": pl.Float64, "splits": pl.Int64, "reason": pl.String}
)

SELECTIVE = (
    CELLS
    | ADDRESS
    | {f"{name}_{side}": kind for name, kind in (("unit", pl.String), ("effect", pl.Float64)) for side in "ab"}
    | {f"{name}_{side}": pl.Float64 for name in ("scale", "scaled") for side in "ab"}
    | dict.fromkeys(["difference", "low", "high", "p", "p_corrected"], pl.Float64)
    | {"selective": pl.String, "level": pl.Float64}
)

SAME, UNKNOWN, POSITION = "same", "not known", "by position"
"""Whether cells start from the same weights: they do, it is not known, or they do not and are compared by position."""

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Along:
    """The tables. Columns family, metric, axis and held (the values on all other axes) say which cells are compared.

    They are of heads, or of the units of another level; `heads` counts these units then, and `head` is the number of a
    group.

    Attributes:
        axes: the axes that cells are compared along.
        level: the units that are compared.
        grids: the grids whose cells have heads that are compared by their places.
        pairs: one row for every two cells that differ in one axis alone, for all heads (`kind` is "all") and by
            attention kind where there are several: cell_a, cell_b, setting_a, setting_b; the columns of
            `analysis.correlation.tables.Correlations.correlation`; crossed (r between halves of the examples, one
            cell on one half with the other on the other) and crossed_ceiling (the largest to expect of it), of which
            `share` is made where cells share examples; groups_a, groups_b, groups_shared; start (whether both were
            trained from the same weights: same, not known, by position).
        nulls: one row for every two cells and null (`NullName`).
        heads: one row a line of cells and head: kind, layer, head, unit, cells; mean over cells with its interval
            (mean_low, mean_high, of these cells); spread over cells beyond noise with its interval (spread_low,
            spread_high), variance (its square; below 0 where noise alone makes more), p of equal effects in all cells
            and p_corrected (Holm over heads); significant: in how many cells the effect is; lowest, highest and in
            which cells; reason, why there is no spread. Of tasks with metrics of their own there are no numbers in
            any unit.
        matched: one row for every two cells whose heads were matched: `MatchedHeads`.
        selective: one row for every two data sets or tasks and head: effect_a, effect_b, in unit_a, unit_b; scale_a,
            scale_b, which scaled_a and scaled_b are divided by; difference of these with its interval (low, high), p
            and p_corrected (`analysis.along.selective`); selective: the cell on which alone the head matters, where
            that is shown.
        importance: one row for every two cells of the same examples whose importance was measured, for all heads and by
            attention kind: loss, heads, Spearman's correlation of the importances with its interval (spearman, low,
            high).
        notes: what is not compared and why, and what a reader must know of what is.
    """

    axes: tuple[str, ...]
    level: UnitLevel
    grids: tuple[Grid, ...]
    pairs: pl.DataFrame
    nulls: pl.DataFrame
    heads: pl.DataFrame
    matched: pl.DataFrame
    selective: pl.DataFrame
    importance: pl.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """All that have rows, under the names of their files: `along_pairs`; of groups `along_pairs_of_groups`."""
        named = {"pairs": self.pairs, "nulls": self.nulls, "heads": self.heads, "matched": self.matched}
        named |= {"selective": self.selective, "importance": self.importance}
        if self.level is not UnitLevel.head:
            named = {f"{name}_of_{self.level.plural}": columns_of(own, self.level) for name, own in named.items()}
            named = {name.replace("heads_of_", ""): own for name, own in named.items()}
        return {f"along_{name}": table for name, table in named.items() if table.height}


def along(
    results: Results,
    axes: Sequence[str],
    effects: pl.DataFrame,
    *,
    options: CorrelationOptions,
    groups: str,
    match: Match | None = None,
    level: UnitLevel = UnitLevel.head,
) -> Along:
    """Compare the cells of a results folder along every one of some axes, the others held.

    Args:
        results: what was read.
        axes: names of the axes; of several every combination of values must be there.
        effects: the tidy table of all domains, which says what is significant; of other units than heads that of these.
        options: how correlations are computed.
        groups: how examples are grouped, as in `Domain.sample`.
        match: how heads of models that start from different weights are compared; None: they are not.
        level: the units that are compared.

    Raises:
        InputError: when there is no such axis, nothing differs along it, a cell is missing, or all models start from
            different weights and no way to match their heads was named.
    """
    found = grids(results, axes, level)
    lines = [
        Line(grid, axis, cells, options, groups)
        for grid in found.grids
        for axis in grid.axes
        for cells in grid.lines(axis)
    ]
    refused = [line for line in lines if line.different and match is None]
    compared = [line for line in lines if line not in refused]
    reasons = dict.fromkeys(line.different for line in refused)
    named = {reason: "; ".join(line.name for line in refused if line.different == reason) for reason in reasons}
    notes = [*found.left_out, *(f"{names}: {reason}. {CURE}" for reason, names in named.items())]
    if not compared:
        raise InputError(f"nothing can be compared along {','.join(axes)}:\n  " + "\n  ".join(notes))
    matching = [line for line in compared if match is Match.heads and line.shares_examples]
    by_place = [line for line in compared if line not in matching]
    notes += [note for line in by_place if (note := line.caution)]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    with progress(f"along {','.join(axes)}", len(compared), "lines") as advance:
        for line in by_place:
            rows["pairs"] += line.pair_rows()
            rows["nulls"] += line.null_rows()
            rows["heads"] += line.head_rows(effects)
            rows["selective"] += line.selective_rows(effects)
            rows["importance"] += line.importance_rows()
            advance(1)
        for line in matching:
            rows["matched"] += line.matched_rows()
            advance(1)
    tables = {name: pl.DataFrame(rows[name], schema=schema) for name, schema in SCHEMAS.items()}
    unlike = {id(line.grid) for line in lines if line.different and match is not Match.position}
    same_heads = tuple(grid for grid in found.grids if id(grid) not in unlike)
    return Along(tuple(axes), level, same_heads, notes=tuple(dict.fromkeys(notes)), **tables)


SCHEMAS = {
    "pairs": PAIRS,
    "nulls": NULLS,
    "heads": HEADS,
    "matched": MATCHED,
    "selective": SELECTIVE,
    "importance": CELLS | IMPORTANCE,
}
"""The columns of every table."""

FEWEST_GROUPS = 10
"""More groups of examples than cells, from which the noise of differences between cells is told."""

CURE = "--match heads matches them first, --match position compares them by their places all the same"


def _is_exact(cell: Cell) -> bool:
    """Whether a cell might have drafts and has none."""
    rows = cell.domain.rows
    return STAGE in rows.columns and rows.filter(is_draft()).is_empty()


@dataclass(frozen=True, eq=False)
class Line:
    """Cells that differ in one axis alone.

    Attributes:
        grid: the grid that they are of.
        axis: the axis.
        cells: two or more.
        options: how correlations are computed.
        groups: how examples are grouped.
    """

    grid: Grid
    axis: str
    cells: tuple[Cell, ...]
    options: CorrelationOptions
    groups: str

    @property
    def columns(self) -> dict[str, str]:
        """What the tables say of the line."""
        first = self.cells[0]
        return {"family": first.place.family, "metric": self.metric, "axis": self.axis, "held": self.held}

    @property
    def metric(self) -> str:
        """Name of the metric of its cells; of several tasks every name."""
        return ", ".join(dict.fromkeys(cell.domain.metric.name for cell in self.cells))

    @property
    def held(self) -> str:
        """Where the cells stand on all other axes but the family, as far as it is known: `toy_matched, epoch 4`.

        And the metric, where there are others beside it.
        """
        return self.grid.words({axis: self.cells[0].at(axis) for axis in held_axes([self.axis]) if axis != "family"})

    @property
    def name(self) -> str:
        """What the cells have in common, in words."""
        family = [] if self.axis == "family" else [self.cells[0].place.family]
        return ", ".join([*family, *([self.held] if self.held else [])])

    @property
    def shares_examples(self) -> bool:
        """Whether its cells were measured on the same data."""
        return self.axis not in (DATA, TASK)

    @property
    def different(self) -> str | None:
        """Why its heads cannot be compared by their places; None where they can."""
        return different_starts(self.cells, self.axis)

    @property
    def caution(self) -> str | None:
        """What a reader must know of the comparison of heads by place; None where there is nothing."""
        if self.different:
            return f"{self.name}: compared by position although {self.different}"
        if exact := [cell.label([self.axis]) for cell in self.cells if self.axis == PRECISION and _is_exact(cell)]:
            return (
                f"{self.name}: no decision of {listed(exact)} is a draft, all are float32's, so that it is no finding "
                f"that they agree with float32"
            )
        if unknown_starts(self.cells, self.axis):
            return (
                f"{self.name}: it is not known whether all start from the same weights. If they do not, a head of one "
                f"has nothing to do with the head at its place in another. model.initial=NAME says what models of "
                f"yours started from; of models trained here it is known: the same command again adds it to what is "
                f"stored, and computes nothing anew"
            )
        return None

    @property
    def start(self) -> str:
        """Whether its cells were trained from the same weights."""
        if self.different:
            return POSITION
        return UNKNOWN if unknown_starts(self.cells, self.axis) else SAME

    @property
    def labels(self) -> list[str]:
        """Names of its cells."""
        return [cell.label([self.axis]) for cell in self.cells]

    @cached_property
    def effects(self) -> list[DomainEffects]:
        """The effects of units in each cell, named by its place on the axis."""
        found = [DomainEffects.of(cell.domain, self.groups, self.grid.level) for cell in self.cells]
        named = zip(found, self.labels, strict=True)
        return [replace(own, names={**own.names, "domain": label}) for own, label in named]

    @cached_property
    def pairs(self) -> list[PairResamples]:
        """Every two cells, with what is drawn of them."""
        sides = [DomainResamples(own, self.options, by_examples=self.shares_examples) for own in self.effects]
        found = []
        for (one, a), (other, b) in combinations(zip(self.labels, sides, strict=True), 2):
            settings = {f"setting_{side}": own.domain.names["setting_id"] for side, own in (("a", a), ("b", b))}
            pair = Pair(a.domain, b.domain, {**self.columns, "cell_a": one, "cell_b": other, **settings})
            found.append(PairResamples.of(pair, a, b))
        return found

    def pair_rows(self) -> Rows:
        """Rows of `Along.pairs`."""
        for both in self.pairs:
            pair = both.pair
            shared = pair.shared_groups.count
            sizes = {
                f"groups_{side}": own.sample and own.sample.groups for side, own in zip("ab", pair.sides, strict=True)
            }
            same = {"level": self.options.level, **sizes, "groups_shared": shared, "start": self.start}
            for kind, kept in by_kind(pair.heads, (*pair.a.heads, *pair.b.heads)):
                yield {**pair.names, "kind": kind, **both.numbers(kept), **same}

    def null_rows(self) -> Rows:
        """Rows of `Along.nulls`."""
        return ({**both.pair.names, **row} for both in self.pairs for row in null_rows(both))

    def importance_rows(self) -> Rows:
        """Rows of `Along.importance`, of heads that were measured on the same examples alone."""
        if not self.shares_examples or self.grid.level is not UnitLevel.head:
            return
        domains = [cell.domain for cell in self.cells]
        for a, b, row in importance_correlations(domains, self.groups, self.options.level):
            settings = {f"setting_{side}": domains[at].setting_id for side, at in (("a", a), ("b", b))}
            yield {**self.columns, "cell_a": self.labels[a], "cell_b": self.labels[b], **settings, **row}

    def selective_rows(self, effects: pl.DataFrame) -> Rows:
        """Rows of `Along.selective`, of data sets and tasks alone; `effects` as in `along`."""
        if self.shares_examples:
            return
        sure = {own.names["setting_id"]: self._sure(effects, own.names["setting_id"]) for own in self.effects}
        for both in self.pairs:
            pair = both.pair
            found = scaled_differences(*pair.noisy(both.every_head), pair.shared_groups, self.options.level)
            if isinstance(found, str):
                continue
            same = {f"scale_{side}": own.scale for side, own in (("a", found.a), ("b", found.b))}
            same |= {f"unit_{side}": METRICS[own.names["metric"]].unit for side, own in (("a", pair.a), ("b", pair.b))}
            for i, head in enumerate(pair.heads):
                numbers = {f"effect_{side}": own[i] for side, own in zip("ab", pair.effects, strict=True)}
                numbers |= {
                    "scaled_a": found.a.effects[i],
                    "scaled_b": found.b.effects[i],
                    "difference": found.value[i],
                }
                numbers |= {name: getattr(found, name)[i] for name in ("low", "high", "p", "p_corrected")}
                alone = None
                if found.p_corrected[i] <= 1 - self.options.level:
                    alone = _matters_alone(pair, sure, head)
                told = {name: float(number) for name, number in numbers.items()}
                yield {**pair.names, **head.row, **same, **told, "selective": alone, "level": self.options.level}

    def _sure(self, effects: pl.DataFrame, setting: str) -> Mapping[tuple[Any, ...], tuple[bool, bool]]:
        """Whether the effect of each unit in a cell is significant, and equivalent to none, by address."""
        single = single_effects(effects.filter(setting_id=setting), self.grid.level)
        rows = single.select(*ADDRESS, pl.col("significant", "equivalent").fill_null(False)).iter_rows()
        return {row[:3]: row[3:] for row in rows}

    def matched_rows(self) -> Rows:
        """Rows of `Along.matched`."""
        for both in self.pairs:
            same = {"heads": len(both.pair.heads), "splits": self.options.splits}
            yield {**both.pair.names, **same, **asdict(matched_heads(both))}

    def head_rows(self, effects: pl.DataFrame) -> Rows:
        """Rows of `Along.heads`; `effects` as in `along`."""
        first, *others = self.effects
        heads = [head for head in first.heads if all(head in own.heads for own in others)]
        if not heads:
            return
        places = [np.array([own.heads.index(head) for head in heads]) for own in self.effects]
        values = np.stack([own.effects[at] for own, at in zip(self.effects, places, strict=True)])
        numbers = self._spread(places, values)
        significant = self._significant(effects)
        for i, head in enumerate(heads):
            yield {
                **self.columns,
                **head.row,
                "unit": self._unit,
                "cells": len(self.cells),
                **(self._ends(values[:, i]) if self._unit else {}),
                **{name: None if column is None else float(column[i]) for name, column in numbers.items()},
                "significant": significant.get(tuple(head.row.values())),
                "level": self.options.level,
                "reason": None if numbers else self._no_spread(),
            }

    def _ends(self, values: np.ndarray) -> dict[str, Any]:
        """The mean of a head's effects, the lowest and the highest of them."""
        lowest, highest = int(values.argmin()), int(values.argmax())
        return {
            "mean": float(values.mean()),
            "lowest": float(values[lowest]),
            "lowest_cell": self.labels[lowest],
            "highest": float(values[highest]),
            "highest_cell": self.labels[highest],
        }

    @property
    def _unit(self) -> str | None:
        """The unit of effects; None where cells differ in their metric, so that effects are no numbers of one kind."""
        return None if "," in self.metric else self.cells[0].domain.metric.unit

    def _spread(self, places: Sequence[np.ndarray], values: np.ndarray) -> dict[str, np.ndarray]:
        """The columns about mean and spread; none where the groups are too few."""
        if self._no_spread():
            return {}
        found = spread(values, head_covariances(self.effects, places), self._groups, self.options.level)
        columns = {"mean_low": found.mean_low, "mean_high": found.mean_high, "spread": found.value}
        columns |= {"spread_low": found.low, "spread_high": found.high, "variance": found.variance, "p": found.p}
        return columns | {"p_corrected": corrected(found.p, Correction.holm)}

    @property
    def _groups(self) -> int:
        """How many groups of examples the smallest cell has."""
        return min(own.sample.groups for own in self.effects if own.sample is not None)

    def _no_spread(self) -> str | None:
        """Why nothing is said of the noise of a spread."""
        if self._unit is None:
            scored_by = self.grid.scored_by
            return f"{plural(self.axis)} are scored by {scored_by}: effects in different units have no mean or spread"
        needed = FEWEST_GROUPS + len(self.cells)
        if self._groups >= needed:
            return None
        return f"{self._groups} groups of examples: the noise of {len(self.cells)} cells needs {needed}"

    def _significant(self, effects: pl.DataFrame) -> Mapping[tuple[Any, ...], int]:
        """In how many of the cells the effect of each head is significant, by address."""
        mine = [cell.domain.setting_id for cell in self.cells]
        single = single_effects(effects.filter(pl.col("setting_id").is_in(mine)), self.grid.level)
        counts = single.group_by(*ADDRESS).agg(pl.col("significant").sum().cast(pl.Int64))
        return {tuple(row[:-1]): row[-1] for row in counts.iter_rows()}


def _matters_alone(
    pair: Pair, sure: Mapping[str, Mapping[tuple[Any, ...], tuple[bool, bool]]], unit: Unit
) -> str | None:
    """The cell of a pair on which alone a unit is shown to matter; None where that is shown of neither."""
    at = tuple(unit.row.values())
    (here, none_here), (there, none_there) = (sure[own.names["setting_id"]][at] for own in (pair.a, pair.b))
    if here and none_there:
        return pair.a.domain
    return pair.b.domain if there and none_here else None
