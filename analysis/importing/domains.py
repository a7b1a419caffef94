"""From the numbers of tables made elsewhere to domains that can be correlated; what does not fit is refused by name."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from analysis.correlation import DomainEffects
from analysis.importing.table_files import read_rows
from analysis.importing.table_forms import Cell, ImportOptions, cells
from study.record.errors import InputError, listed
from study.record.units import Head, HeadLayout

NAMED = 6
"""How many heads an error names."""

EVERYTHING = "imported"
"""Name of the one subject where no column tells several apart."""


def read_domains(paths: Sequence[Path], options: ImportOptions) -> list[DomainEffects]:
    """The domains of all files, by subject, in the order in which they stand there.

    Raises:
        InputError: for a file that cannot be read, and for heads that are unknown, there twice, or missing on a domain.
    """
    return group_cells([cell for path in paths for cell in cells(read_rows(path), options, path)], options)


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
    subject: str, name: str, own: Sequence[Cell], known: Sequence[Head], options: ImportOptions
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


def _known(heads: set[Head], options: ImportOptions) -> list[Head]:
    """The heads that every domain must have: those of the model where its shape is given, else those of any domain."""
    ordered = sorted(heads)
    if options.shape is None:
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


def _listed(heads: Sequence[Head]) -> str:
    return listed([*map(str, heads)], NAMED)
