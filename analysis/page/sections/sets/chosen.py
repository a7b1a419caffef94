"""Sets that were chosen: sufficient ones, judged by other examples, and units that random masks point at."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis import figures
from analysis.compute import Analysis
from analysis.figures import Drawing
from analysis.formatting import decimals, signed, slug
from analysis.page.section import Section
from analysis.page.views import Row
from analysis.sets import Sets
from analysis.sets.screening import Screening
from analysis.sets.sufficient import Verdict
from analysis.sets.words import short_names
from study.record.designs.names import CHOSEN, SCREENED

FOLDER = "sets"
"""Folder of its figures."""

MOST_ROWS = 40
"""Units of a screening that the page has; all are in the tables."""


@dataclass(frozen=True)
class SufficientSet:
    """The sets that one search ended with.

    Attributes:
        name: model and data.
        units: what the units are, as several.
        metric: name of the metric.
        unit: unit of effects.
        rows: the sets.
        on: short names of the units that the chosen set keeps.
    """

    name: str
    units: str
    metric: str
    unit: str
    rows: tuple[Row, ...]
    on: str


@dataclass(frozen=True)
class ScreenedUnits:
    """The units of one screening.

    Attributes:
        name: model and data.
        units: what the units are, as several.
        unit: unit of effects.
        rows: units with masks of their own, those that were screened first.
    """

    name: str
    units: str
    unit: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class ChosenSection(Section):
    """Sufficient sets and screenings.

    Attributes:
        warnings: what is not whole, a sentence each; empty where another section has them.
        sentences: what it comes to.
        judged: tables of sufficient sets.
        screened: tables of screenings.
        sets: sets beside each other.
        alpha: what limits leave out.
    """

    template, anchor, title, link = "sets/chosen", "sufficient", "Sufficient sets and screening", "Sufficient sets"
    warnings: tuple[str, ...]
    sentences: tuple[str, ...]
    judged: tuple[SufficientSet, ...]
    screened: tuple[ScreenedUnits, ...]
    sets: tuple[Drawing, ...]
    alpha: float

    @classmethod
    def of(cls, analysis: Analysis) -> "ChosenSection | None":
        """None where no set was chosen."""
        found = analysis.sets
        return None if found is None or not (found.verdicts or found.screenings) else cls.showing(found)

    @classmethod
    def showing(cls, found: Sets) -> "ChosenSection":
        """The section of these sets, its figures drawn."""
        drawn = tuple(set_drawings(found))
        return cls(
            warnings=() if found.pairs.height or found.shapley.height else found.warnings,
            sentences=found.chosen_sentences,
            judged=tuple(_judged(found, verdict) for verdict in found.verdicts),
            screened=tuple(_screened(found, own) for own in found.screenings),
            sets=drawn,
            alpha=found.alpha,
            drawings=drawn,
        )


def _rows(found: Sets, verdict: Verdict) -> pl.DataFrame:
    return found.sufficient.filter(setting_id=verdict.stored.domain.setting_id, design=verdict.stored.design.id)


def _judged(found: Sets, verdict: Verdict) -> SufficientSet:
    rows, design = _rows(found, verdict), verdict.stored.design
    names = short_names(design.units, design.unit)
    chosen = rows.filter(set=CHOSEN)["on"][0].split()
    return SufficientSet(
        name=verdict.name,
        units=design.unit.plural,
        metric=rows["metric"][0],
        unit=rows["unit"][0],
        rows=tuple(rows.rows(named=True)),
        on=", ".join(names[unit] for unit in chosen),
    )


def _screened(found: Sets, own: Screening) -> ScreenedUnits:
    design = own.chosen.design
    names = short_names(design.units, design.unit)
    rows = found.screening.filter(setting_id=own.chosen.domain.setting_id, design=design.id)
    rows = rows.with_columns(name=pl.col("address").replace_strict(names))
    rows = rows.sort(pl.col(SCREENED).not_(), pl.col("effect").abs().neg()).head(MOST_ROWS)
    return ScreenedUnits(own.name, design.unit.plural, own.chosen.domain.metric.unit, tuple(rows.rows(named=True)))


def set_drawings(found: Sets) -> Iterator[Drawing]:
    """Effects of the sets of each search on the examples that judge, with what may be lost as a band."""
    for verdict in found.verdicts:
        rows, design = _rows(found, verdict), verdict.stored.design
        unit = rows["unit"][0]
        marks = pl.DataFrame([_mark(row) for row in rows.rows(named=True)], schema_overrides={"high": pl.Float64})
        name = f"{FOLDER}/sufficient-{slug(verdict.stored.domain.setting_id)}-{design.id}"
        title = f"{verdict.name}: {rows['kept'][0]} of {rows['units'][0]} {design.unit.plural}"
        about = f"Sets of {design.unit.plural} on examples that did not choose them, {verdict.name}"
        yield figures.interval_rows(
            marks, name, about, f"score less that of all {design.unit.plural} ({unit})", title=title, band=verdict.lose
        )


def _mark(row: Row) -> Row:
    """A row of the figure: the effect of a set, down to its one-sided limit."""
    digits = decimals(row["unit"])
    said = f"{row['set']}: {signed(row['effect'], digits)} {row['unit']}, no less than {signed(row['limit'], digits)}"
    told = "chosen" if row["set"] == CHOSEN else f"by {row['set']}"
    return {
        **{"row": told, "series": "", "value": row["effect"], "low": row["limit"], "high": row["effect"]},
        "said": said,
    }
