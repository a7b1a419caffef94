"""History: the course of a run as points, read from what it has stored, never from memory.

While a job runs, after it was killed, or a year later on another machine, the same files give the same points, so that
a history has no gaps and no doubles. A job that measures has a point for each part, a training one for each record.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from study.record.errors import InputError
from study.record.files import read_sealed, write_sealed
from study.record.parts import every_part, read_provenance
from study.record.training.gates import COURSE_FILE, GATES_FILE, read_course, read_gates, write_course, write_gates
from study.record.training.history import Record, read_history, write_history

RUN = "run"
"""Entry of a part's provenance: the id of the run that wrote it."""

AXES = {"progress": "progress/rows", "training": "training/step"}
"""The x axis of the charts of each kind of point: the value that is its step."""


@dataclass(frozen=True)
class Point:
    """What is known of a run at a step.

    Attributes:
        step: place on its axis, rows stored or updates of the weights; rises from point to point.
        values: what is logged, by name: `progress/masks`, `training/loss` ...
    """

    step: int
    values: Mapping[str, float | int]


@runtime_checkable
class History(Protocol):
    """The points of one run."""

    def fresh(self) -> list[Point]:
        """Points not given yet, in order."""
        ...

    def summary(self) -> dict[str, Any]:
        """What the points given so far come to; nothing where there are none."""
        ...


@dataclass
class OutcomesHistory:
    """The points of a job that measures: rows and masks stored, seconds of computing, and how fast it went.

    `progress/masks` is so many masks' worth of rows; `progress/rows_per_second` is of one part.

    Attributes:
        folder: folder of the setting.
        run: id of the run.
        examples: number of examples that it evaluates under each mask.
    """

    folder: Path
    run: str
    examples: int
    _seen: set[Path] = field(default_factory=set, init=False)
    _rows: int = field(default=0, init=False)
    _seconds: float = field(default=0.0, init=False)

    def fresh(self) -> list[Point]:
        """Points of new parts, in the order in which they were written."""
        parts = [part for part in every_part(self.folder) if part not in self._seen]
        self._seen.update(parts)
        return [point for part in parts if (point := self._point(part)) is not None]

    def _point(self, part: Path) -> Point | None:
        known = read_provenance(part)
        if known.get(RUN) != self.run:
            return None
        self._rows += known["rows"]
        self._seconds += known["seconds"]
        values = {
            "rows": self._rows,
            "masks": self._rows / self.examples,
            "rows_per_second": known["rows"] / max(known["seconds"], 1e-3),
            "seconds": round(self._seconds, 3),
        }
        return Point(self._rows, {f"progress/{name}": value for name, value in values.items()})

    def summary(self) -> dict[str, Any]:
        """How much was computed and how fast: rows, seconds, rows a second."""
        if not self._rows:
            return {}
        seconds = round(self._seconds, 3)
        return {"rows": self._rows, "seconds": seconds, "rows_per_second": self._rows / max(seconds, 1e-3)}


@dataclass
class TrainingHistory:
    """The points of a training: the records of its `history.jsonl`, see `study.record.training.history`.

    A training that was killed goes back to its last state and makes the records since then again, with the same
    numbers; they are given once.

    Attributes:
        kept: folder that has a copy of the history, beside the run.
        training: folder of the training, from which the copy is made; None where it may be elsewhere.
        gates: where what has become of its gates at its end is, or will be; it is copied with their course.
        records: where other sealed records are, or will be, that are copied too, by the name of their copy.
    """

    kept: Path
    training: Path | None = None
    gates: Path | None = None
    records: Mapping[str, Path] = field(default_factory=dict)
    _last: Record | None = field(default=None, init=False)

    def fresh(self) -> list[Point]:
        """Points of new records, by step; the history they are made of is copied first."""
        if new := [record for record in self._records() if self._last is None or record.step > self._last.step]:
            self._last = new[-1]
        return [Point(record.step, _known(record, "training/")) for record in new]

    def _records(self) -> list[Record]:
        if self.training is None:
            return read_history(self.kept)
        records = read_history(self.training)
        is_new = bool(records) and records != self._copied()
        if is_new:
            write_history(self.kept, records)
        self._copy_beside(self.training, is_new=is_new)
        return records

    def _copy_beside(self, training: Path, *, is_new: bool) -> None:
        """Copy the course of gates with each new history or where it is missing, and what is there at the end."""
        is_wanted = is_new or not (self.kept / COURSE_FILE).is_file()
        if course := read_course(training) if is_wanted else []:
            write_course(self.kept, course)
        if self.gates and self.gates.is_file():
            write_gates(read_gates(self.gates), self.kept / GATES_FILE)
        for name, file in self.records.items():
            if file.is_file():
                write_sealed(self.kept / name, read_sealed(file))

    def _copied(self) -> list[Record]:
        """The copy as it is; none where it is not whole, so that it is made anew."""
        try:
            return read_history(self.kept)
        except InputError:
            return []

    def summary(self) -> dict[str, Any]:
        """The last record."""
        return {} if self._last is None else _known(self._last)


def _known(record: Record, prefix: str = "") -> dict[str, float | int]:
    return {f"{prefix}{name}": value for name, value in asdict(record).items() if value is not None}
