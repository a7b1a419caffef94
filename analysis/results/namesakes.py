"""Namesakes: subjects of one name that are not compared, because what they are made of differs; and in what.

Domains are compared within a subject, which is all of a setting but its data. An option that was given for one data set
alone, such as `model.truncate`, makes a second subject of the same name.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from analysis.formatting import shortened
from analysis.results.domain import Domain
from study.record.errors import listed
from study.record.setting import STANDS_IN, different_fields

SEED, GATES, REUSE, REPLACEMENT, PRECISION = "seed", "gates", "reuse", "replacement", "precision"

NAMED = 3
"""Fields that are named; the rest is counted."""

LONGEST = 24
"""Letters of a field's value that are shown; hashes are long."""


def namesakes(subjects: Iterable[Sequence[Domain]], along: Collection[str] = ()) -> list[str]:
    """A sentence for every two subjects of one name and metric, that says which fields of their settings differ.

    Seeds of one training, gates of one, ways to teach a later task, replacements and precisions of one model have one
    sentence, which says how they are compared; none where they are, `along` that axis.
    """
    alike: dict[tuple[str, tuple[str, str]], set[Any]] = {}
    said = []
    for a, b in combinations(list(subjects), 2):
        if _name(a) != _name(b):
            continue
        axis = _axis(a, b)
        if axis is None:
            said.append(_said(a, b))
        elif axis not in along:
            alike.setdefault((axis, _name(a)), set()).update(_value(own, axis) for own in (a, b))
    return said + [
        f"{listed([f'{axis} {value}' for value in _words(sorted(values))])} of {model}; "
        f"--along {axis} compares their heads"
        for (axis, (model, _)), values in alike.items()
    ]


def _words(values: Sequence[Any]) -> list[Any]:
    """Values on an axis; a precision by its name alone, where others of the name are not among them."""
    names = [value.partition("|")[0] if isinstance(value, str) else value for value in values]
    return [name if names.count(name) == 1 else value for name, value in zip(names, values, strict=True)]


def _axis(a: Sequence[Domain], b: Sequence[Domain]) -> str | None:
    """The axis along which two subjects of one name are compared; None where there is none."""
    one, other = training_seed(a), training_seed(b)
    if one is not None and other is not None and one != other:
        return SEED
    for axis in (GATES, REUSE):
        if _value(a, axis) != _value(b, axis):
            return axis
    differ = {field.partition(".")[2].partition(".")[0] for field, *_ in _different_fields(a[0], b[0])}
    if differ == {PRECISION}:
        return PRECISION
    return REPLACEMENT if differ and differ <= set(STANDS_IN) else None


def _value(subject: Sequence[Domain], axis: str) -> Any:
    """Where a subject stands on such an axis."""
    if axis == SEED:
        return training_seed(subject)
    if axis == PRECISION:
        return subject[0].setting.precision
    return subject[0].replacement.label if axis == REPLACEMENT else subject[0].factors[0].at(axis)


def training_seed(subject: Sequence[Domain]) -> int | None:
    """The seed of a subject's training; None where it is not known, or equal weights stand at several."""
    seeds = {place.seed for domain in subject for place in domain.factors} - {None}
    return seeds.pop() if len(seeds) == 1 else None


def subject_names(subjects: Mapping[str, Sequence[Domain]]) -> dict[str, str]:
    """The name of every subject, by subject id: of its model, with its replacement.

    Seeds of a training have the seed besides, and subjects that are computed with several precisions the precision.
    """
    names = {id_: own[0].subject for id_, own in subjects.items()}
    replaced = {own[0].model for own in subjects.values() if not own[0].replacement.is_usual}
    names |= {
        id_: f"{own[0].model}, replacement {own[0].replacement.label}"
        for id_, own in subjects.items()
        if own[0].model in replaced
    }
    counts = Counter(names.values())
    seeds = {id_: training_seed(own) for id_, own in subjects.items() if counts[names[id_]] > 1}
    told = Counter((names[id_], number) for id_, number in seeds.items())
    names |= {
        id_: f"{names[id_]}, seed {number}"
        for id_, number in seeds.items()
        if number is not None and told[names[id_], number] == 1
    }
    for name in [name for name, count in Counter(names.values()).items() if count > 1]:
        alike = [id_ for id_, own in names.items() if own == name]
        words = _words([subjects[id_][0].setting.precision for id_ in alike])
        if len(set(words)) == len(words):
            names |= {id_: f"{name}, {word}" for id_, word in zip(alike, words, strict=True)}
    return names


def _name(subject: Sequence[Domain]) -> tuple[str, str]:
    """The name of a subject, with the task that it does where it has several; and of its metric."""
    taught = subject[0].factors[0].taught if subject[0].factors else None
    return ", ".join(filter(None, (subject[0].model, taught))), subject[0].metric.name


def _said(a: Sequence[Domain], b: Sequence[Domain]) -> str:
    one, other = (f"{own[0].model} on {', '.join(dict.fromkeys(domain.data for domain in own))}" for own in (a, b))
    return f"{one} with {other}, as their settings differ in {apart(a[0], b[0])}"


def apart(a: Domain, b: Domain) -> str:
    """The fields but the data in which two settings differ, with both values: `subject.truncate (true, false)`."""
    fields = [f"{field} ({_shown(mine)}, {_shown(theirs)})" for field, mine, theirs in _different_fields(a, b)]
    return "; ".join(fields[:NAMED]) + (f" and {len(fields) - NAMED} more fields" if len(fields) > NAMED else "")


def _different_fields(a: Domain, b: Domain) -> Iterator[tuple[str, Any, Any]]:
    """Each field but the data that differs, `subject.truncate`, with both values."""
    one, other = (
        {name: value for name, value in domain.setting.identity.items() if name != "examples"} for domain in (a, b)
    )
    return different_fields(one, other)


def _shown(value: Any) -> str | None:
    return shortened(json.dumps(value), LONGEST)
