"""Pairs of units: clustered maps of their interactions, the graph of named pairs, tables of pairs and redundancy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis import figures
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.formatting import slug
from analysis.page.section import Section
from analysis.page.views import Row
from analysis.sets import Sets
from analysis.sets.clustering import families
from analysis.sets.pairs import Pairs
from analysis.sets.words import short_names
from study.record.units import parse_unit

FOLDER = "sets"
"""Folder of its figures."""

MOST_MAPS = 12
"""Maps of a design that are drawn, the largest interactions first; all numbers are in the tables."""

MOST_ROWS = 40
"""Pairs that a table on the page has, the surest first."""


@dataclass(frozen=True)
class PairDesign:
    """The pairs of one design, as tables and figures.

    Attributes:
        name: model and data.
        units: what the units are, as several.
        metric: label of the scale that is tested.
        unit: unit of interactions on it.
        count: how many pairs there are.
        scales: names of the scales whose signs must agree.
        rows: the surest pairs on the scale that is tested, with their signs on the others.
        redundancy: units with their partners.
        maps: heat maps of interactions.
        graphs: named pairs by layer.
    """

    name: str
    units: str
    metric: str
    unit: str
    count: int
    scales: tuple[str, ...]
    rows: tuple[Row, ...]
    redundancy: tuple[Row, ...]
    maps: tuple[Drawing, ...]
    graphs: tuple[Drawing, ...]


@dataclass(frozen=True)
class PairsSection(Section):
    """Pairs of units, by design.

    Attributes:
        warnings: what is not whole, a sentence each.
        sentences: what it comes to.
        designs: tables and figures of each design.
        alpha: level of tests.
    """

    template, anchor, title, link = "sets/pairs", "pairs", "Pairs: redundant and complementary", "Pairs"
    warnings: tuple[str, ...]
    sentences: tuple[str, ...]
    designs: tuple[PairDesign, ...]
    alpha: float

    @classmethod
    def of(cls, analysis: Analysis) -> "PairsSection | None":
        """None where no pairs were measured."""
        found = analysis.sets
        return None if found is None or found.pairs.is_empty() else cls.showing(found)

    @classmethod
    def showing(cls, found: Sets) -> "PairsSection":
        """The section of these designs, its figures drawn."""
        designs = tuple(_design(found, pairs) for pairs in found.pair_designs if pairs.places)
        return cls(
            warnings=found.warnings,
            sentences=found.pair_sentences,
            designs=designs,
            alpha=found.alpha,
            drawings=tuple(drawing for own in designs for drawing in (*own.maps, *own.graphs)),
        )


def _design(found: Sets, pairs: Pairs) -> PairDesign:
    about = {"setting_id": pairs.about["setting_id"], "design": pairs.about["design"]}
    own, names = found.pairs.filter(**about), short_names(pairs.units, pairs.level)
    tested = _named(own.filter(scale=pairs.tested), names)
    for scale in pairs.scales:
        other = own.filter(scale=scale)["interaction"]
        tested = tested.with_columns(other.alias(f"on_{scale}"))
    surest = tested.sort("p_corrected", pl.col("interaction").abs().neg(), nulls_last=True).head(MOST_ROWS)
    redundancy = found.redundancy.filter(**about).with_columns(name=pl.col("address").replace_strict(names))
    domain = pairs.scales[pairs.tested]
    return PairDesign(
        name=pairs.name,
        units=pairs.level.plural,
        metric=domain.metric.label,
        unit=domain.metric.unit,
        count=len(pairs.places),
        scales=tuple(pairs.scales),
        rows=tuple(surest.rows(named=True)),
        redundancy=tuple(redundancy.sort("redundancy").head(MOST_ROWS).rows(named=True)),
        maps=tuple(map_drawings(found, pairs)),
        graphs=tuple(graph_drawings(found, pairs)),
    )


def _named(rows: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    return rows.with_columns(name_a=pl.col("a").replace_strict(names), name_b=pl.col("b").replace_strict(names))


def _tested(found: Sets, pairs: Pairs) -> pl.DataFrame:
    """The pairs of a design on the scale that is tested, with short names."""
    own = found.pairs.filter(setting_id=pairs.about["setting_id"], design=pairs.about["design"], scale=pairs.tested)
    return _named(own, short_names(pairs.units, pairs.level))


def map_drawings(found: Sets, pairs: Pairs) -> Iterator[Drawing]:
    """A heat map for each family of units that pairs connect: of pairs within layers one for each layer."""
    rows, names = _tested(found, pairs), short_names(pairs.units, pairs.level)
    if rows.is_empty():
        return
    sizes = rows["interaction"].abs()
    limit = float(sizes.quantile(0.98, interpolation="higher") or sizes.max() or 1.0)  # type: ignore[arg-type]
    matrix = pairs.matrix
    several = families(matrix)
    several.sort(key=lambda own: -float(np.nanmax(np.abs(matrix[np.ix_(own, own)]))))
    for at, own in sorted(enumerate(several[:MOST_MAPS]), key=lambda one: min(one[1])):
        addresses = [pairs.units[unit] for unit in own]
        part = rows.filter(pl.col("a").is_in(addresses))
        layers = {parse_unit(address).row["layer"] for address in addresses}
        where = f", layer {layers.pop()}" if len(layers) == 1 else ""
        name = f"{FOLDER}/pairs-{slug(pairs.about['setting_id'])}-{pairs.about['design']}-{at}"
        named = [names[address] for address in addresses]
        yield figures.interaction_map(matrix[np.ix_(own, own)], named, part, limit, f"{pairs.name}{where}", name)


def graph_drawings(found: Sets, pairs: Pairs) -> Iterator[Drawing]:
    """The graph of named pairs, a column for each layer of each kind; nothing where no pair is named."""
    rows, names = _tested(found, pairs).drop_nulls("named"), short_names(pairs.units, pairs.level)
    if rows.is_empty():
        return
    parsed = [parse_unit(address).row for address in pairs.units]
    units = pl.DataFrame(
        {
            "address": pairs.units,
            "name": [names[address] for address in pairs.units],
            "column": [row["layer"] for row in parsed],
            "place": _places(parsed),
        }
    )
    name = f"{FOLDER}/graph-{slug(pairs.about['setting_id'])}-{pairs.about['design']}"
    yield figures.pair_graph(units, rows, pairs.name, name)


def _places(rows: list[dict]) -> list[int]:
    """The place of each unit in its layer; of several kinds one below the other."""
    taken: dict[int, int] = {}
    places = []
    for row in rows:
        places.append(taken.get(row["layer"], 0))
        taken[row["layer"]] = places[-1] + 1
    return places
