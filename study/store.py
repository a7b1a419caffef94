"""The store: rows of one setting, in part files that are either whole or not there.

    results/<model>/<data>/<setting id>/setting.json         what the rows were computed with
                                        examples.parquet     texts, targets, groups and slices of the examples
                                        part-*.parquet       outcome rows, one file a write
                                        gradients-*.parquet  gradient rows, likewise; of another loss than the plain
                                                             one `gradients_label_smoothed_0.1-*.parquet`

An outcome row is (mask, example, integer statistics, margin, other floats, texts), a gradient row (mask, example, loss,
two numbers for each head). Every writer adds files of its own and never touches another's, so any number of processes
may write at once and a killed one loses only what it had not written.
Readers take the union. Where two parts hold the same row they must *agree*: floating point differs between batch
sizes, threads and devices, so integer statistics must be equal only where the margin is above `TOLERANCE`, and
floats within it. Below it is a close call: counted, and the first part by file name stands.
"""

import json
import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from study.data.examples import Examples
from study.errors import StudyError
from study.files import whole_file
from study.heads import HeadLayout
from study.loss import PLAIN, Loss
from study.setting import SETTING_FILE, Setting, SettingError, differences, read_setting
from study.statistics import metric

log = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference of two floats, and smallest margin of a decision, for two computations to agree in float32."""

LOW_PRECISION_TOLERANCE = 0.5
"""Likewise where numbers are bfloat16's, which other processors round at other places."""

KEYS = ("mask", "example")
GRADIENT_COLUMNS = (*KEYS, "loss", "gradient", "token_gradient", "source_tokens", "target_tokens")
EXAMPLES_FILE = "examples.parquet"


@dataclass(frozen=True)
class Table:
    """What is stored of a setting: outcome rows, or gradient rows of one loss, which never meet those of another.

    Attributes:
        name: begins the names of its part files.
        loss: whose gradients they are; None for outcomes.
    """

    name: str
    loss: Loss | None = None

    OUTCOMES: ClassVar["Table"]
    GRADIENTS: ClassVar["Table"]
    """Of the plain loss."""

    @classmethod
    def gradients(cls, loss: Loss) -> "Table":
        """Gradient rows of a loss."""
        return cls("gradients" if loss == PLAIN else f"gradients_{loss}", loss)

    def __str__(self) -> str:
        """For people."""
        return "outcomes" if self.loss is None else "gradients"

    def parts(self, folder: Path) -> list[Path]:
        """Its part files, in the order of their names, which is that of time."""
        return sorted(folder.glob(f"{self.name}-*.parquet"))


Table.OUTCOMES, Table.GRADIENTS = Table("part"), Table.gradients(PLAIN)


def stored_losses(folder: Path) -> list[Loss]:
    """The losses whose gradients a setting's folder has, by name."""
    names = {path.name.rsplit("-", 2)[0] for path in folder.glob("gradients*.parquet")}
    return sorted((Loss.parse(name.removeprefix("gradients_")) if "_" in name else PLAIN for name in names), key=str)


def every_part(folder: Path) -> list[Path]:
    """The part files of every table of a setting, in the order in which they were written."""
    return sorted(folder.glob("*-*-*.parquet"), key=lambda part: part.name.rsplit("-", 2)[1:])


class StoreError(StudyError):
    """Stored outcomes contradict each other or cannot be read or written."""


@dataclass(frozen=True)
class Outcomes:
    """Outcome rows without doubles, and how many doubles were close calls.

    Attributes:
        rows: columns `mask`, `example`, the metric's statistics, `margin` and what else the task stores.
        close_calls: rows stored more than once whose integer statistics differ, all with a margin below `TOLERANCE`.
    """

    rows: pl.DataFrame
    close_calls: int = 0


def tolerance(precision: str) -> float:
    """Within what two computations of this precision agree."""
    return TOLERANCE if precision == "float32" else LOW_PRECISION_TOLERANCE


def read_parts(folder: Path, table: Table = Table.OUTCOMES, *, within: float = TOLERANCE) -> Outcomes:
    """All rows of a table in a setting folder.

    Args:
        folder: of the setting.
        table: which rows.
        within: the setting's `tolerance`.

    Raises:
        StoreError: when a part cannot be read or two parts disagree; names the files.
    """
    parts = table.parts(folder)
    if not parts:
        return Outcomes(pl.DataFrame(schema=dict.fromkeys(KEYS, pl.String)))
    frames = []
    for part in parts:
        try:
            frames.append(pl.read_parquet(part).with_columns(part=pl.lit(part.name)))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise StoreError(f"cannot read {part}: {error}. Delete it to compute its rows again") from error
    try:
        rows = pl.concat(frames, how="vertical")
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{folder}: parts with different columns: {error}. Delete those that do not fit") from error
    return _merge(rows, folder, within)


def _merge(rows: pl.DataFrame, folder: Path, within: float) -> Outcomes:
    """One row for each mask and example; the first by file name, once the others are seen to agree with it."""
    doubled = rows.select(KEYS).is_duplicated()
    first = rows.unique(subset=KEYS, keep="first", maintain_order=True)
    if not doubled.any():
        return Outcomes(first.drop("part"))
    pairs = rows.filter(doubled).join(first, on=list(KEYS), suffix="_first")
    pairs = pairs.filter(pl.col("part") != pl.col("part_first"))
    values = {name: dtype for name, dtype in rows.schema.items() if name not in (*KEYS, "part")}
    integers = [name for name, dtype in values.items() if dtype.is_integer()]
    floats = [name for name, dtype in values.items() if dtype.is_float()]
    differs = pl.any_horizontal(pl.lit(False), *(pl.col(name) != pl.col(f"{name}_first") for name in integers))
    arrays = [name for name, dtype in values.items() if isinstance(dtype, pl.Array)]
    apart = pl.any_horizontal(
        *(_apart(pl.col(name), pl.col(f"{name}_first"), within) for name in floats),
        *(_arrays_apart(pl.col(name), pl.col(f"{name}_first"), within) for name in arrays),
    )
    close = pl.min_horizontal("margin", "margin_first") <= within if "margin" in values else pl.lit(False)
    wrong = pairs.filter((differs | apart) & ~close)
    if wrong.height:
        row = wrong.row(0, named=True)
        raise StoreError(
            f"{folder}: {row['part']} and {row['part_first']} disagree on {wrong.height} rows, the first is example "
            f"'{row['example']}' under mask {row['mask']}. One of them was computed with something else: delete it"
        )
    close_calls = pairs.filter(differs & close).unique(subset=KEYS).height
    return Outcomes(first.drop("part"), close_calls)


def _apart(a: pl.Expr, b: pl.Expr, within: float) -> pl.Expr:
    """Further than the tolerance; a margin may be infinite, and equal infinities are not apart."""
    return (a != b) & ~((a - b).abs() <= within)


def _arrays_apart(a: pl.Expr, b: pl.Expr, within: float) -> pl.Expr:
    """Further than the tolerance in any number, as a share of the row's largest where that is above one."""
    largest = [x.arr.eval(pl.element().abs()).arr.max() for x in (a, b, a - b)]
    return largest[2] > within * pl.max_horizontal(largest[0], largest[1], 1.0)


class Store:
    """Reads and writes the outcomes of one setting."""

    def __init__(self, results: Path, setting: Setting, layout: HeadLayout, examples: Examples) -> None:
        """Open the setting's folder; make it when it is new.

        Raises:
            SettingError: when the folder holds another setting; says where they differ.
            StoreError: when the folder cannot be written.
        """
        self.folder = setting.folder(results)
        self.layout = layout
        expected = setting.to_json(layout)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._keep_examples(examples.to_frame())
            if not (self.folder / SETTING_FILE).exists():
                with whole_file(self.folder / SETTING_FILE) as draft:
                    draft.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise StoreError(f"cannot write to {self.folder}: {error.strerror or error}") from error
        unlike = differences(expected, read_setting(self.folder))
        if unlike:
            raise SettingError("\n  ".join([f"{self.folder} holds another setting:", *unlike]))
        self._within = tolerance(str(setting.subject.get("precision", "float32")))
        self._read: dict[Table, tuple[list[Path], Outcomes]] = {}
        self._columns = (*KEYS, *metric(setting.metric).statistics, "margin")

    def _keep_examples(self, frame: pl.DataFrame) -> None:
        """Write the examples; again when what groups or slices them was configured anew."""
        path = self.folder / EXAMPLES_FILE
        if not path.exists() or not pl.read_parquet(path).equals(frame):
            with whole_file(path) as draft:
                frame.write_parquet(draft)

    def read(self, table: Table = Table.OUTCOMES) -> Outcomes:
        """Every row stored so far, by this process or another; read again only when there are new parts."""
        parts = table.parts(self.folder)
        if table not in self._read or self._read[table][0] != parts:
            within = self._within if table.loss is None else TOLERANCE  # gradients are always float32's
            self._read[table] = parts, read_parts(self.folder, table, within=within)
        return self._read[table][1]

    def write(self, rows: pl.DataFrame, provenance: dict[str, Any], table: Table = Table.OUTCOMES) -> Path:
        """Add rows as a part of their own.

        Args:
            rows: columns `mask`, `example` and those of the table, and others.
            provenance: what does not determine the rows but should be known of them (device, versions ...).
            table: which rows they are.
        """
        missing = set(self._columns if table.loss is None else GRADIENT_COLUMNS) - set(rows.columns)
        assert not missing, f"rows without {missing}"
        stamp = datetime.now(UTC)
        path = self.folder / f"{table.name}-{stamp:%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:12]}.parquet"
        known = {"provenance": json.dumps({"written": stamp.isoformat(timespec="seconds"), **provenance})}
        try:
            with whole_file(path) as draft:
                rows.write_parquet(draft, metadata=known)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
        return path


def read_provenance(part: Path) -> dict[str, Any]:
    """What stands with a part: when it was written, on which device, by which versions."""
    return json.loads(pl.read_parquet_metadata(part)["provenance"])
