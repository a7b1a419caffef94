"""Shapley values of units beside semivalues and single effects, and the scores of sets by their size."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.compute import Analysis
from analysis.effects.chance import chance
from analysis.figures import Drawing
from analysis.formatting import decimals, signed, slug
from analysis.page.section import Section
from analysis.page.views import Row
from analysis.sets import Sets
from analysis.sets.scales import SCORE, tested_scale
from analysis.sets.shapley import SEMIVALUE, SHAPLEY, Coalitions
from analysis.sets.words import short_names

FOLDER = "sets"
"""Folder of its figures."""

MOST_ROWS = 24
"""Units that are drawn and told, the largest values first; all are in the tables."""

ALONE = "removed alone"


@dataclass(frozen=True)
class CoalitionDesign:
    """The values of one sample of coalitions.

    Attributes:
        name: model and data.
        units: what the units are, as several.
        metric: label of the scale that the rows are of.
        unit: unit of values on it.
        made_of: how many coalitions, in words.
        rows: the units with the largest values.
        count: how many units there are.
        interactions: the largest Shapley interactions of two units.
    """

    name: str
    units: str
    metric: str
    unit: str
    made_of: str
    rows: tuple[Row, ...]
    count: int
    interactions: tuple[Row, ...]


@dataclass(frozen=True)
class ShapleySection(Section):
    """Shapley values, by design.

    Attributes:
        warnings: what is not whole, a sentence each; empty where another section has them.
        sentences: what it comes to.
        designs: tables of each design.
        values: the largest values with intervals, beside the others.
        sizes: scores by the size of a set.
        alpha: what intervals leave out.
    """

    template, anchor, title, link = "sets/shapley", "shapley", "Shapley values: what each adds on average", "Shapley"
    warnings: tuple[str, ...]
    sentences: tuple[str, ...]
    designs: tuple[CoalitionDesign, ...]
    values: tuple[Drawing, ...]
    sizes: tuple[Drawing, ...]
    alpha: float

    @classmethod
    def of(cls, analysis: Analysis) -> "ShapleySection | None":
        """None where no coalitions were measured."""
        found = analysis.sets
        return None if found is None or found.shapley.is_empty() else cls.showing(found)

    @classmethod
    def showing(cls, found: Sets) -> "ShapleySection":
        """The section of these samples, its figures drawn."""
        values, sizes = tuple(value_drawings(found)), tuple(size_drawings(found))
        return cls(
            warnings=() if found.pairs.height else found.warnings,
            sentences=found.shapley_sentences,
            designs=tuple(_design(found, own) for own in found.coalitions),
            values=values,
            sizes=sizes,
            alpha=found.alpha,
            drawings=(*values, *sizes),
        )


def _of(table: pl.DataFrame, own: Coalitions, scale: str) -> pl.DataFrame:
    return table.filter(setting_id=own.about["setting_id"], design=own.about["design"], scale=scale)


def _design(found: Sets, own: Coalitions) -> CoalitionDesign:
    scale, names = tested_scale(own.scales), short_names(own.design.units, own.design.unit)
    rows, pairs = (_of(table, own, scale) for table in (found.shapley, found.shapley_pairs))
    named = rows.with_columns(name=pl.col("address").replace_strict(names))
    named = named.sort(pl.col("average") != SHAPLEY, pl.col("value").abs().neg())
    largest = pairs.with_columns(name_a=pl.col("a").replace_strict(names), name_b=pl.col("b").replace_strict(names))
    exact = rows["exact"][0]
    return CoalitionDesign(
        name=own.name,
        units=own.design.unit.plural,
        metric=own.scales[scale].metric.label,
        unit=own.scales[scale].metric.unit,
        made_of="all sets" if exact else made_of(own),
        rows=tuple(named.group_by("average", maintain_order=True).head(MOST_ROWS).rows(named=True)),
        count=len(own.design.units),
        interactions=tuple(largest.sort(pl.col("interaction").abs().neg()).head(MOST_ROWS).rows(named=True)),
    )


def made_of(own: Coalitions) -> str:
    """How many coalitions there are, and how many there might have been."""
    looks = own.design.looks
    most = f", stopped of at most {looks.at[-1]:,}" if looks and own.drawn < looks.at[-1] else ""
    return f"{own.drawn:,} coalitions{most}"


def value_drawings(found: Sets) -> Iterator[Drawing]:
    """The largest values with their intervals, a figure for each scale but the margin; beside them single effects."""
    for own in found.coalitions:
        names = short_names(own.design.units, own.design.unit)
        for scale in dict.fromkeys((SCORE, tested_scale(own.scales))):
            rows = _of(found.shapley, own, scale).filter(average=SHAPLEY)
            if rows.is_empty():
                continue
            rows = pl.concat([rows, _near(found.shapley, own, scale)])
            label = own.scales[scale].metric.label
            marks, unit = _marks(rows, names), rows["unit"][0]
            name = f"{FOLDER}/shapley-{slug(own.about['setting_id'])}-{own.about['design']}-{scale}"
            about = f"Shapley values of {own.design.unit.plural}, {own.name}, {label}"
            title = f"{own.name}, {label}"
            yield figures.interval_rows(marks, name, about, f"what a {own.design.unit.noun} adds ({unit})", title=title)


def _near(table: pl.DataFrame, own: Coalitions, scale: str) -> pl.DataFrame:
    """The semivalues of the same units on the same data, from these coalitions or others."""
    about = {"setting_id": own.about["setting_id"], "level": own.about["level"], "scale": scale}
    near = table.filter(average=SEMIVALUE, **about).unique(["address", "kept"], keep="first", maintain_order=True)
    return near.filter(pl.col("address").is_in(own.design.units) & (pl.col("kept") == pl.col("kept").max()))


def _marks(rows: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """Rows of a figure: of each of the largest units its Shapley value, semivalue and what it adds to the full set."""
    shapley = rows.filter(average=SHAPLEY).sort(pl.col("value").abs().neg()).head(MOST_ROWS)
    units = shapley.sort(pl.col("value").neg())["address"].to_list()
    digits, marks = decimals(rows["unit"][0]), []
    for address in units:
        own = rows.filter(address=address).rows(named=True)
        for row in own:
            marks.append(_mark(row, row["average"].capitalize(), row["value"], row["low"], row["high"], names, digits))
        if own[0]["alone"] is not None:
            ends = own[0]["alone_low"], own[0]["alone_high"]
            marks.append(_mark(own[0], ALONE, own[0]["alone"], *ends, names, digits))
    schema = {"low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(marks, schema_overrides=schema)


def _mark(
    row: Row, series: str, value: float, low: float | None, high: float | None, names: dict[str, str], digits: int
) -> Row:
    said = f"{row['address']}: {series} {signed(value, digits)} {row['unit']}"
    own = {"row": names[row["address"]], "series": series, "value": value, "low": low, "high": high}
    return {**own, "said": said, "head": row["address"]}


def size_drawings(found: Sets) -> Iterator[Drawing]:
    """Scores of sets by their size, a figure for each sample."""
    for own in found.coalitions:
        rows = _of(found.sizes, own, SCORE)
        if rows.height:
            name = f"{FOLDER}/sizes-{slug(own.about['setting_id'])}-{own.about['design']}"
            yield figures.size_curve(rows, chance(own.scales[SCORE]), own.design.unit.plural, own.name, name)
