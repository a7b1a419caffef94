"""A probe by relation: how many words it attaches to the right head, beside what it is compared with."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from analysis.figures.attention.relations import MOST, by_relation
from analysis.figures.canvas import Drawing
from analysis.formatting import decimal, ends
from analysis.syntax.probe_words import NAMES
from analysis.syntax.words import WHOLES, relation_title


def probe_rows(scores: pl.DataFrame, title: str, name: str, *, wide: bool = False) -> Drawing:
    """The relations of one reading, the most frequent first.

    Args:
        scores: rows of `analysis.syntax.probe_scores`.
        title: what stands above.
        name: name of the drawing.
        wide: the layout for wide pages.
    """
    own = scores.filter(~pl.col("relation").is_in(WHOLES))
    shown = own.head(MOST)
    marks = [mark for row in shown.rows(named=True) for mark in _marks(row)]
    about, x = "Words whose head a probe finds, by relation", "words with the right head (%)"
    return by_relation(marks, own.height, name, about, x, title=title, wide=wide, data=scores)


def _marks(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The marks of a relation: the probe, and what it is compared with."""
    relation, title = row["relation"], relation_title(row["relation"])
    said = f"{title}: probe {decimal(row['uas'], 1)} %{ends(row['low'], row['high'], 1)}"
    yield {
        "row": relation,
        "series": "probe",
        "value": row["uas"],
        "low": row["low"],
        "high": row["high"],
        "said": said,
    }
    for column, what in NAMES.items():
        if row[column] is not None:
            number = f"{title}: {what} {decimal(row[column], 1)} %"
            yield {"row": relation, "series": what, "value": row[column], "low": None, "high": None, "said": number}
