"""Agreement along an axis: do the same heads, groups or MLPs matter whatever the seed, the epoch, the precision?"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.along import Along as Found
from analysis.along.tables import LINE
from analysis.along.words import (
    correlation_words,
    head_words,
    importance_words,
    line_name,
    matched_words,
    plural,
    selective_words,
    singular,
)
from analysis.attention_kinds import kind_label
from analysis.compute import Analysis
from analysis.curves.bands import mean_curves
from analysis.effects.head_effects import ALL_KINDS
from analysis.effects.unit_effects import single_effects
from analysis.figures import Drawing
from analysis.figures.correlation_maps import FEWEST
from analysis.formatting import slug
from analysis.page.section import Section
from analysis.page.sections.correlation import correlation_title, effects_on_both, units_on_both
from analysis.page.views import Row
from analysis.results.cells import REPLACEMENT
from study.record.errors import listed
from study.record.factors import ZERO
from study.record.importance import Estimator, Normalisation
from study.record.loss import PLAIN
from study.record.units import UnitLevel

MOST_SCATTERS = 6
"""Pairs of tasks (four tasks) that have a scatter each."""

SIDES = ("cell", "unit", "effect", "scaled")
"""Columns of a selective head that there are two of."""

FOLDER = "along"
"""Folder of the figures."""


@dataclass(frozen=True)
class Line:
    """Cells that differ in one axis alone, as the page shows them.

    Attributes:
        name: what they have in common.
        cells: what they are called, two or more.
        cell: what one of them is called.
        level: the units that are compared.
        several: whether there is more than one attention kind.
        sentences: what they come to, in words.
        maps: r between every two, as measured and true.
        forest: heads by their effects in every cell, for a wide and for a narrow screen; none of effects in different
            units.
        small_maps: the effects of heads in every cell where these are in different units, each on a scale of its own.
        one_scale: whether these maps have one colour scale.
        meanings: what each cell is, in words, where its name does not tell: of replacements, by label.
        spreads: mean effects of heads against their spreads.
        curves: pruning curves by the same order, a line for each cell, where cells have them.
        fits: per cell, Spearman's correlation of importance and effects; where importance was measured.
        importance: rows of `analysis.along.Along.importance`.
        pairs: rows of `analysis.along.Along.pairs`.
        nulls: rows of its `nulls`.
        heads: rows of its `heads`, the largest mean effect first.
        matched: rows of its `matched`.
        scatters: the effects of every two tasks or data sets, where these are few.
        selective: a sentence for every two: which heads matter on one and not on the other.
        apart: rows of its `selective` of the heads that do, the largest difference first.
    """

    name: str
    cells: str
    cell: str
    level: UnitLevel
    several: bool
    sentences: tuple[str, ...]
    maps: tuple[Drawing, ...]
    forest: tuple[Drawing, ...]
    small_maps: tuple[Drawing, ...]
    one_scale: bool
    meanings: tuple[tuple[str, str], ...]
    spreads: tuple[Drawing, ...]
    curves: tuple[Drawing, ...]
    fits: tuple[Row, ...]
    importance: tuple[Row, ...]
    pairs: tuple[Row, ...]
    nulls: tuple[Row, ...]
    heads: tuple[Row, ...]
    matched: tuple[Row, ...]
    scatters: tuple[Drawing, ...]
    selective: tuple[str, ...]
    apart: tuple[Row, ...]

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every figure."""
        return (*self.maps, *self.forest, *self.small_maps, *self.spreads, *self.scatters, *self.curves)

    @property
    def shares_examples(self) -> bool:
        """Whether its cells have examples in common."""
        return any(row["groups_shared"] for row in self.pairs)

    @property
    def groups(self) -> int | None:
        """Groups of examples of the smallest cell."""
        return min((row[f"groups_{side}"] for row in self.pairs for side in "ab"), default=None)

    @property
    def reason(self) -> str | None:
        """Why nothing is said of the spread of heads; None where something is."""
        return next((row["reason"] for row in self.heads), None)


@dataclass(frozen=True)
class Along(Section):
    """Every line of cells that was compared, and what a reader must know of it."""

    template, anchor, link = "along", "along", "Agreement"
    axes: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] of the axes that were asked for
        """`Agreement along seed`."""
        return f"Agreement along {listed(self.axes)}"

    @classmethod
    def of(cls, analysis: Analysis) -> "Along | None":
        """None where no axis was asked for."""
        found = analysis.along
        if found is None:
            return None
        keys = pl.concat([found.pairs.select(*LINE), found.matched.select(*LINE)]).unique(maintain_order=True)
        lines = tuple(_line(analysis, found, row, at) for at, row in enumerate(keys.rows(named=True), 1))
        drawings = tuple(drawing for line in lines for drawing in line.drawings)
        return cls(found.axes, lines, found.notes, drawings=drawings)


def _line(analysis: Analysis, found: Found, key: Row, at: int) -> Line:
    pairs, nulls, heads, matched = (
        table.filter(**key) for table in (found.pairs, found.nulls, found.heads, found.matched)
    )
    axis, folder = key["axis"], f"{FOLDER}/{at}-{slug(line_name(key['family'], key['held']))}"
    units = found.level.plural
    sentences = [] if pairs.is_empty() else [correlation_words(pairs, axis, units)]
    sentences += [] if heads.is_empty() else [head_words(heads, axis, analysis.base["alpha"][0], units)]
    sentences += [] if matched.is_empty() else [matched_words(matched, axis, units)]
    importance = found.importance.filter(**key)
    sentences += [words] if (words := importance_words(importance, axis, units)) else []
    known, selective = heads.drop_nulls("spread"), found.selective.filter(**key)
    apart = selective.drop_nulls("selective").sort(pl.col("difference").abs(), descending=True, maintain_order=True)
    cells = _cells(analysis, pairs)
    one_unit = cells["unit"].n_unique() < 2
    replaced = axis == REPLACEMENT
    data = next((each.data for each in analysis.results.domains if each.setting_id in set(cells["setting_id"])), "")
    return Line(
        name=line_name(key["family"], key["held"]),
        cells=plural(axis),
        cell=singular(axis),
        level=found.level,
        several=heads["kind"].n_unique() > 1,
        sentences=tuple(sentences),
        maps=tuple(_maps(pairs.filter(kind=ALL_KINDS), folder)),
        forest=tuple(_forest(cells, folder)) if one_unit else (),
        small_maps=() if one_unit and not replaced else tuple(_small_maps(analysis, cells, folder, one_unit)),
        one_scale=one_unit,
        meanings=tuple(_meanings(analysis, cells)) if replaced else (),
        curves=tuple(_curves(analysis, cells, folder)) if replaced else (),
        fits=tuple(_fits(analysis, cells)) if replaced else (),
        importance=tuple(importance.rows(named=True)),
        spreads=()
        if known.is_empty()
        else (figures.head_spreads(known, plural(axis), "mean and spread", f"{folder}-spread", found.level),),
        pairs=tuple(pairs.rows(named=True)),
        nulls=tuple(nulls.rows(named=True)),
        heads=tuple(heads.sort(pl.col("mean").abs(), descending=True, maintain_order=True).rows(named=True)),
        matched=tuple(matched.rows(named=True)),
        scatters=tuple(_scatters(pairs.filter(kind=ALL_KINDS), cells, found.level, folder, data))
        if selective.height or replaced
        else (),
        selective=tuple(selective_words(selective, units, found.level)),
        apart=tuple(map(_seen_from_it, apart.rows(named=True))),
    )


def _seen_from_it(row: Row) -> Row:
    """A row of a selective head, the task that it matters on first; the difference is of that less the other."""
    if row["selective"] == row["cell_a"]:
        return row
    turned = {f"{name}_{side}": row[f"{name}_{other}"] for name in SIDES for side, other in ("ab", "ba")}
    return row | turned | {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}


def _scatters(pairs: pl.DataFrame, cells: pl.DataFrame, level: UnitLevel, folder: str, data: str) -> Iterator[Drawing]:
    """The effects of every two cells, one against the other; where there are many, of zero with each other, or none."""
    if pairs.height > MOST_SCATTERS:
        pairs = pairs.filter(pl.col("axis") == REPLACEMENT, pl.any_horizontal(pl.col("cell_a", "cell_b") == ZERO))
    for row in pairs.rows(named=True):
        names = row["cell_a"], row["cell_b"]
        before = f"{data}, replacement " if row["axis"] == REPLACEMENT else ""
        labels = before + names[0], before + names[1]
        both, units = effects_on_both(cells, row), units_on_both(cells, row)
        name = f"{folder}-{'-'.join(map(slug, names))}"
        yield figures.scatter(both, labels, units, correlation_title(row, level), name)


def _maps(overall: pl.DataFrame, folder: str) -> Iterator[Drawing]:
    """R of every two cells, true and as measured; none of few cells."""
    if pl.concat([overall["cell_a"], overall["cell_b"]]).n_unique() < FEWEST:
        return
    named = overall.rename({"cell_a": "domain_a", "cell_b": "domain_b"})
    measured = ["pearson", "pearson_low", "pearson_high", "reason"]
    true = {"true": "pearson", "true_low": "pearson_low", "true_high": "pearson_high", "true_reason": "reason"}
    if named["true"].is_not_null().any():
        yield figures.agreement_map(named.drop(measured).rename(true), "true r", f"{folder}-true-r")
    yield figures.agreement_map(named, "measured r", f"{folder}-measured-r")


def _cells(analysis: Analysis, pairs: pl.DataFrame) -> pl.DataFrame:
    """Effects of single heads, or other units, in the cells of these pairs, the cell as their domain."""
    sides = [pairs.select(setting_id=f"setting_{side}", cell=f"cell_{side}") for side in "ab"]
    cells = pl.concat(sides).unique(maintain_order=True)
    level = UnitLevel.head if analysis.along is None else analysis.along.level
    every = analysis.effects if level is UnitLevel.head else analysis.units
    single = cells.join(single_effects(every, level), on="setting_id", maintain_order="left")
    return single.with_columns(domain=pl.col("cell"))


def _forest(cells: pl.DataFrame, folder: str) -> Iterator[Drawing]:
    """Heads by their effects in every cell, for a wide and for a narrow screen."""
    for name, narrow in (("heads", False), ("heads-narrow", True)):
        drawn = figures.forest(cells, f"{folder}-{name}", narrow=narrow)
        if drawn is not None:
            yield drawn


def _meanings(analysis: Analysis, cells: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """What each replacement puts in the place of a head, and what a reader must know of it, by its label."""
    replacements = {domain.setting_id: domain.replacement for domain in analysis.results.domains}
    for id_, label in cells.select("setting_id", "cell").unique(maintain_order=True).iter_rows():
        yield label, " ".join(replacements[id_].sentences)


def _curves(analysis: Analysis, cells: pl.DataFrame, folder: str) -> Iterator[Drawing]:
    """The pruning curves of each order that two cells have or more, a line a cell."""
    named = cells.select("setting_id", "cell").unique(maintain_order=True)
    means = mean_curves(analysis.points).join(named, on="setting_id", maintain_order="right")
    for (kinds, curve), own in means.group_by("kinds", "curve", maintain_order=True):
        if own["cell"].n_unique() > 1:
            title = str(curve) if kinds == ALL_KINDS else f"{kind_label(str(kinds))}, by {curve}"
            name = f"{folder}-curves-{slug(str(kinds))}-{slug(str(curve))}"
            yield figures.pruning_curves(own.with_columns(domain=pl.col("cell")), "cell", title, name, means)


def _fits(analysis: Analysis, cells: pl.DataFrame) -> Iterator[Row]:
    """Whether importance ranks heads as removing them does, in each cell: by the paper's estimator."""
    named = cells.select("setting_id", "cell").unique(maintain_order=True)
    paper = analysis.taylor.filter(estimator=str(Estimator.paper), normalisation=str(Normalisation.layer_l2))
    paper = paper.filter(kind=ALL_KINDS, units=str(UnitLevel.head))
    plain = paper.filter(loss=str(PLAIN))
    yield from named.join(plain if plain.height else paper, on="setting_id", maintain_order="left").rows(named=True)


def _small_maps(analysis: Analysis, cells: pl.DataFrame, folder: str, one_scale: bool) -> Iterator[Drawing]:
    """The effects of heads in every cell, each on a scale of its own, or all on one."""
    layouts = {domain.setting_id: domain.layout for domain in analysis.results.domains}
    for (id_, cell), own in cells.group_by("setting_id", "cell", maintain_order=True):
        name, layout = f"{folder}-effects-{slug(str(cell))}", layouts[str(id_)]
        counts = layout.groups if analysis.along and analysis.along.level is UnitLevel.group else layout.counts
        yield figures.small_heat_map(own, counts, figures.colour_limit(cells if one_scale else own), name)
