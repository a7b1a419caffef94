"""`python -m analysis agree PATH...`: do several seeds, or several tasks, keep the same heads, beyond chance?

A path is a results folder with pruning curves, a table made elsewhere, or masks as others publish them.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.agreement import Agreement, KeptSets, Stop, agreement, kept_sets
from analysis.agreement.coefficients import NAMES, Coefficient
from analysis.agreement.pruned import RETAIN
from analysis.agreement.tables import LARGE
from analysis.defaults import DEFAULTS
from analysis.formatting import decimal, p_value
from analysis.importing.kept_tables import ALONG, APART, KeptOptions, read_kept
from analysis.page import AgreementPage
from analysis.report import write_page
from analysis.results.read import read_results, setting_folders
from analysis.tables.kept_sets_sheet import kept_sets_sheet
from analysis.tables.latex import latex
from analysis.tables.paper_tables import write
from analysis.terminal import plain_table
from study.record.errors import InputError
from study.record.files import whole_file

OUT = Path("results/agreement")

FEW = 3
"""Tasks of which all coefficients are printed; of more a line each."""

BOUNDS = (
    "By chance: random sets of the same sizes, or of the same sizes in each layer: the mean and, in brackets, the 95 % "
    "bound. Jaccard, Krippendorff's alpha and Cochran's Q are in the tables."
)

Row = Mapping[str, Any]


def run(options: argparse.Namespace) -> None:
    """Read the kept sets, print how far they agree, write tables and the page; its path is the last line."""
    found = agreement(_read(options), options.resamples, options.seed)
    console = Console()
    for table in _printed(found):
        console.print(table)
    for line in found.sentences if len(found.sets) <= FEW else [BOUNDS]:
        console.print(escape(line))
    for name, written in found.tables.items():
        write(written, options.out / "tables", name)
    with whole_file(options.out / "tables" / "paper" / "kept_sets.tex") as draft:
        draft.write_text(latex(kept_sets_sheet(found)), encoding="utf-8")
    made = f"Heads {_stop(options)}." if _results(options) else ""
    page = AgreementPage.of(found, [*map(str, options.paths)], made)
    print(write_page(page, options.out))


def _read(options: argparse.Namespace) -> list[KeptSets]:
    """The kept sets of results folders, and of files."""
    folders, along = _results(options), options.along or ALONG
    sets = [own for path in folders for own in kept_sets(read_results(path), along, _stop(options))]
    if folders and not sets:
        raise InputError(
            f"{', '.join(map(str, folders))}: no pruning curve of one order at two values of {along}. "
            "measure=pruning measures curves; --along data compares data sets"
        )
    reading = KeptOptions(along=options.along, by=options.by, value=options.value, first=options.first)
    files = [path for path in options.paths if path not in folders]
    return sets + (read_kept(files, reading) if files else [])


def _results(options: argparse.Namespace) -> list[Path]:
    """The results folders among the paths."""
    return [path for path in options.paths if path.is_dir() and setting_folders(path)]


def _stop(options: argparse.Namespace) -> Stop:
    return Stop(share=options.share, retain=options.retain)


def add_command(parser: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="results folders; tables (CSV, TSV, JSON) with 1 for a head that is kept, else 0; .npy masks",
    )
    parser.add_argument("--along", metavar="AXIS", help=f"or column, whose values are compared ({ALONG})")
    parser.add_argument("--share", type=float, metavar="S", help="heads left when this share (0 to 1) is removed")
    parser.add_argument(
        "--retain",
        type=float,
        default=RETAIN,
        metavar="R",
        help=f"heads left before the score falls below R times that with every head ({RETAIN})",
    )
    parser.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="COLUMN",
        help=f"whose values are kept apart; repeatable (those there are of {', '.join(APART)})",
    )
    parser.add_argument("--value", metavar="COLUMN", help="with 1 and 0 (kept or mask)")
    parser.add_argument("--first", type=int, choices=(0, 1), help="number of the first layer and head (0)")
    usual = DEFAULTS["resamples"]
    parser.add_argument("--resamples", type=positive, default=usual, metavar="N", help=f"random kept sets ({usual:,})")
    parser.add_argument("--seed", type=int, default=DEFAULTS["seed"], help=f"of the random sets ({DEFAULTS['seed']})")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to write ({OUT})")
    parser.set_defaults(run=run)


def _printed(found: Agreement) -> Iterator[Table]:
    rows = found.coefficients
    if len(found.sets) > FEW:
        yield _overview(rows)
        return
    for (task,), own in rows.group_by("task", maintain_order=True):
        yield _coefficient_table(str(task), own)


def _coefficient_table(task: str, rows: pl.DataFrame) -> Table:
    """Every coefficient of one task, beside what chance gives."""
    first = rows.row(0, named=True)
    sets = f"{first['raters']} sets along {first['along']}"
    title = f"{task + ': ' if task else ''}{sets}, each with {_kept(first)} of {first['heads']} heads"
    table = plain_table(title, "", "value", "by chance", "p", "within layers", "p")
    table.columns[0].no_wrap = True
    for row in rows.rows(named=True):
        digits = 0 if row["coefficient"] == Coefficient.KEPT_IN_ALL else 2
        nulls = (cell for null in ("", "layers_") for cell in (_mean(row, null, digits), _p(row[f"{null}p"])))
        table.add_row(NAMES[Coefficient(row["coefficient"])], decimal(row["value"], digits), *nulls)
    return table


def _overview(rows: pl.DataFrame) -> Table:
    """One row a task: kappa and the heads kept in all, beside what chance gives."""
    first = rows.row(0, named=True)
    title = f"Kept of {first['heads']} heads along {first['along']}"
    table = plain_table(title, "", "kept", "Fleiss' κ", "by chance", "in all", "by chance", "in layers")
    for (task,), own in rows.group_by("task", maintain_order=True):
        found = own.rows_by_key("coefficient", named=True, unique=True)
        kappa, kept = found[Coefficient.FLEISS_KAPPA], found[Coefficient.KEPT_IN_ALL]
        both = (_mean(kept, null, 0) for null in ("", "layers_"))
        numbers = decimal(kappa["value"]), _mean(kappa, "", 2), decimal(kept["value"], 0), *both
        table.add_row(escape(str(task)), _kept(kept), *numbers)
    return table


def _mean(row: Row, null: str, digits: int) -> str:
    """What chance gives on the average, and its bound: `0.00 (0.04)`."""
    chance = row[null + "chance"]
    small = digits == 0 and chance is not None and chance < LARGE
    return f"{decimal(chance, 1 if small else digits)} ({decimal(row[null + 'bound'], digits)})"


def _p(value: float | None) -> str:
    return "" if value is None else p_value(value).removeprefix("= ")


def _kept(row: Row) -> str:
    fewest, most = row["fewest"], row["most"]
    return str(fewest) if fewest == most else f"{fewest}–{most}"
