"""The table of variance components for a paper."""

from analysis.components import VarianceComponents
from analysis.components.tables import divided, shown_in
from analysis.formatting import decimal
from analysis.tables.latex import Sheet

NONE = "–"


def components_sheet(found: VarianceComponents) -> Sheet:
    """One row for each grid and component."""
    unit, by = shown_in(found.table)
    rows = [
        (
            row["grid"],
            row["belongs_to"],
            decimal(own["variance"], 4),
            _between(own["low"], own["high"], 4),
            NONE if row["share"] is None else f"{decimal(100 * row['share'], 0)} %",
            _between(row["share_low"], row["share_high"], 0, 100),
            decimal(own["reml"], 4),
            _between(own["reml_low"], own["reml_high"], 4),
        )
        for row in found.table.rows(named=True)
        for own in [divided(row, by)]
    ]
    first = found.table.row(0, named=True)
    note = (
        f"Variance of effects over the heads of a cell, in {unit}, by moments and by REML, "
        f"sampling noise taken out; {100 * first['level']:g} % intervals by jackknives over {first['seeds']} seeds "
        f"and over groups of examples. {' '.join(found.sentences)}"
    )
    head = ("", "belongs to", "variance", "interval", "share", "interval", "REML", "interval")
    return Sheet("components", "Variance components of the effects of heads.", head, rows, note=note)


def _between(low: float | None, high: float | None, digits: int, by: float = 1) -> str:
    return NONE if low is None or high is None else f"{decimal(by * low, digits)} to {decimal(by * high, digits)}"
