"""Open decisions: the pairs of a run that no stage has taken yet, and how many each stage has taken."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from study.engine.blocks import BlockResult, Columns
from study.engine.pairs import Pairs
from study.record.cascade import Stage
from study.record.cascade.stage import STAGE


class OpenDecisions:
    """The pairs that are still to be decided.

    Attributes:
        masks: boolean rows.
        keys: the masks by key.
        open: which masks on which examples.
        taken: how many decisions each stage has taken.
    """

    def __init__(self, pairs: Pairs, keys: Sequence[str]) -> None:
        self.masks, self.keys = pairs.masks, np.array(keys)
        self.open = pairs.wanted.copy()
        self.taken = Counter[Stage]()

    @property
    def is_masked(self) -> Bool[np.ndarray, " M"]:
        """The masks under which some unit is off."""
        return np.asarray((~self.masks).any(axis=1))

    def under(self, masks: Bool[np.ndarray, " M"]) -> Pairs:
        """What is open under some masks."""
        return Pairs(self.masks, self.open & masks[:, None])

    def take(
        self, stage: Stage, masks: Int[np.ndarray, " P"], examples: Int[np.ndarray, " P"], columns: Columns
    ) -> Iterator[BlockResult]:
        """The rows of a stage, of what was open; it is no longer."""
        own = self.open[masks, examples]
        if not own.any():
            return
        masks, examples = masks[own], examples[own]
        self.open[masks, examples] = False
        self.taken[stage] += len(masks)
        rows = chosen(columns, own)
        yield BlockResult(masks, examples, {**rows, STAGE: pl.repeat(str(stage), len(masks), eager=True)})


def chosen(columns: Columns, rows: Bool[np.ndarray, " P"]) -> Columns:
    """Some rows of columns."""
    return {name: own.filter(rows) if isinstance(own, pl.Series) else own[rows] for name, own in columns.items()}
