"""`python -m analysis import FILE...`: tables of effects or importances made elsewhere, correlated without outcomes.

Among them are published scores: Retrieval_Head's `head_score/*.json` and DuoAttention's `full_attention_heads.tsv`.
They are set beside each other, or beside effects measured here, by heads or by groups of heads.
"""

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.correlation import CorrelationOptions, Correlations, correlate
from analysis.defaults import DEFAULTS
from analysis.effects.head_effects import ALL_KINDS
from analysis.formatting import decimal
from analysis.importing.domains import read_tables
from analysis.importing.head_addresses import parse_kind
from analysis.importing.table_forms import ImportOptions
from analysis.page import ImportedPage
from analysis.page.imported_page import LEADING, WITHOUT_OUTCOMES
from analysis.report import write_page
from analysis.tables.paper_tables import write
from analysis.terminal import MOST_PAIRS, correlation_table, plain_table, with_interval
from study.record.errors import InputError
from study.record.units import AttentionKind

OUT = Path("results/imported")


def run(options: argparse.Namespace) -> None:
    """Read the tables, print what agrees, write tables, figures and the page; its path is the last line."""
    reading = {each.name: getattr(options, each.name) for each in fields(ImportOptions)}
    imported = read_tables(options.files, ImportOptions(**reading))
    domains = imported.domains
    choices = CorrelationOptions(level=1 - options.alpha, resamples=options.resamples, seed=options.seed)
    found = correlate(domains, choices)
    if found.correlation.is_empty():
        names = ", ".join(dict.fromkeys(domain.domain for domain in domains))
        raise InputError(f"nothing to compare: only {names}. Give more files, or name the column of domains: --domain")
    agreement = agreement_table(found)
    console = Console()
    for table in _printed(found, agreement):
        console.print(table)
    for published in imported.published:
        console.print(escape(published.sentence))
    console.print(WITHOUT_OUTCOMES)
    sources = [published.sentence for published in imported.published]
    page = ImportedPage.of(found, domains, options.files, choices.level, options.least_r, sources)
    for name, written in {"agreement": agreement, **found.tables}.items():
        if not written.is_empty():
            write(written, options.out / "tables", name)
    print(write_page(page, options.out))


def agreement_table(found: Correlations) -> pl.DataFrame:
    """How well the domains of each subject agree, one row a subject.

    Returns:
        Columns subject, domains, heads (fewest of a pair), pairs, pearson (mean over pairs), pearson_low, pearson_high
        (lowest, highest pair), spearman, kendall (means), k, shared (mean overlap of the k most important heads),
        expected (by chance), p_within_layers (the largest of any pair: do all agree beyond their layers?).
    """
    layers = found.null.filter(pl.col("null") == "heads_within_layers")
    leading = found.overlap.filter(pl.col("k") == LEADING)
    means = found.overall.group_by("subject", maintain_order=True).agg(
        domains=pl.concat([pl.col("domain_a"), pl.col("domain_b")]).n_unique().cast(pl.Int64),
        heads=pl.col("heads").min(),
        pairs=pl.len().cast(pl.Int64),
        pearson=pl.col("pearson").mean(),
        pearson_low=pl.col("pearson").min(),
        pearson_high=pl.col("pearson").max(),
        spearman=pl.col("spearman").mean(),
        kendall=pl.col("kendall").mean(),
    )
    shared = leading.group_by("subject").agg(pl.col("k", "shared", "expected").mean())
    p = layers.group_by("subject").agg(p_within_layers=pl.col("p").max())
    return means.join(shared.with_columns(pl.col("k").cast(pl.Int64)), on="subject", how="left").join(
        p, on="subject", how="left", maintain_order="left"
    )


def add_command(parser: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """The arguments of the command."""
    usual = ImportOptions()
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV, TSV, JSON or JSON lines")
    parser.add_argument("--value", metavar="COLUMN", help="with the numbers (effect, or score less base_score)")
    parser.add_argument(
        "--importance",
        action="store_true",
        help="the largest numbers matter most (a column importance says so itself); otherwise the lowest, as effects",
    )
    parser.add_argument(
        "--domain", action="append", default=[], metavar="COLUMN", help="whose values are compared (domain); repeatable"
    )
    parser.add_argument(
        "--by", action="append", default=[], metavar="COLUMN", help="whose values are kept apart; repeatable"
    )
    parser.add_argument(
        "--kind", type=_kind, default=usual.kind, help=f"of heads whose address does not say ({usual.kind})"
    )
    parser.add_argument("--first", type=int, choices=(0, 1), help="number of the first layer and head (0)")
    parser.add_argument(
        "--groups",
        type=positive,
        metavar="N",
        help="of heads that share keys and values, in each layer: compare these; a group has the mean of its heads",
    )
    parser.add_argument("--shape", type=_shape, metavar="LxH", help="layers and heads of a layer that there must be")
    parser.add_argument(
        "--alpha", type=float, default=DEFAULTS["alpha"], help=f"intervals hold 1 - alpha ({DEFAULTS['alpha']})"
    )
    parser.add_argument(
        "--least-r",
        type=float,
        default=DEFAULTS["least_r"],
        metavar="R",
        help=f"correlation from which on the same heads matter on two domains ({DEFAULTS['least_r']:g})",
    )
    parser.add_argument("--resamples", type=positive, default=CorrelationOptions.resamples, metavar="N")
    parser.add_argument("--seed", type=int, default=CorrelationOptions.seed)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to write ({OUT})")
    parser.set_defaults(run=run)


def _printed(found: Correlations, agreement: pl.DataFrame) -> list[Table]:
    if agreement.height == 1:
        few = found.overall.height <= MOST_PAIRS
        title = f"Agreement of {found.level.plural}"
        return [_pair_table(found) if few else correlation_table(found.correlation, title, found.level.plural)]
    table = plain_table(
        "Agreement", "", "domains", "pairs", "Pearson r", "from", "to", "Spearman", f"same of {LEADING}"
    )
    for row in agreement.rows(named=True):
        table.add_row(
            escape(row["subject"]),
            str(row["domains"]),
            str(row["pairs"]),
            *(decimal(row[name]) for name in ("pearson", "pearson_low", "pearson_high", "spearman", "shared")),
        )
    return [table]


def _pair_table(found: Correlations) -> Table:
    """One row a pair and attention kind: r and Spearman's with their intervals over heads; or why there is none."""
    units = found.level.plural
    table = plain_table(
        f"Agreement of {units} (intervals over {units})", "domains", units, "Pearson r", "Spearman", "attention"
    )
    for row in found.correlation.rows(named=True):
        kind = "every kind" if row["kind"] == ALL_KINDS else row["kind"]
        table.add_row(
            escape(f"{row['domain_a']} / {row['domain_b']}"),
            str(row["heads"]),
            with_interval(row, "pearson", "heads"),
            with_interval(row, "spearman"),
            escape(row["reason"] or kind),
        )
    return table


def _kind(text: str) -> AttentionKind:
    try:
        return parse_kind(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _shape(text: str) -> tuple[int, int]:
    try:
        layers, heads = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no shape such as 12x12") from None
    if min(layers, heads) < 1:
        raise argparse.ArgumentTypeError(f"'{text}': a model has at least one layer and head")
    return layers, heads
