"""Thresholds: the margin that a draft must be above, of each stage under each mask; they only rise.

Every part says which thresholds were known when it was written. Nothing that is stored is ever changed: who learns of a
larger error writes a part with a larger threshold, and readers take the largest of all parts. So it does not matter in
which order parts were written, or by how many processes.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import polars as pl

from study.record.cascade.stage import EXACT, STAGE, STAGES, Stage, is_draft

THRESHOLDS = "thresholds"
"""Entry of a part's metadata: JSON, {stage: {mask by key: threshold}}, of the masks that have rows in the part."""


@dataclass(frozen=True)
class Thresholds:
    """The margins that drafts must be above.

    Attributes:
        values: the threshold of each mask (by key) at each stage, in the unit of margins; a stage under a mask that is
            not there has none, and its drafts do not stand.
    """

    values: Mapping[Stage, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if wrong := [value for own in self.values.values() for value in own.values() if not value >= 0]:
            raise ValueError(f"a threshold is {wrong[0]}, and must be 0 or more")
        if EXACT in self.values:
            raise ValueError(f"stage {EXACT} has no thresholds: it is exact")

    def at(self, stage: Stage, mask: str) -> float:
        """The threshold of a stage under a mask; infinite where there is none."""
        return self.values.get(stage, {}).get(mask, math.inf)

    def join(self, other: "Thresholds") -> "Thresholds":
        """The larger of both for each stage and mask."""
        joined: dict[Stage, dict[str, float]] = {}
        for stage in Stage:
            if own := [one.values[stage] for one in (self, other) if stage in one.values]:
                joined[stage] = dict(own[0])
                for mask, value in own[-1].items():
                    joined[stage][mask] = max(value, joined[stage].get(mask, 0.0))
        return Thresholds(joined)

    def of(self, masks: Collection[str]) -> "Thresholds":
        """Those of some masks, by key."""
        wanted = set(masks)
        some = {
            stage: {mask: value for mask, value in own.items() if mask in wanted} for stage, own in self.values.items()
        }
        return Thresholds({stage: own for stage, own in some.items() if own})

    def is_open(self, rows: pl.DataFrame) -> pl.Series:
        """Whether each row leaves its decision open: a draft whose margin is not above its threshold.

        Args:
            rows: columns mask, stage and margin, others do not matter.

        Raises:
            ValueError: for a stage that there is not.
        """
        keyed = rows.select("mask", "margin", checked_stages(rows))
        known = keyed.join(self._frame, on=["mask", STAGE], how="left", maintain_order="left")
        clear = (pl.col("margin") > pl.col("threshold")).fill_null(value=False) & ~pl.col("margin").is_nan()
        return known.select(open=is_draft() & ~clear)["open"]

    @cached_property
    def _frame(self) -> pl.DataFrame:
        """A row for each stage and mask: stage, mask, threshold."""
        rows = [(str(stage), mask, value) for stage, own in self.values.items() for mask, value in own.items()]
        return pl.DataFrame(rows, schema={STAGE: STAGES, "mask": pl.String, "threshold": pl.Float64}, orient="row")

    def to_json(self) -> str:
        """As in the metadata of a part."""
        return json.dumps({str(stage): dict(own) for stage, own in self.values.items()})

    @classmethod
    def from_json(cls, text: str) -> "Thresholds":
        """Inverse of `to_json`.

        Raises:
            ValueError: when it is not of that form.
        """
        try:
            stored = json.loads(text)
            return cls({Stage(name): {str(m): float(x) for m, x in own.items()} for name, own in stored.items()})
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"its thresholds cannot be read: {error}") from error


def checked_stages(rows: pl.DataFrame) -> pl.Series:
    """The stages of rows, as a type whose order is theirs.

    Raises:
        ValueError: for a stage that there is not, and where rows have none.
    """
    if STAGE not in rows.columns:
        raise ValueError(f"some parts have rows without a {STAGE}, others with one: they are of two precisions")
    stages = rows[STAGE].cast(pl.String)
    unknown = sorted(set(stages.unique()) - {str(stage) for stage in Stage}, key=str)
    if unknown:
        raise ValueError(f"rows of stage {unknown[0]}, which is none of {', '.join(Stage)}")
    return stages.cast(STAGES)


def read_thresholds(parts: Iterable[Path]) -> Thresholds:
    """The largest thresholds of these parts; each is read once a process.

    Raises:
        ValueError: when those of a part cannot be read.
        OSError, PolarsError, PanicException: when a part cannot be read.
    """
    found: dict[Stage, dict[str, float]] = {}
    for part in parts:
        status = part.stat()
        for stage, own in _thresholds_of_part(part, status.st_size, status.st_mtime_ns).values.items():
            known = found.setdefault(stage, {})
            for mask, value in own.items():
                known[mask] = max(value, known.get(mask, 0.0))
    return Thresholds(found)


@lru_cache(maxsize=2**14)
def _thresholds_of_part(part: Path, _size: int, _time: int) -> Thresholds:
    return Thresholds.from_json(pl.read_parquet_metadata(part).get(THRESHOLDS, "{}"))
