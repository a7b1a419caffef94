"""Rows of very many masks: written packed, and summed while they are read, against rows that are all read first."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from benchmarks.measure import Measurement, Way, clocked, in_turns, processor_seconds
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.record.examples import Examples
from study.record.metrics import Accuracy
from study.record.reading.ledger import Ledger
from study.record.reading.mask_sums import read_sums
from study.record.scores import mask_scores
from study.record.setting import Setting
from study.record.store import Store
from study.record.units import AttentionKind, HeadLayout

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (12,) * 12})
EXAMPLES, PARTS = 200, 10


def many_masks(sizes: Sizes) -> Iterator[Row]:
    """Accuracies of masks from parts of a classifier's outcomes; processor seconds."""
    ids = tuple(map(str, range(EXAMPLES)))
    examples = Examples(ids, tuple((name,) for name in ids), ("yes",) * EXAMPLES)
    masks = np.random.default_rng(0).random((sizes.packed_masks, len(LAYOUT))) < 0.5
    keys = [LAYOUT.key(mask) for mask in masks]
    with TemporaryDirectory() as plain, TemporaryDirectory() as packed:
        for folder, together in ((plain, []), (packed, keys)):
            for rows in _parts(keys, np.array(ids)):
                _opened(folder, examples).write(rows, {}, together=together)
        bytes_plain, bytes_packed = (sum(f.stat().st_size for f in Path(x).rglob("*.parquet")) for x in (plain, packed))
        counted = _timed(
            sizes,
            ours=lambda: _missing(_opened(packed, examples), keys, ids),
            theirs=lambda: _missing_rows(_opened(packed, examples), keys),
        )
        timed = _timed(
            sizes,
            ours=lambda: read_sums(_opened(packed, examples).folder, Accuracy()),
            theirs=lambda: mask_scores(_opened(plain, examples).read().rows, Accuracy()),
        )
    number = len(keys) * EXAMPLES
    yield Row(
        part="sets",
        work=f"what is left of a job of {len(keys):,} masks × {EXAMPLES} examples, all stored, by a ledger of bits",
        against="all rows of the same parts read, then counted",
        ours=counted["ours"].seconds,
        theirs=counted["theirs"].seconds,
        target=8,
        memory=counted["ours"].memory,
        note=f"{PARTS} packed parts; processor seconds; all rows took {counted['theirs'].memory / 1e9:.2f} GB",
    )
    yield Row(
        part="sets",
        work=f"scores of {len(keys):,} masks × {EXAMPLES} examples from packed parts, summed while they are read",
        against="all rows of plain parts read, then summed",
        ours=timed["ours"].seconds,
        theirs=timed["theirs"].seconds,
        target=5,
        memory=timed["ours"].memory,
        note=f"{PARTS} parts, {bytes_packed / number:.1f} bytes a row (plain: {bytes_plain / number:.1f}); processor "
        f"seconds; plain took {timed['theirs'].memory / 1e9:.2f} GB",
    )


def _missing(store: Store, keys: list[str], ids: tuple[str, ...]) -> int:
    """How many masks lack rows."""
    ledger = Ledger(store.folder, ids, LAYOUT, pl.Series(ids))
    ledger.update()
    return sum(1 for _ in ledger.lacking(keys, ids))


def _missing_rows(store: Store, keys: list[str]) -> int:
    """As `_missing`, from all rows."""
    counts = dict(store.read().rows.group_by("mask").len().iter_rows())
    return sum(counts.get(key, 0) < EXAMPLES for key in keys)


def _timed(sizes: Sizes, **works: Callable[[], object]) -> dict[str, Measurement]:
    """Works in turns, processor seconds."""
    ways = {name: Way([clocked(work, processor_seconds)] * sizes.repeats) for name, work in works.items()}
    return in_turns(ways, sizes.repeats)


def _opened(folder: str, examples: Examples) -> Store:
    setting = Setting("m", "d", "accuracy", {"labels": ["no", "yes"]}, {"digest": examples.digest}, "accuracy|percent")
    return Store(Path(folder), setting, LAYOUT, examples)


def _parts(keys: list[str], ids: np.ndarray) -> Iterator[pl.DataFrame]:
    """Outcomes of all masks on some of the examples at a time, as an engine gives them."""
    generator = np.random.default_rng(1)
    for some in np.array_split(ids, PARTS):
        number = len(some) * len(keys)
        yield pl.DataFrame(
            {
                "mask": np.tile(np.array(keys), len(some)),
                "example": np.repeat(some, len(keys)),
                "correct": generator.integers(0, 2, number),
                "count": np.ones(number, dtype=np.int64),
                "prediction": generator.integers(0, 3, number),
                "margin": generator.random(number, dtype=np.float32),
                "loss": generator.random(number, dtype=np.float32),
            }
        )
