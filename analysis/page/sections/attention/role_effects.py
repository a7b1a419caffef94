"""Do roles matter? Heads with a role against the other heads of their layers, and which roles pruning leaves."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.figures.attention import roles_left_lines
from analysis.formatting import decimals, interval, p_value, signed, slug
from analysis.page.section import Section
from analysis.page.sections.attention.attention_maps import FOLDER
from analysis.page.views import Row
from analysis.results.domain import IDENTITY
from analysis.roles.words import FAMILY, NO_CAUSE, anew_words, effect_words, left_words, role_title

FEW_POINTS = 3
"""Points of an order from which a line says more than a number."""


@dataclass(frozen=True)
class RoleEffects(Section):
    """The effects of heads with roles.

    Attributes:
        sentences: the verdict on each outcome, and what pruning leaves.
        caution: what the comparison does not say.
        forests: roles with intervals, of each outcome.
        lines: heads of roles that are left, of each order of removal.
        rows: every role and outcome, with its title.
        tested: a row that says how the tests were made.
        notes: what could not be compared.
    """

    template, anchor, title, link = "attention/role_effects", "roles-matter", "Do roles matter?", "Do roles matter?"
    sentences: tuple[str, ...]
    caution: str
    forests: tuple[Drawing, ...]
    lines: tuple[Drawing, ...]
    rows: tuple[tuple[str, Row], ...]
    tested: Row | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, analysis: Analysis) -> "RoleEffects | None":
        """None where no model with roles has effects, or curves."""
        found = analysis.attention
        if found is None or (found.effects.is_empty() and found.left.is_empty()):
            return None
        forests, lines = tuple(_forests(found.effects)), tuple(_lines(found.left))
        tested = found.effects.drop_nulls("p").head(1).rows(named=True)
        return cls(
            (*effect_words(found.effects), *left_words(found.left, found.alpha), *anew_words(found.left)),
            NO_CAUSE,
            forests,
            lines,
            tuple((role_title(row["role"]), row) for row in found.effects.rows(named=True)),
            tested[0] if tested else None,
            found.notes,
            drawings=(*forests, *lines),
        )


def _forests(effects: pl.DataFrame) -> Iterator[Drawing]:
    """The differences of roles, an outcome each."""
    for at, (_, own) in enumerate(effects.drop_nulls("difference").group_by(*FAMILY, maintain_order=True), 1):
        first = own.row(0, named=True)
        unit, digits = first["unit"], decimals(first["unit"])
        rows = [
            {
                "row": f"{role_title(row['role'])} ({row['heads']})",
                "series": "",
                "value": row["difference"],
                "low": row["low"],
                "high": row["high"],
                "sure": row["significant"],
                "text": signed(row["difference"], digits) + ("*" if row["significant"] else ""),
                "said": _said(row),
            }
            for row in own.sort("difference").rows(named=True)
        ]
        schema = {"low": pl.Float64, "high": pl.Float64, "sure": pl.Boolean}
        yield figures.interval_rows(
            pl.DataFrame(rows, schema_overrides=schema),
            f"{FOLDER}/roles-{at}-{slug(first['domain'])}-{first['outcome']}",
            f"Effect of heads with a role, less that of other heads of their layers, {first['domain']}",
            f"effect less that of other heads of the layer ({unit})\npale: not significant",
            title=f"{first['subject']} on {first['domain']}, by {first['outcome']}",
            data=own,
        )


def _said(row: Row) -> str:
    sure = f", corrected p {p_value(row['p_corrected'])}" if row["p_corrected"] is not None else ""
    return (
        f"{row['heads']} {role_title(row['role'])} heads: {signed(row['difference'], decimals(row['unit']))} "
        f"{row['unit']}{interval(row)} from other heads of their layers{sure}"
    )


def _lines(left: pl.DataFrame) -> Iterator[Drawing]:
    """The heads of roles that are left, an order of removal each."""
    order = [*IDENTITY, "reading", "reading_id", "special", "kinds", "curve"]
    for at, (_, own) in enumerate(left.drop_nulls("share_left").group_by(*order, maintain_order=True), 1):
        first = own.row(0, named=True)
        if own["kept"].n_unique() < FEW_POINTS:
            continue
        title = f"{first['subject']} on {first['domain']}, by {first['curve']}"
        titles = {name: role_title(name) for name in own["role"].unique()}
        yield roles_left_lines(own, titles, title, f"{FOLDER}/roles-left-{at}-{slug(first['domain'])}")
