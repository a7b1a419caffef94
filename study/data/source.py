"""What every kind of data set offers: the contract of `conf/data`."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from omegaconf import MISSING

from study.record.errors import InputError
from study.record.examples import Examples
from study.record.files import file_digest
from study.record.metrics import Task

OUTSIDE_IDENTITY = frozenset({"name", "benchmark", "metric", "positive", "limit", "max_unknown"})
"""Options on which no outcome depends."""


@dataclass(kw_only=True)
class DataSource:
    """A test set as a sample of a domain.

    Attributes:
        name: short name; names the folder under results/<model>/. Empty in a YAML file: the name of the data file.
        benchmark: what it tests, by which data sets are compared: all parts of one benchmark have the same. Empty: its
            name. It changes no identity.
        task: what a model does with it, see `Task`.
        metric: name of the metric that scores its answers; empty: the one that is stored, such as accuracy of labels
            and BLEU of translations. It changes no identity, as every metric of a task follows from the same outcomes.
        positive: the label that a metric of one label (F1) is about. It changes no identity.
        limit: evaluate only the first `limit` examples; None for all. A view: it changes no identity.
        max_unknown: largest share of tokens that the model may not know; more are refused. It changes no identity.
    """

    name: str = MISSING
    benchmark: str = ""
    task: Task = MISSING
    metric: str = ""
    positive: str = ""
    limit: int | None = None
    max_unknown: float = 0.05

    def identity(self) -> dict[str, Any]:
        """All that determines the examples, as JSON values: settings, and digests of local files; reads no example.

        Raises:
            InputError: when a file cannot be read.
        """
        names = {field.name for field in fields(self)} - OUTSIDE_IDENTITY
        values = {name: getattr(self, name) for name in sorted(names)}
        return values | {name: self._digest(name, value) for name, value in values.items() if isinstance(value, Path)}

    def _digest(self, option: str, path: Path) -> str:
        try:
            return file_digest(path.expanduser())
        except OSError as error:
            raise InputError(f"data '{self.name}': {option}={path} cannot be read: {error.strerror}") from error

    def first(self, limit: int | None) -> Self:
        """This data without the examples after the first `limit`; a lower limit of its own stays."""
        return replace(self, limit=min((most for most in (limit, self.limit) if most is not None), default=None))

    def languages(self) -> tuple[str, str] | None:
        """Codes of the languages of source and target; None where nothing tells them, or it is no translation."""
        return None

    def missing(self) -> list[str]:
        """What must be downloaded before this data can be read, in words; empty when all is here."""
        return []

    def fetch(self) -> None:
        """Download what `missing` names. Needs the network; compute nodes often have none.

        Raises:
            StudyError: when it cannot be downloaded or unpacked.
        """

    def examples(self) -> Examples:
        """Read the whole set, in the order of its file.

        Raises:
            InputError: for a missing, empty, ragged or otherwise unfit file; names file and line.
        """
        raise NotImplementedError
