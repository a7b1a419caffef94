"""What the page shows of the correlation between domains: every pair, layer by layer, by head, and many at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from analysis import figures, paper
from analysis.correlation import Correlations
from analysis.correlation.pairs import ADDRESS
from analysis.effects.head_effects import ALL_KINDS
from analysis.figures import Drawing
from analysis.formatting import labelled
from analysis.page.drawings import pair_drawings

CARRIERS = 10
"""Heads of a pair that are named with their part in r."""

INFLUENTIAL = 5
"""Groups of examples of a pair that are named with r without them."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Matrix:
    """Every two of many domains: a cell is a row of `Correlations.overall`, None on the diagonal."""

    names: tuple[str, ...]
    cells: tuple[tuple[Row | None, ...], ...]

    @classmethod
    def of(cls, overall: pl.DataFrame) -> "Matrix | None":
        """From the rows of one subject; None where there are none."""
        if overall.is_empty():
            return None
        sides = [overall.select(f"domain_{side}", f"setting_{side}").rows() for side in "ab"]
        named = labelled((name, setting) for name, setting in dict.fromkeys([*sides[0], *sides[1]]))
        found = {(row["setting_a"], row["setting_b"]): row for row in overall.rows(named=True)}
        return cls(
            tuple(named.values()),
            tuple(tuple(found.get((a, b)) or found.get((b, a)) for b in named) for a in named),
        )


@dataclass(frozen=True)
class Layers:
    """Layers by pairs of domains: a cell is a row of `Correlations.by_layer`."""

    pairs: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[Row | None, ...]], ...]

    @classmethod
    def of(cls, rows: tuple[Row, ...]) -> "Layers":
        """Layers from 1, each with its attention kind."""
        pairs = tuple(dict.fromkeys(_of_both(row) for row in rows))
        found = {(row["kind"], row["layer"], _of_both(row)): row for row in rows}
        layers = dict.fromkeys((row["kind"], row["layer"]) for row in rows)
        cells = [(kind, layer + 1, tuple(found.get((kind, layer, pair)) for pair in pairs)) for kind, layer in layers]
        return cls(pairs, tuple(cells))


@dataclass(frozen=True)
class Carriers:
    """The heads of a pair that make most of its r, and what all others add."""

    pair: str
    pearson: float
    rows: tuple[Row, ...]
    others: float

    @classmethod
    def of(cls, pair: str, influence: pl.DataFrame) -> "Carriers":
        """From the rows of one pair of `Correlations.influence`."""
        size = pl.col("contribution").abs()
        ordered = influence.sort(size, *ADDRESS, descending=[True, False, False, False], maintain_order=True)
        parts = ordered["contribution"]
        rows = tuple(ordered.head(CARRIERS).rows(named=True))
        return cls(pair, float(parts.sum()), rows, float(parts[CARRIERS:].sum()))


@dataclass(frozen=True)
class Agreement:
    """The correlations of one subject on the page; `slices` where some were asked for."""

    pairs: tuple[Row, ...]
    scatters: tuple[Drawing, ...]
    maps: tuple[Drawing, ...]
    nulls: tuple[Row, ...]
    overlap: tuple[Row, ...]
    reliability: tuple[Row, ...]
    layers: Layers
    carriers: tuple[Carriers, ...]
    groups: tuple[Row, ...]
    slices: Matrix | None

    @property
    def group_counts(self) -> dict[str, int]:
        """Groups of examples of every domain, by label; none where there are no outcomes."""
        return {
            row[f"label_{side}"]: row[f"groups_{side}"]
            for row in self.pairs
            for side in "ab"
            if row[f"groups_{side}"] is not None
        }


def agreement(
    found: Correlations,
    effects: pl.DataFrame,
    labels: Mapping[str, str],
    folder: str,
    *,
    drawn: bool = True,
    sliced: Correlations | None = None,
    influence: pl.DataFrame | None = None,
) -> Agreement:
    """What there is to show of one subject.

    Args:
        found: of the subject.
        effects: of the subject, under the labels of its domains.
        labels: of its domains, by setting id.
        folder: of the figures.
        drawn: whether every pair has figures of its own.
        sliced: between slices of its domains, where some were asked for.
        influence: of groups of examples on its correlations (`Influence.correlation`), where there are outcomes.
    """
    parts = None if sliced is None else sliced.overall
    named = [pl.col(f"setting_{side}").replace(labels).alias(f"domain_{side}") for side in "ab"]
    maps = [*figures.agreement_maps(found.overall.with_columns(named), "agreement")]
    maps += [] if parts is None else figures.agreement_maps(parts, "agreement-of-slices")
    reliability = found.reliability.filter(left_out=0).rows(named=True)
    carried = found.influence.partition_by("setting_a", "setting_b", maintain_order=True)
    return Agreement(
        pairs=tuple(row | {"paper": _papers_r(row)} for row in _of_pairs(found.correlation, labels)),
        scatters=tuple(pair_drawings(found, effects, labels, folder)) if drawn else (),
        maps=tuple(maps),
        nulls=_of_pairs(found.null, labels),
        overlap=_of_pairs(found.overlap, labels),
        reliability=tuple(row | {"label": labels[row["setting_id"]]} for row in reliability),
        layers=Layers.of(_of_pairs(found.by_layer, labels)),
        carriers=tuple(Carriers.of(_of_both(_of_pairs(own.head(1), labels)[0]), own) for own in carried),
        groups=() if influence is None else _most_influential(influence, labels),
        slices=None if parts is None else Matrix.of(parts),
    )


def _most_influential(rows: pl.DataFrame, labels: Mapping[str, str]) -> tuple[Row, ...]:
    """The groups of examples that weigh most in the r of each pair, with the label of the domain that they are of."""
    rows = rows.filter(pl.int_range(pl.len()).over("setting_a", "setting_b") < INFLUENTIAL)
    return tuple(row | {"label": labels[row["setting_id"]]} for row in _of_pairs(rows, labels))


def _of_pairs(table: pl.DataFrame, labels: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows of pairs of these domains, with their labels."""
    own = table.filter(pl.col("setting_a").is_in(list(labels)))
    return tuple(
        {**row, "label_a": labels[row["setting_a"]], "label_b": labels[row["setting_b"]]}
        for row in own.rows(named=True)
    )


def _of_both(row: Row) -> str:
    return f"{row['label_a']} and {row['label_b']}"


def _papers_r(row: Row) -> float | None:
    return paper.correlation(row) if row["kind"] == ALL_KINDS else None
