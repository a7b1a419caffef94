"""The table of later tasks for a paper: what each method reaches, and what it costs the earlier tasks."""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from analysis.formatting import decimal, decimals, signed
from analysis.second_tasks import SecondTasks
from analysis.second_tasks.words import ends, reference
from analysis.tables.latex import Sheet
from study.record.metrics import METRICS

NONE = "–"

Row = Mapping[str, Any]


def second_tasks_sheet(found: SecondTasks) -> Sheet:
    """One row for each later task, method, updates and number of free heads."""
    rows = [(*_names(row), *_numbers(row), _lost(row, found.earlier)) for row in found.curves.rows(named=True)]
    units = " and ".join(found.curves["unit"].unique(maintain_order=True))
    references = " or ".join(dict.fromkeys(map(reference, found.curves["output_parameters"])))
    note = (
        f"Means over seeds; gains over {references}, in {units}, paired by seed. Intervals at "
        f"{100 * (1 - found.alpha):g} %: over seeds, of five or more, by Student's t, the examples held; else over "
        f"examples by a paired bootstrap, the seeds held. Reached: of what all weights gain. "
        f"{' '.join(found.sentences)}"
    )
    head = ("", "taught", "updates", "free", "of", "seeds", "numbers moved")
    numbers = ("score", "interval", "gain", "interval", "reached", "interval")
    return Sheet(
        "second_tasks",
        "What later tasks reach, and what earlier ones lose.",
        (*head, *numbers, "earlier tasks"),
        rows,
        (("", len(head)), ("later task", len(numbers)), ("change", 1)),
        note,
    )


def _names(row: Row) -> tuple[str, ...]:
    free = f"{row['freed']:g}" if row["by_heads"] else NONE
    counts = (f"{row['updates']:,}", free, str(row["heads"]), str(row["seeds"]), f"{row['parameters']:,.0f}")
    return row["comparison"], row["method"], *counts


def _numbers(row: Row) -> tuple[str, ...]:
    digits, change = METRICS[row["metric"]].digits, decimals(row["unit"])
    return (
        *_told(row, "score", lambda number: decimal(number, digits)),
        *_told(row, "gain", lambda number: signed(number, change)),
        *_told(row, "reached", lambda number: f"{decimal(100 * number, 0)} %"),
    )


def _told(row: Row, name: str, words: Callable[[float], str]) -> tuple[str, str]:
    """A number, and its interval."""
    low, high, _ = ends(row, name)
    between = NONE if low is None or high is None else f"{words(low)} to {words(high)}"
    return NONE if row[name] is None else words(row[name]), between


def _lost(row: Row, earlier: pl.DataFrame) -> str:
    """What each earlier task loses: `nli −1.20`."""
    names = ("comparison", "method", "updates", "freed")
    own = earlier.filter(**{name: row[name] for name in names}).drop_nulls("change")
    told = [f"{one['task']} {signed(one['change'], decimals(one['unit']))}" for one in own.rows(named=True)]
    return ", ".join(told) or NONE
