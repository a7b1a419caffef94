"""What the dialog of a head shows of its attention: maps of a few sentences, offsets, statistics, roles.

It is compact JSON for the scripts of the page; the maps of a head are packed, and unpacked when somebody looks at them.
Nothing of it stands on a page of results without rows of attention.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis.attention.statistics import HeadStatistic, head_statistics
from analysis.formatting import address
from analysis.page.citations import as_json
from analysis.page.maps.packing import in_letters
from analysis.page.section import Section
from analysis.page.views import SubjectView
from analysis.results.readings import Reading
from analysis.roles.tables import HeadAttention
from analysis.roles.words import role_title
from study.record.maps.stored_maps import StoredMaps, WordSide, read_maps
from study.record.tables.maps import STEPS
from study.record.units import Head

SHOWN = (8, 4, 2, 1, 0)
"""Sentences of a reading whose maps stand on the page, the first number that fits."""

MOST_BYTES = 1_500_000
"""The most that all maps of one subject take on the page."""

MAIN = (
    "largest",
    "entropy",
    "previous",
    "self",
    "next",
    "first",
    "beginning",
    "separator",
    "punctuation",
    "distance",
    "relative_norm",
    "duplicate",
    "induction",
    "copy",
    "retrieval",
)
"""The statistics that are shown, of those that were measured."""


@dataclass(frozen=True)
class HeadLooks(Section):
    """What is known of the attention of each head of a subject.

    Attributes:
        attention: everything that was computed of attention.
        readings: the data that the subject was looked at on.
    """

    template = "head_looks"
    attention: HeadAttention
    readings: Sequence[Reading]

    @classmethod
    def of(cls, subject: SubjectView) -> "HeadLooks | None":
        """What was looked at with the weights of a subject; None where nothing was."""
        attention = subject.analysis.attention
        if attention is None:
            return None
        own = {view.domain.model_id for view in subject.domains}
        readings = [reading for reading in attention.readings if reading.model_id in own]
        return cls(attention, readings) if readings else None

    def json(self) -> Any:
        """The details as JSON.

        Returns:
            `{"percent": level of intervals, "steps": steps of a weight between 0 and 1, "readings": [{"label",
            "statistics": [[label, unit, decimals]], "values": {address: [[value, low, high], or null]}, "offsets":
            {address: [share in thousandths at each of -5 to 5, and farther]}, "roles": {address: [[title, rule, limit
            that met it]]}, "kept": how many sentences have maps, "sentences": [{"words", "special": [0 or 1],
            "targetWords", "targetSpecial"}], "maps": {address: the maps of these sentences, one after the other,
            packed}}]}`.
        """
        shown = fitting([_stored(reading) for reading in self.readings])
        readings = [self._reading(reading, maps) for reading, maps in zip(self.readings, shown, strict=True)]
        percent = f"{100 * (1 - self.attention.alpha):g}"
        return as_json({"percent": percent, "steps": STEPS, "readings": readings})

    def _reading(self, reading: Reading, maps: Mapping[str, Any]) -> dict[str, Any]:
        own = pl.all_horizontal(pl.col(name) == value for name, value in reading.names.items())
        table = self.attention.statistics.filter(own)
        measured = set(table.drop_nulls("value")["statistic"])
        every = {each.name: each for each in head_statistics(self.attention.neighbours)}
        statistics = [every[name] for name in MAIN if name in measured]
        return {
            "label": reading.label,
            "statistics": [[each.label, each.unit, each.digits] for each in statistics],
            "values": dict(_values(table, statistics)),
            "offsets": dict(_offsets(self.attention.offsets.filter(own))),
            "roles": self._roles(self.attention.assigned.filter(own, "decided")),
            **maps,
        }

    def _roles(self, assigned: pl.DataFrame) -> dict[str, list[list[Any]]]:
        found: dict[str, list[list[Any]]] = {}
        for row in assigned.rows(named=True):
            named = [role_title(row["role"]), row["rule"], _rounded(row["limit"], 3)]
            found.setdefault(address(row), []).append(named)
        return found


def fitting(stored: Sequence[Sequence[StoredMaps]]) -> list[dict[str, Any]]:
    """The maps of each reading as the page has them, of as many sentences as fit into `MOST_BYTES` all together."""
    content: list[dict[str, Any]] = []
    for number in SHOWN:
        content = [{"kept": len(maps), **packed_maps(maps[:number])} for maps in stored]
        if sum(len(text) for each in content for text in each["maps"].values()) <= MOST_BYTES:
            break
    return content


def packed_maps(maps: Sequence[StoredMaps]) -> dict[str, Any]:
    """Sentences, and by head their maps one after the other."""
    heads: list[Head] = list(maps[0].weights) if maps else []
    packed = {str(head): in_letters(np.concatenate([each.weights[head].ravel() for each in maps])) for head in heads}
    sentences = [{**_words("", each.source), **_words("target", each.target)} for each in maps]
    return {"sentences": sentences, "maps": packed}


def _words(of: str, side: WordSide | None) -> dict[str, Any]:
    if side is None:
        return {}
    names = (f"{of}Words", f"{of}Special") if of else ("words", "special")
    return dict(zip(names, (side.words, [int(mark) for mark in side.special]), strict=True))


def _stored(reading: Reading) -> list[StoredMaps]:
    """The maps with every head on."""
    return [maps for maps in read_maps(reading.folder, reading.layout) if maps.mask == reading.layout.full_key]


def _values(table: pl.DataFrame, statistics: Sequence[HeadStatistic]) -> Iterator[tuple[str, list[Any]]]:
    digits = {each.name: each.digits for each in statistics}
    order = list(digits)
    for (kind, layer, head), own in table.group_by("kind", "layer", "head", maintain_order=True):
        values: list[Any] = [None] * len(order)
        for row in own.rows(named=True):
            if row["statistic"] in digits and row["value"] is not None:
                numbers = (row["value"], row["low"], row["high"])
                values[order.index(row["statistic"])] = [_rounded(n, digits[row["statistic"]]) for n in numbers]
        yield address({"kind": kind, "layer": layer, "head": head}), values


def _offsets(table: pl.DataFrame) -> Iterator[tuple[str, list[int]]]:
    """Shares in thousandths, of the offsets in their order and then of all that are farther."""
    for (kind, layer, head), own in table.group_by("kind", "layer", "head", maintain_order=True):
        shares = own.sort("offset", nulls_last=True)["share"].fill_null(0)
        yield address({"kind": kind, "layer": layer, "head": head}), [round(1000 * share) for share in shares]


def _rounded(number: float | None, digits: int) -> float | None:
    return None if number is None else round(number, digits)
