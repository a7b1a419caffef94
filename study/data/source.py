"""What every kind of data set offers: the contract of `conf/data`."""

from dataclasses import dataclass
from enum import StrEnum

from omegaconf import MISSING

from study.data.examples import Examples


class Task(StrEnum):
    """What a model does with the texts; a model and its data must have the same."""

    CLASSIFICATION = "classification"
    TRANSLATION = "translation"


@dataclass(kw_only=True)
class DataSource:
    """A test set as a sample of a domain.

    Attributes:
        name: short name; names the folder under results/<model>/. Empty in a YAML file: the name of the data file.
        task: what its targets are: label names or reference translations.
        limit: evaluate only the first `limit` examples; None for all. A view: it changes no identity.
    """

    name: str = MISSING
    task: Task = MISSING
    limit: int | None = None

    def missing(self) -> list[str]:
        """What must be downloaded before this data can be read, in words; empty when all is here."""
        return []

    def fetch(self) -> None:
        """Download what `missing` names. Needs the network; compute nodes often have none."""

    def examples(self) -> Examples:
        """Read the whole set, in the order of its file.

        Raises:
            InputError: for a missing, empty, ragged or otherwise unfit file; names file and line.
        """
        raise NotImplementedError
