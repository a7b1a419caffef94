"""Groups of examples, and sums over them: what every resample, jackknife and interval is made of."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int, Num
from scipy import sparse

GROUP = "_group"
"""The column that has the number of a row's group."""


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of some examples.

    Attributes:
        names: the distinct groups, in the order in which examples first have them.
        numbers: the number of each example's group, in the order of the examples.
        examples: ids of the examples.
    """

    names: pl.Series
    numbers: Int[np.ndarray, " examples"]
    examples: pl.Series

    @classmethod
    def of(cls, examples: pl.DataFrame, column: str) -> "Groups":
        """The groups of examples that are alike in a column."""
        names = examples[column].unique(maintain_order=True)
        numbers = examples[column].replace_strict(names, pl.Series(np.arange(names.len()))).to_numpy()
        return cls(names, numbers, examples["example"])

    def __len__(self) -> int:
        """Number of groups."""
        return self.names.len()

    @property
    def sizes(self) -> Int[np.ndarray, " groups"]:
        """Number of examples of each group."""
        return np.bincount(self.numbers, minlength=len(self))

    def place(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of these examples, in their order, with the number of their group in the column `GROUP`."""
        own = pl.DataFrame({"example": self.examples, GROUP: self.numbers})
        return own.join(rows, on="example", maintain_order="left_right").select(*rows.columns, GROUP)


def group_sums(
    values: Num[np.ndarray, "rows *each"], group: Int[np.ndarray, " rows"], groups: int
) -> Num[np.ndarray, "groups *each"]:
    """The sum of the rows of each group, 0 of a group without any; sums of integers are integers, and exact."""
    ones = np.ones(len(values), dtype=values.dtype)
    matrix = sparse.csr_array((ones, (group, np.arange(len(values)))), shape=(groups, len(values)))
    flat = np.asarray(matrix @ values.reshape(len(values), -1))
    return flat.reshape(groups, *values.shape[1:])
