"""A slice of another data set: what is held out of it, or all the rest; what depends on each other is never divided."""

import hashlib
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from study.data.source import DataSource
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.metrics import Task


@dataclass(kw_only=True)
class Slice(DataSource):
    """A part of a data set. The two parts of one share have no example in common, and no group.

    Which groups are held out depends on their names alone: they are taken by the sha256 of these, one after another,
    until the share is reached, so that a larger share holds out the same ones and more.

    Attributes:
        name: empty: that of the whole with `-held_out` or `-rest`.
        task: that of the whole, whatever is said.
        of: the whole.
        share: share of its examples that is held out, above 0 and below 1; a group more where it does not fit.
        held_out: whether it is the part that is held out, or the rest.
    """

    name: str = ""
    task: Task = Task.CLASSIFICATION
    of: DataSource = MISSING
    share: float = MISSING
    held_out: bool = True

    def __post_init__(self) -> None:
        whole = self.of
        self.name = self.name or f"{whole.name}-{'held_out' if self.held_out else 'rest'}"
        self.task, self.metric, self.positive = whole.task, whole.metric, whole.positive
        self.benchmark, self.max_unknown = self.benchmark or whole.benchmark, whole.max_unknown

    def identity(self) -> dict[str, Any]:
        """See `DataSource.identity`."""
        return {"of": self.of.identity(), "share": self.share, "held_out": self.held_out, "task": self.task}

    def languages(self) -> tuple[str, str] | None:
        """See `DataSource.languages`."""
        return self.of.languages()

    def missing(self) -> list[str]:
        """See `DataSource.missing`."""
        return self.of.missing()

    def fetch(self) -> None:
        """See `DataSource.fetch`."""
        self.of.fetch()

    def examples(self) -> Examples:
        """See `DataSource.examples`.

        Raises:
            InputError: when one of the two parts would be empty, too.
        """
        whole = self.of.examples()
        out = held_out(whole, self.share)
        if not 0 < len(out) < len(whole):
            raise InputError(
                f"share={self.share:g} of the {len(whole)} examples of data '{self.of.name}' holds out {len(out)}: "
                f"both parts must have some, and a group of examples is never divided"
            )
        rows = out if self.held_out else set(range(len(whole))) - out
        return whole.take(sorted(rows))


def held_out(examples: Examples, share: float) -> set[int]:
    """Rows of the examples that are held out: whole groups, until they are this share of all."""
    members: dict[str, list[int]] = {}
    for row, group in enumerate(examples.groups):
        members.setdefault(group, []).append(row)
    found: set[int] = set()
    for group in sorted(members, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if len(found) >= share * len(examples):
            break
        found.update(members[group])
    return found
