"""What the jobs of one process share: examples read last, the model loaded last, its engines."""

import gc
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from study.data.source import DataSource
from study.record.examples import Examples
from study.record.files import short_hash

if TYPE_CHECKING:
    from study.engine.engine import Engine
    from study.jobs.plan import Plan
    from study.subjects.subject import Subject

MOST_SETS = 4
"""Data sets whose examples are kept: successive jobs of a sweep often take turns on two or three."""

LEARNS = "learns: "
"""Begins the keys of engines that learn of the examples of a setting."""


class JobCache:
    """Keeps what one job made and the next may need, and no more of it than a process has room for."""

    def __init__(self) -> None:
        self._examples: dict[str, Examples] = {}
        self._subjects: dict[str, Subject] = {}
        self._engines: dict[str, Engine] = {}
        self._plans: dict[str, Plan] = {}
        self._reading = Lock()

    def examples(self, data: DataSource) -> Examples:
        """All examples of a data set; read again only where its identity, digests of files included, has changed."""
        try:
            key = short_hash([type(data).__name__, data.identity()])
        except OSError:  # a file is not there: reading says so in words
            return data.examples()
        with self._reading:
            examples = self._examples.pop(key, None) or data.examples()
            self._examples[key] = examples
            while len(self._examples) > MOST_SETS:
                del self._examples[next(iter(self._examples))]
        return examples

    def subject(self, key: str, load: "Callable[[], Subject]") -> "Subject":
        """The subject of a key; another one that is kept is let go before it is loaded."""
        if key not in self._subjects:
            self._subjects.clear()
            self._engines.clear()
            gc.collect()  # a job that ended and its evaluator refer to each other, and to the model
            self._subjects[key] = load()
        return self._subjects[key]

    def plan(self, key: str, make: "Callable[[], Plan]") -> "Plan":
        """The plan of a key, which takes seconds to make: jobs that differ in a seed often need the same first."""
        if key not in self._plans:
            self._plans[key] = make()
        return self._plans[key]

    def engine(self, subject: "Subject", key: str, choose: "Callable[[], Engine]", *, of: str = "") -> "Engine":
        """The engine of a key for a subject; chosen and proved once.

        Where none says how much memory it may take, it keeps what was found free when it was chosen.

        Args:
            subject: the model.
            key: what tells engines of a model apart.
            choose: makes it.
            of: the setting that it learns of, where it does; of such engines one is kept, since it keeps numbers of
                every example.
        """
        if of:
            key = f"{LEARNS}{key} {of}"
            for other in [one for one in self._engines if one.startswith(LEARNS) and one != key]:
                del self._engines[other]
        known = self._engines.get(key)
        if known is None or known.subject is not subject:  # another job may have loaded another model since
            known = self._engines[key] = choose()
        return known


SHARED = JobCache()
"""The cache of this process."""
