"""The table of trainings with gates for a paper: heads kept against score, by method, beside the un-pruned model."""

from collections.abc import Mapping
from typing import Any

from analysis.formatting import decimal, decimals, signed
from analysis.gates import Gates
from analysis.gates.kept_heads import HARD_CONCRETE
from analysis.tables.latex import Sheet
from study.record.metrics import METRICS

NONE = "–"

Row = Mapping[str, Any]


def gates_sheet(found: Gates) -> Sheet:
    """One row for each comparison, method, updates and number of heads, or lambda."""
    rows = [(*_names(row), *_score(row), *_difference(row)) for row in found.curves.rows(named=True)]
    units = " and ".join(found.curves["unit"].unique(maintain_order=True))
    note = (
        f"Means over seeds; differences from the un-pruned model trained equally long, in {units}. Intervals at "
        f"{100 * (1 - found.alpha):g} %: over examples by a paired bootstrap, the seeds held; over seeds, of five or "
        f"more, by Student's t, the examples held. {' '.join(found.sentences)}"
    )
    head = ("", "method", "λ", "updates", "kept", "of", "seeds")
    numbers = ("mean", "over examples", "over seeds")
    groups = (("", len(head)), ("score", 3), ("from un-pruned", 3))
    return Sheet("gates", "Scores with the heads that trainings keep.", (*head, *numbers, *numbers), rows, groups, note)


def _names(row: Row) -> tuple[str, ...]:
    kept = str(row["fewest"]) if row["fewest"] == row["most"] else f"{row['fewest']} to {row['most']}"
    penalty = row["amount"].removeprefix("λ ") if row["gates"] == HARD_CONCRETE else NONE
    updates = NONE if row["updates"] is None else f"{row['updates']:,}"
    return row["comparison"], row["method"], penalty, updates, kept, str(row["heads"]), str(row["seeds"])


def _score(row: Row) -> tuple[str, ...]:
    digits = METRICS[row["metric"]].digits
    ends = [(row[f"score_{over}low"], row[f"score_{over}high"]) for over in ("", "seeds_")]
    return decimal(row["score"], digits), *(
        NONE if low is None else f"{decimal(low, digits)} to {decimal(high, digits)}" for low, high in ends
    )


def _difference(row: Row) -> tuple[str, ...]:
    digits, less = decimals(row["unit"]), row["difference"]
    ends = [(row[f"difference_{over}low"], row[f"difference_{over}high"]) for over in ("", "seeds_")]
    return NONE if less is None else signed(less, digits), *(
        NONE if low is None else f"{signed(low, digits)} to {signed(high, digits)}" for low, high in ends
    )
