"""Namesakes: subjects of one name that are not compared, because what they are made of differs; and in what.

Domains are compared within a subject, which is all of a setting but its data. An option that was given for one data set
alone, such as `model.truncate`, makes a second subject of the same name.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from analysis.read import Domain
from analysis.words import shortened
from study.setting import differences, read_setting

NAMED = 3
"""Fields that are named; the rest is counted."""

LONGEST = 24
"""Letters of a field's value that are shown; hashes are long."""


def namesakes(domains: Sequence[Domain]) -> list[str]:
    """A sentence for every two subjects of one name and metric, that says which fields of their settings differ."""
    subjects: dict[str, list[Domain]] = {}
    for domain in domains:
        subjects.setdefault(domain.subject_id, []).append(domain)
    return [line for a, b in combinations(subjects.values(), 2) for line in _said(a, b)]


def _said(a: Sequence[Domain], b: Sequence[Domain]) -> Iterator[str]:
    if a[0].model != b[0].model or a[0].metric.name is not b[0].metric.name:
        return
    fields = _different(a[0], b[0])
    more = f" and {len(fields) - NAMED} more fields" if len(fields) > NAMED else ""
    names = (", ".join(dict.fromkeys(domain.data for domain in own)) for own in (a, b))
    yield (
        f"{a[0].model} on {' and on '.join(names)} is two subjects, so their heads are not compared. Their settings "
        f"differ in {'; '.join(fields[:NAMED])}{more}"
    )


def _different(a: Domain, b: Domain) -> list[str]:
    """`subject.truncate (false, true)` for each field but the data that differs."""
    one, other = (
        {name: value for name, value in read_setting(domain.folder)["identity"].items() if name != "examples"}
        for domain in (a, b)
    )
    found = []
    for line in differences(one, other):
        field, values = line.split(": expected ", 1)
        found.append(f"{field} ({', '.join(str(shortened(value, LONGEST)) for value in values.split(', found ', 1))})")
    return found
