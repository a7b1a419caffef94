"""The numbers that a study comes to: the score, how many heads matter, whether the same matter elsewhere; and roles."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from analysis.formatting import decimal, effect, ends, head_name, score, unit_name
from analysis.page.citations import Citations
from analysis.page.verdicts import measured_interval
from analysis.page.views import DomainView, Row, SubjectView, pair_rows
from analysis.results.readings import Reading
from analysis.roles import HeadAttention
from analysis.roles.words import heads_with_a_role
from study.record.units import UnitLevel

MOST_NUMBERS = 3
"""Domains, or pairs of them, that have a number of their own; of more there is the range."""


@dataclass(frozen=True)
class Number:
    """One number of a tile.

    Attributes:
        value: the number.
        range: its interval, or what else is to be known beside it; empty where nothing is.
        where: the domain, or pair of domains.
        citation: what one copies who cites it, of the citations of a page.
    """

    value: str
    range: str
    where: str
    citation: Callable[[Citations], tuple[str, int] | None] = lambda _: None


@dataclass(frozen=True)
class Tile:
    """A few numbers of one kind.

    Attributes:
        name: what a script knows it by.
        title: what the numbers are.
        term: the term of the glossary that explains them.
        numbers: one for each domain or pair.
        note: a sentence below them.
    """

    name: str
    title: str
    term: str
    numbers: tuple[Number, ...]
    note: str


def tiles(subject: SubjectView) -> tuple[Tile, ...]:
    """Base score, heads that matter, r of the true effects, and where attention was looked at heads with a role."""
    return score_tile(subject), heads_tile(subject), correlation_tile(subject), *roles_tile(subject)


def score_tile(subject: SubjectView) -> Tile:
    """The base score of every domain, with its interval."""
    found = [
        Number(
            score(view.base["base_score"], subject.metric),
            ends(view.base["low"], view.base["high"], subject.digits).strip(" ()"),
            view.label + (" (not above chance)" if view.base["above_chance"] is False else ""),
            partial(Citations.base, row=view.base),
        )
        for view in subject.domains
    ]
    likely = [
        f"log-likelihood {decimal(view.log_likelihood, 4)} nats"
        for view in subject.domains[:MOST_NUMBERS]
        if view.log_likelihood is not None
    ]
    more = f" Of the right choice: {', '.join(likely)}; --metric loss shows what heads do to it." if likely else ""
    values = [view.base["base_score"] for view in subject.domains]
    ranged = f"{decimal(min(values), subject.digits)} to {score(max(values), subject.metric)}"
    at_chance = sum(view.base["above_chance"] is False for view in subject.domains)
    numbers = _few(found, ranged, f"domains ({at_chance} not above chance)" if at_chance else "domains")
    return Tile("score", "Base score", "base score", numbers, f"With every head. {_level(subject)}{more}")


def heads_tile(subject: SubjectView) -> Tile:
    """How many heads of every domain cost significantly when they are removed, and the largest effect."""
    found = [_heads_number(view, subject.several) for view in subject.compared]
    if not found and subject.largest:
        return units_tile(subject, subject.largest)
    if not found:
        note = "No head was removed alone; measure=ablation does that."
        return Tile("heads", "Heads that matter", "significant", (), note)
    counts = [_matter(view) for view in subject.compared]
    most = max(view.measured["ablation"] for view in subject.compared)
    ranged = f"{min(counts)} to {max(counts)} of {most}"
    numbers = _few(found, ranged, "domains")
    return Tile("heads", "Heads that matter", "significant", numbers, _heads_note(subject.compared))


def units_tile(subject: SubjectView, level: UnitLevel) -> Tile:
    """How many groups (layers, MLPs) of every domain cost significantly when removed, and the largest effect."""
    numbers = []
    for id_, label in subject.labels.items():
        rows = subject.units.filter(level=str(level), setting_id=id_)
        if rows.height:
            largest = rows.sort(pl.col("effect").abs(), descending=True, maintain_order=True).row(0, named=True)
            costly = rows.filter((pl.col("effect") < 0) & (pl.col("significant") | pl.col("low").is_null())).height
            range_ = f"largest {effect(largest)} ({unit_name(largest, subject.several)})"
            numbers.append(Number(f"{costly} of {rows.height}", range_, label))
    title = f"{level.plural[0].upper()}{level.plural[1:]} that matter"
    note = "Removing one of them costs significantly. No head was removed alone; measure=ablation does that."
    return Tile("heads", title, "significant", _few(numbers, f"{len(numbers)} domains", "domains"), note)


def _heads_number(view: DomainView, several: bool) -> Number:
    row = view.strongest
    assert row is not None
    strongest = f"largest {effect(row)} ({head_name(row, several)})"
    return Number(f"{_matter(view)} of {view.measured['ablation']}", strongest, view.label)


def _matter(view: DomainView) -> int:
    """How many heads cost significantly; where nothing is said of significance, how many cost anything."""
    assert view.strongest is not None
    return view.measured["lower" if view.strongest["low"] is None else "worse"]


def _heads_note(views: Sequence[DomainView]) -> str:
    rows = [view.strongest for view in views if view.strongest]
    if any(row["low"] is None for row in rows):
        return "Removing them lowers the score. Nothing is said of significance."
    gains = sum(view.measured["better"] for view in views)
    more = f" Removing {gains} others raises it." if gains else ""
    return f"Removing one of them costs significantly.{more}"


def correlation_tile(subject: SubjectView) -> Tile:
    """R of the true effects of every two domains; as measured where it cannot be estimated."""
    every = pair_rows(subject.analysis.correlations.overall, subject.labels)
    one = "Heads were removed on one domain at most; a second one tells whether the same heads matter there."
    silent = f"{every[0]['reason'][0].upper()}{every[0]['reason'][1:]}." if every and every[0]["reason"] else one
    return agreement_tile([row for row in every if row["pearson"] is not None], silent)


def agreement_tile(rows: Sequence[Row], silent: str = "") -> Tile:
    """The tile of these pairs; `silent` says why there are none."""
    if not rows:
        return Tile("correlation", "True r between domains", "true r", (), silent)
    known = [row["true"] for row in rows if row["true"] is not None]
    values, name = (known, "true r") if known else ([row["pearson"] for row in rows], "measured r")
    ranged = f"{decimal(min(values))} to {decimal(max(values))}"
    found = [_r_number(row, mixed=bool(known)) for row in rows]
    only = rows[0] if len(rows) == 1 and known else None
    note = "" if only is None else f" Measured r: {decimal(only['pearson'])}{ends(*measured_interval(only))}."
    numbers = _few(found, ranged, "pairs of domains")
    title = f"{name[0].upper()}{name[1:]} between domains"
    return Tile("correlation", title, name, numbers, f"1: every head has the same effect on both.{note}")


def roles_tile(subject: SubjectView) -> Iterator[Tile]:
    """How many heads have a role on all data that the subject was looked at on; nothing where on none."""
    found = subject.analysis.attention
    if found is None:
        return
    own = {view.domain.model_id for view in subject.domains}
    numbers = [_roles_number(found, reading) for reading in found.readings if reading.model_id in own]
    if numbers:
        note = "By rules that have names, such as looking at the token before."
        if any(number.range for number in numbers):
            note += " Learned: in roles that no head has with random weights."
        yield Tile("roles", "Heads with a role", "role", _few(numbers, f"{len(numbers)} data sets", "data sets"), note)


def _roles_number(found: HeadAttention, reading: Reading) -> Number:
    """The heads with a role; where random weights were looked at, too, with one that none of their heads has."""
    counts, heads = found.counts.filter(**reading.names), len(reading.layout)
    if found.control_of(reading) is None:
        return Number(f"{heads_with_a_role(found, reading)} of {heads}", "", reading.data)
    learned = counts.filter(control_decided=0)["role"].to_list()
    return Number(f"{heads_with_a_role(found, reading, learned)} of {heads}", "learned", reading.data)


def _r_number(row: Row, mixed: bool) -> Number:
    """True r of a pair, or measured r, which is said where other pairs have a true one."""
    where = f"{row['label_a']} and {row['label_b']}"
    if row["true"] is not None:
        citation = partial(Citations.correlation, row=row, name="true")
        return Number(decimal(row["true"]), ends(row["true_low"], row["true_high"]).strip(" ()"), where, citation)
    where += ", measured" if mixed else ""
    between = ends(*measured_interval(row)).strip(" ()")
    return Number(decimal(row["pearson"]), between, where, partial(Citations.correlation, row=row))


def _few(found: Sequence[Number], ranged: str, what: str) -> tuple[Number, ...]:
    """The numbers, or of many their range."""
    return tuple(found) if len(found) <= MOST_NUMBERS else (Number(ranged, "", f"{len(found)} {what}"),)


def _level(subject: SubjectView) -> str:
    known = [view.base["alpha"] for view in subject.domains if view.base["low"] is not None]
    return f"{100 * (1 - known[0]):g} % intervals." if known else "Too few groups of examples for an interval."


def sentence(subject: SubjectView) -> str:
    """The tiles in one sentence: `80.85 % (79.03 to 82.68) on home; 9 of 16 heads matter on home; true r 0.99 ...`."""
    parts = [_said(tile) for tile in tiles(subject) if tile.numbers]
    return f"{subject.label}: {'; '.join(parts)}."


def _said(tile: Tile) -> str:
    """A tile in words, its name first."""
    link = "for" if tile.name == "correlation" else "on"
    ranges = [f" ({number.range})" if number.range else "" for number in tile.numbers]
    said = [f"{each.value}{between} {link} {each.where}" for each, between in zip(tile.numbers, ranges, strict=True)]
    return f"{tile.title[0].lower()}{tile.title[1:]} {', '.join(said)}"
