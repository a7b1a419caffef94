"""The table of kept sets for a paper: how far they agree, beside what chance gives."""

from collections.abc import Iterator, Mapping
from typing import Any

from analysis.agreement import Agreement
from analysis.agreement.coefficients import NAMES, Coefficient
from analysis.formatting import decimal
from analysis.tables.latex import Sheet

Row = Mapping[str, Any]


def kept_sets_sheet(found: Agreement) -> Sheet:
    """One row for each task and coefficient."""
    rows = [
        (
            row["task"] or "–",
            f"{row['fewest']} to {row['most']}",
            NAMES[Coefficient(row["coefficient"])],
            *_numbers(row),
        )
        for row in found.coefficients.rows(named=True)
    ]
    first = found.coefficients.row(0, named=True)
    note = (
        f"{first['heads']} heads; by chance: random kept sets of the same sizes, or of the same sizes in each layer; "
        f"mean and 95 % bound ({first['draws']:,} draws, seed {first['seed']}; exact for the heads kept in all). "
        "Cochran's Q asks whether equal numbers of heads are kept, not whether the same ones."
    )
    return Sheet(
        "kept_sets",
        f"Agreement of kept sets along {' and '.join(found.coefficients['along'].unique(maintain_order=True))}.",
        ("", "kept", "coefficient", "value", "mean", "bound", "mean", "bound"),
        rows,
        (("", 4), ("by chance", 2), ("within layers", 2)),
        note,
    )


def _numbers(row: Row) -> Iterator[str]:
    digits = 0 if row["coefficient"] == Coefficient.KEPT_IN_ALL else 2
    yield decimal(row["value"], digits)
    for null in ("", "layers_"):
        yield decimal(row[f"{null}chance"], max(1, digits))
        yield decimal(row[f"{null}bound"], digits)
