"""What became of the jobs of a sweep, as a table; where that is too wide, a paragraph for each.

Jobs of which all is equal share a line, under one name where they are every combination of some values.
"""

from collections.abc import Mapping, Sequence
from math import prod

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Values = Mapping[str, object]
"""What is said of a job, by name."""


def print_outcomes(console: Console, names: Sequence[str], rows: Sequence[Values]) -> None:
    """Print what became of each job.

    Args:
        console: where to.
        names: the jobs, by the overrides that tell them apart.
        rows: what is said of each.
    """
    merged = merge(names, rows)
    table = outcome_table(merged)
    if Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width:
        console.print(table)
        return
    for name, row in merged:
        console.print(Text(name, style="bold"), soft_wrap=False)
        said = [f"{key}: {cell(value)}" for key, value in row.items() if key != STATE]
        console.print(Padding(Text("; ".join([str(row.get(STATE, "")), *said])), (0, 0, 0, 4)))


STATE = "state"
"""The value that needs no name."""


def outcome_table(rows: Sequence[tuple[str, Values]]) -> Table:
    """A line for each name, with its values."""
    columns = list(dict.fromkeys(key for _, row in rows for key in row))
    table = Table("job", *columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for name, row in rows:
        table.add_row(Text(name), *(cell(row.get(key, "")) for key in columns))
    return table


def merge(names: Sequence[str], rows: Sequence[Values]) -> list[tuple[str, Values]]:
    """The jobs with what is said of them; those of equal overrides and values under one name where there is one."""
    groups: dict[tuple[object, ...], tuple[list[str], Values]] = {}
    for name, row in zip(names, rows, strict=True):
        overrides = tuple(word.partition("=")[0] for word in name.split(" "))
        groups.setdefault((overrides, *sorted((key, str(row[key])) for key in row)), ([], row))[0].append(name)
    return [(name, row) for own, row in groups.values() for name in common_name(own)]


def common_name(names: Sequence[str]) -> list[str]:
    """One name for jobs that are all combinations of some values: `seed=0,1 measure=train`; else their own."""
    words = [[word.partition("=") for word in name.split(" ")] for name in names]
    options = [
        (column[0][0], list(dict.fromkeys(value for _, _, value in column))) for column in zip(*words, strict=True)
    ]
    if prod(len(values) for _, values in options) != len(names):
        return list(names)
    return [" ".join(f"{option}={','.join(values)}" if any(values) else option for option, values in options)]


def cell(value: object) -> str:
    """A value as it is shown."""
    if type(value) is float:
        return f"{value:,.2f}"
    return f"{value:,}" if type(value) is int else str(value)
