"""Relations of syntax: the best head in both directions, and the best fixed offset, a row a relation."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from analysis.figures.attention.relations import MOST, by_relation
from analysis.figures.canvas import Drawing
from analysis.formatting import decimal, ends
from analysis.syntax.relation_sums import Direction
from analysis.syntax.words import DIRECTIONS, WHOLES, chosen_heads, chosen_offsets, relation_title

BASELINE = "best fixed offset"


def relation_rows(best: pl.DataFrame, title: str, name: str, *, wide: bool = False) -> Drawing:
    """The relations of one reading, those that heads find best above their offset first.

    Args:
        best: rows of `analysis.syntax.best_heads`.
        title: what stands above.
        name: name of the drawing.
        wide: the layout for wide pages.
    """
    own = best.filter(~pl.col("relation").is_in(WHOLES))
    frequent = own.group_by("relation", maintain_order=True).agg(pl.col("cases").first(), pl.col("difference").max())
    shown = frequent.sort("cases", descending=True, maintain_order=True).head(MOST)
    order = shown.sort("difference", descending=True, maintain_order=True)["relation"].to_list()
    marks = [mark for relation in order for mark in _marks(own.filter(relation=relation))]
    about = "Accuracy of the best head and of the best fixed offset by relation"
    x = "accuracy (%)\npale: not above the offset"
    return by_relation(marks, frequent.height, name, about, x, title=title, wide=wide, data=best)


def _marks(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The marks of a relation: a head in each direction, and the offset."""
    for row in rows.rows(named=True):
        direction = DIRECTIONS[Direction(row["direction"])]
        sure = row["p_corrected"] <= row["alpha"]
        number = f"{decimal(row['accuracy'], 1)} %{ends(row['low'], row['high'], 1)}"
        said = f"{relation_title(row['relation'])}, {direction}: {chosen_heads(row)} {number}"
        yield {
            "row": row["relation"],
            "series": direction,
            "value": row["accuracy"],
            "low": row["low"],
            "high": row["high"],
            "sure": sure,
            "said": said + (", above the offset" if sure else ""),
        }
    row = rows.row(0, named=True)
    said = f"{relation_title(row['relation'])}: offset {chosen_offsets(row)} {decimal(row['baseline'], 1)} %"
    yield {"row": row["relation"], "series": BASELINE, "value": row["baseline"], "said": said}
