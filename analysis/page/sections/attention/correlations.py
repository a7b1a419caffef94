"""Statistics of attention against effects and importance: r over heads, with layers held."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.attention.statistics import head_statistics
from analysis.compute import Analysis
from analysis.effects.head_effects import ALL_KINDS
from analysis.figures import Drawing
from analysis.formatting import decimal, ends, slug
from analysis.page.section import Section
from analysis.page.sections.attention.attention_maps import FOLDER
from analysis.page.views import Row
from analysis.roles.outcomes import IMPORTANCE, LOSS, SCORE
from analysis.roles.words import correlation_words

SERIES = {SCORE: "effect on the score", LOSS: "effect on the loss", IMPORTANCE: "importance"}

LABELS = {statistic.name: statistic.label for statistic in head_statistics()}


@dataclass(frozen=True)
class Correlations(Section):
    """R of each statistic with each outcome.

    Attributes:
        sentences: which statistics go with which outcome.
        rows: every statistic and outcome of all heads, with the label of the statistic.
    """

    template, anchor = "attention/correlations", "attention-correlations"
    title, link = "Does what heads look at go with what they are worth?", "Attention and effects"
    sentences: tuple[str, ...]
    rows: tuple[tuple[str, str, Row], ...]

    @classmethod
    def of(cls, analysis: Analysis) -> "Correlations | None":
        """None where nothing is correlated."""
        found = analysis.attention
        if found is None or found.correlations.is_empty():
            return None
        overall = found.correlations.filter(kind=ALL_KINDS)
        rows = tuple((LABELS[row["statistic"]], SERIES[row["outcome"]], row) for row in overall.rows(named=True))
        sentences = tuple(correlation_words(found.correlations, LABELS))
        return cls(sentences, rows, drawings=tuple(_forests(overall)))


def _forests(overall: pl.DataFrame) -> Iterator[Drawing]:
    """True r within layers, a panel for each domain and reading."""
    known = overall.drop_nulls("within")
    for at, (_, own) in enumerate(known.group_by("setting_id", "reading_id", "special", maintain_order=True), 1):
        first = own.row(0, named=True)
        rows = [
            {
                "row": LABELS[row["statistic"]].removeprefix("weight on "),
                "series": SERIES[row["outcome"]],
                "value": row["within_true"],
                "low": row["within_true_low"],
                "high": row["within_true_high"],
                "sure": row["significant"],
                "said": _said(row),
            }
            for row in own.rows(named=True)
        ]
        schema = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64, "sure": pl.Boolean}
        yield figures.interval_rows(
            pl.DataFrame(rows, schema_overrides=schema),
            f"{FOLDER}/correlations-{at}-{slug(first['domain'])}",
            f"True r within layers of statistics of attention and what heads are worth, {first['domain']}",
            "true r within layers\npale: not significant; none where it cannot be estimated",
            title=f"{first['subject']}: attention on {first['reading']}, effects on {first['domain']}",
            data=own,
        )


def _said(row: Row) -> str:
    true = (
        f"true r {decimal(row['within_true'])}{ends(row['within_true_low'], row['within_true_high'])}"
        if row["within_true"] is not None
        else f"true r: {row['within_true_reason']}"
    )
    return f"{LABELS[row['statistic']]}, {SERIES[row['outcome']]}: {true}; measured r {decimal(row['within'])}"
