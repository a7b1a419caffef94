"""Namesakes: subjects of one name that are not compared, because what they are made of differs; and in what.

Domains are compared within a subject, which is all of a setting but its data. An option that was given for one data set
alone, such as `model.truncate`, makes a second subject of the same name.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from analysis.formatting import shortened
from analysis.results.domain import Domain
from study.record.setting import different_fields, read_setting

NAMED = 3
"""Fields that are named; the rest is counted."""

LONGEST = 24
"""Letters of a field's value that are shown; hashes are long."""


def namesakes(subjects: Iterable[Sequence[Domain]]) -> list[str]:
    """A sentence for every two subjects of one name and metric, that says which fields of their settings differ."""
    return [_said(a, b) for a, b in combinations(subjects, 2) if _name(a) == _name(b)]


def _name(subject: Sequence[Domain]) -> tuple[str, str]:
    """The name of a subject, and of its metric."""
    return subject[0].model, subject[0].metric.name


def _said(a: Sequence[Domain], b: Sequence[Domain]) -> str:
    fields = _different(a[0], b[0])
    more = f" and {len(fields) - NAMED} more fields" if len(fields) > NAMED else ""
    one, other = (f"{own[0].model} on {', '.join(dict.fromkeys(domain.data for domain in own))}" for own in (a, b))
    return f"{one} with {other}, as their settings differ in {'; '.join(fields[:NAMED])}{more}"


def _different(a: Domain, b: Domain) -> list[str]:
    """`subject.truncate (false, true)` for each field but the data that differs."""
    one, other = (
        {name: value for name, value in read_setting(domain.folder).identity.items() if name != "examples"}
        for domain in (a, b)
    )
    return [f"{field} ({_shown(mine)}, {_shown(theirs)})" for field, mine, theirs in different_fields(one, other)]


def _shown(value: Any) -> str | None:
    return shortened(json.dumps(value), LONGEST)
