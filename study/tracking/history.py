"""History: how the outcomes of a run came to be, a point for each part that it has stored.

It is read from the parts, never from memory: while a job runs, after it was killed, or a year later on another machine
the same parts give the same points, so that a history has no gaps and no doubles.
"""

from dataclasses import dataclass
from pathlib import Path

from study.store import every_part, read_provenance

RUN = "run"
"""Entry of a part's provenance: the id of the run that wrote it."""


@dataclass(frozen=True)
class Point:
    """What a run had stored once it had written a part.

    Attributes:
        step: rows so far: the x axis of every chart.
        masks: so many masks' worth of rows: rows / examples.
        rows_per_second: of this part.
        seconds: of computing, so far.
    """

    step: int
    masks: float
    rows_per_second: float
    seconds: float

    @property
    def values(self) -> dict[str, float | int]:
        """What is logged at this step."""
        known = {"rows": self.step, "masks": self.masks}
        known |= {"rows_per_second": self.rows_per_second, "seconds": self.seconds}
        return {f"progress/{name}": value for name, value in known.items()}


class History:
    """The points of one run; each is given once, those of new parts when asked again."""

    def __init__(self, folder: Path, run: str, examples: int) -> None:
        """Begin before the first point.

        Args:
            folder: of the setting.
            run: id of the run.
            examples: that it evaluates under each mask.
        """
        self._folder = folder
        self._run = run
        self._examples = examples
        self._seen: set[Path] = set()
        self._rows = 0
        self._seconds = 0.0

    def fresh(self) -> list[Point]:
        """The points not given yet, in the order in which their parts were written."""
        parts = [part for part in every_part(self._folder) if part not in self._seen]
        self._seen.update(parts)
        return [point for part in parts if (point := self._point(part)) is not None]

    def _point(self, part: Path) -> Point | None:
        known = read_provenance(part)
        if known.get(RUN) != self._run:
            return None
        self._rows += known["rows"]
        self._seconds += known["seconds"]
        return Point(
            step=self._rows,
            masks=self._rows / self._examples,
            rows_per_second=known["rows"] / max(known["seconds"], 1e-3),
            seconds=round(self._seconds, 3),
        )
