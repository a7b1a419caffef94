"""All that attention rows of a results folder come to, as tables; nothing where there are no such rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import polars as pl

from analysis.attention.clusters import clusters_table
from analysis.attention.statistics import Neighbours, offsets_table, statistics_table
from analysis.inference import Inference
from analysis.results.domain import Domain
from analysis.results.read import Results
from analysis.results.readings import HeadSums, Reading
from analysis.roles.assignment import CONTROL, count_roles, decide, every_reading, members, roles_table
from analysis.roles.role_effects import CORRELATION_ROWS, EFFECT_ROWS, Assign, Members, Options, role_effects
from analysis.roles.roles_left import LEFT_ROWS, AssignAnew, roles_left
from analysis.roles.rules import Role, roles
from analysis.roles.syntactic import syntactic_roles
from analysis.syntax import Syntax, syntax


@dataclass(frozen=True)
class AttentionOptions:
    """What a user may choose about heads' attention and their roles.

    Attributes:
        neighbours: what the weight on neighbours is divided by.
        thresholds: other thresholds of roles, by name.
        frequencies: a file of words and their counts, which says what words are rare; None counts the data itself.
    """

    neighbours: Neighbours = Neighbours.all
    thresholds: Mapping[str, float] = field(default_factory=dict)
    frequencies: Path | None = None


@dataclass(frozen=True, eq=False)
class HeadAttention:
    """What heads look at, and the roles they play.

    Attributes:
        readings: what was measured.
        roles: the rules.
        statistics: `analysis.attention.statistics.statistics_table` of every reading.
        offsets: `analysis.attention.statistics.offsets_table`.
        assigned: `analysis.roles.assignment.roles_table`.
        effects: effects of heads with roles (`analysis.roles.role_effects`).
        correlations: correlations of statistics with effects and importance.
        left: `analysis.roles.roles_left.roles_left`.
        clusters: `analysis.attention.clusters.clusters_table`.
        neighbours: what the weight on neighbours was divided by.
        alpha: level of tests, and what intervals leave out.
        notes: what could not be compared, in words.
        syntax: heads as parsers, and as finders of rare words; None where no words were measured.
        anew: what assigns roles under a mask that attention was looked at under, for each reading.
    """

    readings: tuple[Reading, ...]
    roles: tuple[Role, ...]
    statistics: pl.DataFrame
    offsets: pl.DataFrame
    assigned: pl.DataFrame
    effects: pl.DataFrame
    correlations: pl.DataFrame
    left: pl.DataFrame
    clusters: pl.DataFrame
    neighbours: Neighbours
    alpha: float
    notes: tuple[str, ...] = ()
    syntax: Syntax | None = None
    anew: Mapping[Reading, AssignAnew] = field(default_factory=dict)

    @cached_property
    def counts(self) -> pl.DataFrame:
        """How many heads of each reading have each role, beside random weights: see `count_roles`."""
        pairs = [(reading, control) for reading in self.readings if (control := self.control_of(reading))]
        rows = [(reading.setting.id, str(reading.special), control.setting.id) for reading, control in pairs]
        return count_roles(self.assigned, pl.DataFrame(rows, schema=CONTROL.schema, orient="row"))

    def control_of(self, reading: Reading) -> Reading | None:
        """The reading of the same model with random weights on the same data; None where there is none."""
        same = (one for one in self.readings if one.is_control_of(reading) and one.special == reading.special)
        return next(same, None)

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table under the name of its file."""
        return {
            "attention": self.statistics,
            "attention_offsets": self.offsets,
            "roles": self.assigned,
            "role_counts": self.counts,
            "role_effects": self.effects,
            "roles_left": self.left,
            "attention_correlations": self.correlations,
            "attention_clusters": self.clusters,
            **(self.syntax.tables if self.syntax else {}),
        }


def head_attention(
    results: Results, inference: Inference, options: AttentionOptions | None = None
) -> HeadAttention | None:
    """Statistics, roles, effects and clusters of every reading of a results folder; None where there is no reading.

    Raises:
        InputError: when there is no role of a name that has a threshold, or the file of counts is none.
    """
    options = options or AttentionOptions()
    every = roles(options.thresholds)
    if not results.readings:
        return None
    groups, neighbours = inference.groups, options.neighbours
    readings = results.readings
    words = syntax(readings, inference, options.frequencies)
    by_words = syntactic_roles(words)
    assigned = every_reading([roles_table(reading, every, neighbours, groups) for reading in readings])
    pairs = [(reading, domain) for reading in readings for domain in _domains_of(reading, results.distinct)]
    assigning = {reading: partial(_members, reading, every, neighbours) for reading in readings}
    anew = {
        reading: cache(partial(_anew, reading, assign, inference, options.frequencies))
        for reading, assign in assigning.items()
    }
    notes, found, left = [], [], []
    for reading, domain in pairs:
        assign = assigning[reading]
        with_words = partial(_members_with_words, assign, by_words, reading, groups)
        tables = role_effects(reading, domain, with_words, Options(inference, neighbours))
        if tables is None:
            notes.append(f"{reading.label} and {domain.data} share their examples, and are too few to be parted")
        else:
            found.append(tables)
        left.append(roles_left(reading, domain, with_words(reading.sums(groups)), anew[reading]))
    return HeadAttention(
        readings=readings,
        roles=every,
        statistics=pl.concat([statistics_table(reading, neighbours, inference.alpha, groups) for reading in readings]),
        offsets=pl.concat([offsets_table(reading, inference.alpha, groups) for reading in readings]),
        assigned=pl.concat([assigned, by_words]),
        effects=_stacked([tables.effects for tables in found], EFFECT_ROWS),
        correlations=_stacked([tables.correlations for tables in found], CORRELATION_ROWS),
        left=_stacked(left, LEFT_ROWS),
        clusters=pl.concat(
            [clusters_table(reading, groups, inference.seed, inference.resamples) for reading in readings]
        ),
        neighbours=neighbours,
        alpha=inference.alpha,
        notes=tuple(notes),
        syntax=words,
        anew=anew,
    )


def _domains_of(reading: Reading, domains: Sequence[Domain]) -> list[Domain]:
    """The domains of a reading's own weights."""
    return [domain for domain in domains if domain.model_id == reading.model_id]


def _members(reading: Reading, every: Sequence[Role], neighbours: Neighbours, sums: HeadSums) -> Members:
    return members(decide(sums, reading.layout, every, neighbours), reading.layout)


def _members_with_words(
    assign: Assign, by_words: pl.DataFrame, reading: Reading, groups: str, sums: HeadSums
) -> Members:
    """Members of every role; roles of syntax and rare words are known of all examples of a reading, and of no part."""
    whole = sums is reading.sums(groups)
    return {**assign(sums), **(members(_rows(by_words, reading), reading.layout) if whole else {})}


def _anew(reading: Reading, assign: Assign, inference: Inference, frequencies: Path | None, mask: str) -> Members:
    """Members of every role under a mask, of syntax and rare words where words were looked at under it."""
    by_words = syntactic_roles(syntax([reading], inference, frequencies, mask))
    return {**assign(reading.sums(inference.groups, mask)), **members(by_words, reading.layout)}


def _rows(assigned: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    return assigned.filter(**reading.names)


def _stacked(frames: Sequence[pl.DataFrame], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=schema), *frames])
