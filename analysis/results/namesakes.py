"""Namesakes: subjects of one name that are not compared, because what they are made of differs; and in what.

Domains are compared within a subject, which is all of a setting but its data. An option that was given for one data set
alone, such as `model.truncate`, makes a second subject of the same name.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from analysis.formatting import shortened
from analysis.results.domain import Domain
from study.record.errors import listed
from study.record.setting import different_fields

SEED = "seed"

NAMED = 3
"""Fields that are named; the rest is counted."""

LONGEST = 24
"""Letters of a field's value that are shown; hashes are long."""


def namesakes(subjects: Iterable[Sequence[Domain]], along: Collection[str] = ()) -> list[str]:
    """A sentence for every two subjects of one name and metric, that says which fields of their settings differ.

    Seeds of one training have one sentence, which says how they are compared; none where they are, `along` seed.
    """
    subjects = list(subjects)
    seeds: dict[tuple[str, str], set[int]] = {}
    said = []
    for a, b in combinations(subjects, 2):
        if _name(a) == _name(b):
            one, other = training_seed(a), training_seed(b)
            if one is None or other is None or one == other:
                said.append(_said(a, b))
            else:
                seeds.setdefault(_name(a), set()).update((one, other))
    if SEED in along:
        return said
    return said + [
        f"{listed([f'seed {number}' for number in sorted(own)])} of {model}; --along seed compares their heads"
        for (model, _), own in seeds.items()
    ]


def training_seed(subject: Sequence[Domain]) -> int | None:
    """The seed of a subject's training; None where it is not known, or equal weights stand at several."""
    seeds = {place.seed for domain in subject for place in domain.factors} - {None}
    return seeds.pop() if len(seeds) == 1 else None


def subject_names(subjects: Mapping[str, Sequence[Domain]]) -> dict[str, str]:
    """The name of the model of every subject, by subject id; of seeds of one training with the seed."""
    names = {id_: own[0].model for id_, own in subjects.items()}
    counts = Counter(names.values())
    seeds = {id_: training_seed(own) for id_, own in subjects.items() if counts[names[id_]] > 1}
    told = Counter((names[id_], number) for id_, number in seeds.items())
    return names | {
        id_: f"{names[id_]}, seed {number}"
        for id_, number in seeds.items()
        if number is not None and told[names[id_], number] == 1
    }


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
        {name: value for name, value in domain.setting.identity.items() if name != "examples"} for domain in (a, b)
    )
    return [f"{field} ({_shown(mine)}, {_shown(theirs)})" for field, mine, theirs in different_fields(one, other)]


def _shown(value: Any) -> str | None:
    return shortened(json.dumps(value), LONGEST)
