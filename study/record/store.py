"""The store: rows of one setting, in part files that are either whole or not there.

    results/<model>/<data>/<setting id>/setting.json         what the rows were computed with
                                        examples.parquet     texts, targets, groups and slices of the examples
                                        part-*.parquet       outcome rows, one file a write
                                        <kind>-*.parquet     rows of another kind: see `study.record.tables`
                                        masks-*.parquet      masks that rows point to by number, where they are many

A row is of a mask and an example. Every writer adds files of its own and never touches another's, so any number of
processes may write at once and a killed one loses only what it had not written.
Readers take the union. Where two parts hold the same row they must *agree*, by the rule of their table; where they do
so because the outcome was close, it is a close call: counted, and the first part by file name stands. Rows of a cascade
say at which stage they were computed: an exact one takes the place of drafts, see `study.record.cascade.merging`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from study.record.cascade.merging import latest, standing_drafts
from study.record.cascade.stage import is_draft, is_staged
from study.record.cascade.thresholds import THRESHOLDS, Thresholds, read_thresholds
from study.record.examples import Examples
from study.record.files import short_hash, whole_file
from study.record.metrics import metric
from study.record.packed.mask_table import MaskTableError
from study.record.packed.packed_rows import MANY, is_packed, pack, unpack
from study.record.parts import UNREADABLE, StoreError, refuse, refused, require_whole, unreadable, write_part
from study.record.setting import ANEW, TOLERANCE, Setting, is_described, kept_setting, write_setting
from study.record.tables import KEYS, OUTCOMES, Table
from study.record.tables.agreement import FIRST
from study.record.units import HeadLayout

EXAMPLES_FILE = "examples.parquet"

NO_THRESHOLDS = Thresholds()
"""What rows without stages have."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table without doubles, and how many doubles were close calls.

    Attributes:
        rows: columns `mask`, `example` and those of the table.
        close_calls: rows stored more than once that differ where it was close, as by their table's rule.
    """

    rows: pl.DataFrame
    close_calls: int = 0


def read_parts(
    folder: Path,
    table: Table = OUTCOMES,
    *,
    within: float = TOLERANCE,
    layout: HeadLayout | None = None,
    examples: pl.Series | None = None,
    wanted: pl.Expr | None = None,
) -> Rows:
    """All rows of a table in a setting's folder.

    Args:
        folder: the setting's.
        table: which rows.
        within: the tolerance of the setting's outcomes.
        layout: the units of its model, if they are known.
        examples: ids of all examples of the setting, in the order of its file; read there when None.
        wanted: an expression of the column mask, true for the masks to read; all are read when None.

    Raises:
        StoreError: when a part cannot be read or two parts disagree; names the files.
    """
    rows = read_every(folder, table, layout=layout, examples=examples, wanted=wanted)
    return merge_rows(rows, folder, table, within) if "part" in rows.columns else Rows(rows)


def read_every(
    folder: Path,
    table: Table = OUTCOMES,
    *,
    layout: HeadLayout | None = None,
    examples: pl.Series | None = None,
    wanted: pl.Expr | None = None,
) -> pl.DataFrame:
    """All rows of a table in a setting's folder, doubles too, in the order of their parts, whose names they have.

    Args:
        folder: the setting's.
        table: which rows.
        layout: the units of its model, if they are known.
        examples: ids of all examples of the setting, in the order of its file; read there when None.
        wanted: an expression of the column mask, true for the masks to read; all are read when None.

    Raises:
        StoreError: when a part cannot be read; names the files.
    """
    parts = table.parts(folder)
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys(KEYS, pl.String))
    ids = cache(lambda: read_examples(folder)["example"] if examples is None else examples)
    frames: dict[Path, pl.DataFrame] = {}
    flaws: dict[Path, str] = {}
    for part in parts:
        try:
            frames[part] = read_part(part, ids, wanted).with_columns(part=pl.lit(part.name))
        except UNREADABLE as error:
            flaws[part] = unreadable(error)
        except MaskTableError as error:
            flaws[part] = str(error)
    refuse(folder, flaws | _unlike(frames, layout))
    return pl.concat(frames.values(), how="vertical")


def read_part(part: Path, examples: Callable[[], pl.Series], wanted: pl.Expr | None = None) -> pl.DataFrame:
    """The rows of one part of a setting's folder; packed ones as they would be, were they not packed.

    Args:
        part: its file.
        examples: gives the ids of all examples of the setting, in the order of its file.
        wanted: the masks to read, see `read_every`.

    Raises:
        OSError, PolarsError, PanicException, MaskTableError, StoreError: when the part, or what its rows point to,
            cannot be read.
    """
    known = pl.read_parquet_metadata(part)
    rows = pl.read_parquet(part)
    if is_packed(known):
        return unpack(rows, known, examples(), part.parent, wanted)
    return rows if wanted is None else rows.filter(wanted)


def _unlike(frames: Mapping[Path, pl.DataFrame], layout: HeadLayout | None) -> dict[Path, str]:
    """What is wrong with the parts that have other columns than most, or masks of other heads."""
    schemas = {part: str(frame.schema) for part, frame in frames.items()}
    usual = Counter(schemas.values()).most_common(1)
    like = next((part.name for part, schema in schemas.items() if schema == usual[0][0]), "")
    flaws = {part: f"its columns are not those of {like}" for part, schema in schemas.items() if schema != usual[0][0]}
    for part, frame in frames.items():
        if layout and part not in flaws and not frame["mask"].str.len_bytes().is_in(layout.key_lengths).all():
            flaws[part] = f"it has masks of a model that has not {len(layout)} heads"
    return flaws


def merge_rows(rows: pl.DataFrame, folder: Path, table: Table, within: float) -> Rows:
    """One row for each mask and example; the first by file name, once the others are seen to agree with it.

    Of rows with stages exact ones take the place of drafts, and drafts that do not stand are left out.
    """
    return _merge_staged(rows, folder, table) if is_staged(rows) else _merge(rows, folder, table, within)


def _merge_staged(rows: pl.DataFrame, folder: Path, table: Table) -> Rows:
    """As `merge_rows`, by the rule of `study.record.cascade.merging`; exact rows agree as those of float32 do."""
    try:
        thresholds = read_thresholds(table.parts(folder))
        rows = latest(rows)
    except ValueError as error:
        raise StoreError(f"{folder}: {error}") from error
    exact = _merge(rows.filter(~is_draft()), folder, table, TOLERANCE)
    drafts = standing_drafts(rows.filter(is_draft()), thresholds).drop("part")
    return Rows(pl.concat([exact.rows, drafts]), exact.close_calls)


def _fallen(rows: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """The drafts that do not stand, the first of the latest stage of each mask and example; none without stages."""
    if not is_staged(rows):
        return rows.clear()
    drafts = rows.filter(is_draft()).join(standing.filter(is_draft()), on=list(KEYS), how="anti", maintain_order="left")
    return latest(drafts).unique(subset=KEYS, keep="first", maintain_order=True).drop("part")


def _merge(rows: pl.DataFrame, folder: Path, table: Table, within: float) -> Rows:
    doubled = rows.select(KEYS).is_duplicated()
    first = rows.unique(subset=KEYS, keep="first", maintain_order=True)
    if not doubled.any():
        return Rows(first.drop("part"))
    pairs = rows.filter(doubled).join(first, on=list(KEYS), suffix=FIRST)
    pairs = pairs.filter(pl.col("part") != pl.col(f"part{FIRST}"))
    contradict, close = table.compare(rows.drop(*KEYS, "part").schema, table.tolerance(within))
    wrong = pairs.filter(contradict)
    if wrong.height:
        row = wrong.row(0, named=True)
        raise StoreError(
            f"{folder}: {row['part']} and {row['part_first']} disagree on {wrong.height} rows, the first is example "
            f"'{row['example']}' under mask {row['mask']}. One of them was computed with something else: delete it"
        )
    close_calls = pairs.filter(close).unique(subset=KEYS).height
    return Rows(first.drop("part"), close_calls)


def write_examples(frame: pl.DataFrame, folder: Path) -> None:
    """Write the examples of a setting, with a digest of all that they are."""
    with whole_file(folder / EXAMPLES_FILE) as draft:
        frame.write_parquet(draft, metadata={"digest": _digest(frame), "setting": folder.name})


def read_examples(folder: Path) -> pl.DataFrame:
    """The examples of a setting.

    Raises:
        StoreError: when the file is not there, not whole, or of another setting.
    """
    path = folder / EXAMPLES_FILE
    try:
        known, frame = pl.read_parquet_metadata(path), pl.read_parquet(path)
    except UNREADABLE as error:
        raise StoreError(f"{path}: {unreadable(error)}; {ANEW}") from error
    if known.get("setting", folder.name) != folder.name:
        raise StoreError(f"{path} belongs to setting {known['setting']}; {ANEW}")
    if "digest" in known and known["digest"] != _digest(frame):
        raise StoreError(f"{path} was changed, it is not what its digest says; {ANEW}")
    return frame


def _digest(frame: pl.DataFrame) -> str:
    return short_hash(frame.to_dict(as_series=False))


class Store:
    """Reads and writes the outcomes of one setting; its folder is made with the first rows."""

    def __init__(self, results: Path, setting: Setting, layout: HeadLayout, examples: Examples) -> None:
        """Look at the setting's folder; nothing is written.

        Raises:
            SettingError: when the folder holds another setting; says where they differ.
            StoreError: when parts of it cannot be used; names all of them.
        """
        self.folder = setting.folder(results)
        self.layout = layout
        self._setting = setting.with_layout(layout)
        self._examples = examples.to_frame()
        self._scored = metric(setting.metric).columns
        self._read: dict[Table, tuple[list[Path], Rows, pl.DataFrame]] = {}
        self._some: tuple[Table, tuple[str, ...], list[Path], pl.DataFrame] | None = None
        kept_setting(self._setting, self.folder)
        require_whole(self.folder, setting.id, self._scored)

    @property
    def described(self) -> bool:
        """Whether the setting and the examples stand beside the rows as they should."""
        return is_described(self._setting, self.folder) and self._are_examples_kept()

    def describe(self) -> None:
        """Write the setting and the examples where they are not, or not whole; examples also when grouped anew.

        Raises:
            SettingError: when the folder has come to hold another setting.
            WriteError: when the folder cannot be written.
        """
        if not self._are_examples_kept():
            write_examples(self._examples, self.folder)
        write_setting(self._setting, self.folder)

    def _are_examples_kept(self) -> bool:
        try:
            return read_examples(self.folder).equals(self._examples)
        except StoreError:
            return False

    def read(self, table: Table = OUTCOMES) -> Rows:
        """Every row stored so far, by this process or another; read again only when there are new parts."""
        return self._both(table)[0]

    def drafts(self) -> pl.DataFrame:
        """The draft of each mask and example at the latest stage that has one, whether it stands or not.

        Exact rows may have taken its place, and its margin may be below a threshold: `read` has what stands.
        """
        merged, fallen = self._both(OUTCOMES)
        if not is_staged(merged.rows):
            return merged.rows.clear()
        return pl.concat([merged.rows.filter(is_draft()), fallen])

    def _both(self, table: Table) -> tuple[Rows, pl.DataFrame]:
        """What stands of a table, and the drafts that do not."""
        parts = table.parts(self.folder)
        if table not in self._read or self._read[table][0] != parts:
            every = read_every(self.folder, table, layout=self.layout, examples=self._examples["example"])
            within = self._setting.tolerance
            merged = merge_rows(every, self.folder, table, within) if "part" in every.columns else Rows(every)
            self._read[table] = parts, merged, _fallen(every, merged.rows)
        return self._read[table][1:]

    def read_masks(self, masks: Sequence[str], table: Table = OUTCOMES) -> pl.DataFrame:
        """The rows of some masks, by key; those of others are not kept. The last ones asked for are at hand."""
        parts, asked = table.parts(self.folder), tuple(masks)
        if table in self._read and self._read[table][0] == parts:
            return self._read[table][1].rows.filter(pl.col("mask").is_in(masks))
        if self._some is None or self._some[:3] != (table, asked, parts):
            within, ids = self._setting.tolerance, self._examples["example"]
            wanted = pl.col("mask").is_in(list(asked))
            found = read_parts(self.folder, table, within=within, layout=self.layout, examples=ids, wanted=wanted)
            self._some = table, asked, parts, found.rows
        return self._some[3]

    @property
    def columns(self) -> list[str]:
        """The columns of the outcomes that are stored; none where none is.

        Raises:
            StoreError: when the first part cannot be read.
        """
        if not (parts := OUTCOMES.parts(self.folder)):
            return []
        try:
            return list(pl.read_parquet_schema(parts[0]))
        except UNREADABLE as error:
            raise refused(self.folder, {parts[0]: unreadable(error)}) from error

    @property
    def examples(self) -> pl.DataFrame:
        """All examples of the setting, in the order of its file."""
        return self._examples

    @property
    def thresholds(self) -> Thresholds:
        """The largest thresholds that any part knows, by this process or another; none where rows have no stages.

        Raises:
            StoreError: when those of a part cannot be read.
        """
        try:
            return read_thresholds(OUTCOMES.parts(self.folder))
        except (*UNREADABLE, ValueError) as error:
            raise StoreError(f"{self.folder}: {error}") from error

    def write(
        self,
        rows: pl.DataFrame,
        provenance: dict[str, Any],
        table: Table = OUTCOMES,
        together: Sequence[str] = (),
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> Path:
        """Add rows of a table as a part of their own; provenance (device, versions ...) does not determine them.

        Args:
            rows: the rows.
            provenance: what should be known of them.
            table: what they are.
            together: the masks that are computed in one go, by key; rows of very many are packed.
            thresholds: the margins that drafts must be above, of any masks, where rows have stages.

        Raises:
            WriteError: when there is no room; what was stored before is kept.
        """
        missing = set(table.columns(self._scored)) - set(rows.columns)
        assert not missing, f"rows without {missing}"
        self.describe()
        told = {THRESHOLDS: thresholds.of(rows["mask"].unique()).to_json()} if is_staged(rows) else {}
        if len(together) < MANY:
            return write_part(rows, self.folder, table, self._setting.id, provenance, told)
        packed, known = pack(rows, together, self._examples["example"], self.folder)
        return write_part(packed, self.folder, table, self._setting.id, provenance, {**known, **told})
