"""Speed: examples a second of a model whose heads are really removed (table 4), as `make bench` measured it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from analysis import paper
from study.record.errors import InputError

BENCHMARKS_FILE = "benchmarks.json"
"""In the results folder, written by `make bench`."""

PART = "pruned"

COLUMNS = {
    "batch": pl.Int64,
    "share": pl.Float64,
    "examples_per_second": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "times_faster": pl.Float64,
    "paper_times_faster": pl.Float64,
    "parameters": pl.Int64,
}


@dataclass(frozen=True)
class Speed:
    """What was timed, and on which machine.

    Attributes:
        rows: by batch size and share of the heads removed: examples a second (median, slowest and fastest round), how
            many times faster than with every head, the same of the paper, and parameters.
        machine: processor, threads, versions, date.
    """

    rows: pl.DataFrame
    machine: dict[str, Any]


def read_speed(folder: Path) -> Speed | None:
    """What `make bench` wrote of pruned models into a results folder; None where it did not.

    Raises:
        InputError: when the file is not one of its files.
    """
    path = folder / BENCHMARKS_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        timed = [row["figures"] for row in content["rows"] if row["part"] == PART and row["ours"] is not None]
        original = {row["batch"]: row["examples_per_second"] for row in timed if row["share"] == 0}
        rows = [
            {
                **row,
                "times_faster": row["examples_per_second"] / original[row["batch"]],
                "paper_times_faster": _papers(row["batch"], row["share"]),
            }
            for row in timed
        ]
        return Speed(pl.DataFrame(rows, schema=COLUMNS).sort("batch", "share"), content["machine"]) if rows else None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a file of `make bench`: {error!r}; write it anew or remove it") from error


def _papers(batch: int, share: float) -> float | None:
    """How many times faster the paper's BERT became, which lost half of its heads."""
    if share != 0.5 or batch not in paper.TABLE_4:
        return None
    whole, half = paper.TABLE_4[batch]
    return half / whole
