"""From the numbers of tables made elsewhere to domains that can be correlated; what does not fit is refused by name.

Numbers of heads beside numbers of groups are compared by groups: a group has the mean of its heads.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.correlation import DomainEffects
from analysis.importing.published import PublishedScores, read_published
from analysis.importing.table_files import read_rows
from analysis.importing.table_forms import Cell, ImportOptions, cells
from study.record.errors import InputError, listed
from study.record.units import AttentionKind, Group, Head, HeadLayout, Unit

NAMED = 6
"""How many heads an error names."""

EVERYTHING = "imported"
"""Name of the one subject where no column tells several apart."""


COST = "cost"
"""What the negative of an effect is called, the largest of which matters most."""


@dataclass(frozen=True)
class ImportedTables:
    """What files hold.

    Attributes:
        domains: by subject, in the order in which they stand there.
        published: the published scores among them, whose makers must be named.
    """

    domains: tuple[DomainEffects, ...]
    published: tuple[PublishedScores, ...]


def read_domains(paths: Sequence[Path], options: ImportOptions) -> list[DomainEffects]:
    """The domains of `read_tables`."""
    return list(read_tables(paths, options).domains)


def read_tables(paths: Sequence[Path], options: ImportOptions) -> ImportedTables:
    """The numbers of all files. Where some are importances, effects beside them become costs: the largest matters most.

    Raises:
        InputError: for a file that cannot be read, for heads that are unknown, there twice, or missing on a domain, and
            for heads that are in no equal groups.
    """
    found, published = [], {}
    for path in paths:
        own = read_published(path)
        if own is None:
            found += cells(read_rows(path), options, path)
            continue
        if own.name in published:
            raise InputError(f"{path}: another file has {own.name} already; name the files after their models")
        published[own.name] = own
        found += [Cell("", own.name, head, value) for head, value in own.cells]
    domains = [
        replace(own, names={**own.names, "metric": published[own.domain].source.measure}, importance=True)
        if own.domain in published
        else own
        for own in group_cells(_one_level(found, options), options)
    ]
    mixed = len({own.importance for own in domains}) > 1
    return ImportedTables(tuple(_as_cost(own) if mixed else own for own in domains), tuple(published.values()))


def _as_cost(own: DomainEffects) -> DomainEffects:
    """Effects as costs; what is importance stays."""
    if own.importance:
        return own
    names = {**own.names, "metric": COST, "domain": f"{own.domain} ({COST})"}
    return replace(own, names=names, effects=-own.effects, importance=True)


def _one_level(found: Sequence[Cell], options: ImportOptions) -> list[Cell]:
    """The cells of heads alone, or of groups alone: then each group of a table of heads has the mean of its heads."""
    groups = _counts(cell.head for cell in found if isinstance(cell.head, Group))
    heads = [cell for cell in found if isinstance(cell.head, Head)]
    if not (groups or options.groups) or not heads:
        return list(found)
    tables: dict[tuple[str, str], list[Cell]] = {}
    for cell in found:
        tables.setdefault((cell.subject, cell.domain), []).append(cell)
    layers = {(cell.head.kind, cell.head.layer) for cell in heads}
    numbers = groups or dict.fromkeys(layers, options.groups or 1)
    if numbers == _counts(cell.head for cell in heads):  # each group is one head
        return [replace(cell, head=Head(cell.head.kind, cell.head.layer, cell.head.index)) for cell in found]
    return [cell for own in tables.values() for cell in _by_group(own, numbers)]


def _counts(units: Iterable[Head | Group]) -> dict[tuple[AttentionKind, int], int]:
    """How many units each layer has."""
    counts: dict[tuple[AttentionKind, int], int] = {}
    for unit in units:
        layer = unit.kind, unit.layer
        counts[layer] = max(counts.get(layer, 0), unit.index + 1)
    return counts


def _by_group(own: Sequence[Cell], numbers: Mapping[tuple[AttentionKind, int], int]) -> list[Cell]:
    """The cells of one table by groups, of which each layer has a number."""
    if isinstance(own[0].head, Group):
        return list(own)
    counts, values = _counts(cell.head for cell in own), {}
    for cell in own:
        layer = cell.head.kind, cell.head.layer
        count, number = counts[layer], numbers.get(layer)
        if not number or count % number:
            there = f"{number} groups" if number else "no groups"
            raise InputError(
                f"{cell.domain}: layer {cell.head.layer} has {count} heads, and {there} of other tables: they are not "
                f"of one model, or its groups are not equal"
            )
        group = Group(cell.head.kind, cell.head.layer, cell.head.index * number // count)
        values.setdefault(group, []).append(cell.value)
    first = own[0]
    return [Cell(first.subject, first.domain, group, float(np.mean(some))) for group, some in values.items()]


def group_cells(found: Sequence[Cell], options: ImportOptions) -> list[DomainEffects]:
    """The domains that cells of one or more tables are of; order and errors as of `read_domains`."""
    _check_first(found, options)
    subjects: dict[str, dict[str, list[Cell]]] = {}
    for cell in found:
        subjects.setdefault(cell.subject, {}).setdefault(cell.domain, []).append(cell)
    domains = []
    for subject, values in subjects.items():
        known = _known({cell.head for own in values.values() for cell in own}, options)
        domains += [_domain(subject, name, own, known, options) for name, own in values.items()]
    return domains


def _domain(
    subject: str, name: str, own: Sequence[Cell], known: Sequence[Head | Group], options: ImportOptions
) -> DomainEffects:
    where = f"{subject}, {name}" if subject else name
    counts = Counter(cell.head for cell in own)
    double = [head for head, count in counts.items() if count > 1]
    if double:
        raise InputError(
            f"{where}: more than one number of {_listed(double)}. If a column tells them apart, name it with "
            "--domain (compared with each other) or --by (kept apart)"
        )
    lacking = [head for head in known if head not in counts]
    if lacking:
        raise InputError(f"{where}: no number of {_listed(lacking)}, which other domains or the model have")
    values = {cell.head: cell.value for cell in own}
    label = subject or EVERYTHING
    names = {"subject": label, "subject_id": label, "metric": options.value or "effect", "domain": name}
    effects = np.array([values[head] for head in known])
    return DomainEffects(names | {"setting_id": name}, tuple(known), effects, importance=options.largest_matters)


def _known(heads: set[Head | Group], options: ImportOptions) -> list[Head | Group]:
    """The heads that every domain must have: those of the model where its shape is given, else those of any domain."""
    ordered = sorted(heads, key=lambda head: (head.kind.rank, head.layer, head.index))
    if options.shape is None or not all(isinstance(head, Head) for head in ordered):
        return ordered
    layers, count = options.shape
    layout = HeadLayout(dict.fromkeys({head.kind for head in heads}, (count,) * layers))
    unknown = sorted(heads - set(layout.heads), key=ordered.index)
    if unknown:
        raise InputError(
            f"unknown heads {_listed(unknown)}: of {layers} layers with {count} heads, counted from 0, the last is "
            f"{layout.heads[-1]}"
        )
    return list(layout.heads)


def _check_first(found: Iterable[Cell], options: ImportOptions) -> None:
    """Refuse to guess whether layers and heads count from 0 or from 1."""
    heads = {cell.head for cell in found}
    if options.first is None and heads and all(head.layer > 0 and head.index > 0 for head in heads):
        raise InputError(
            "no head has layer 0 or number 0: say --first 1 where the first ones are called 1, or --first 0 where they "
            "are left out"
        )


def _listed(heads: Sequence[Unit]) -> str:
    return listed([*map(str, heads)], NAMED)
