"""The store: writing and reading many outcomes, against the time to compute them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from benchmarks.engine.sweeps import single_heads_off
from benchmarks.measure import in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.engine.evaluator import SECONDS_BETWEEN_PARTS
from study.record.examples import Examples
from study.record.metrics import Bleu
from study.record.setting import Setting
from study.record.store import Store
from study.record.units import AttentionKind, HeadLayout

WORDS = 22
"""Words of a hypothesis."""

VOCABULARY = 20_000
CHANGED = 0.3
"""Share of the hypotheses that a mask changes."""

PAIRS_A_SECOND = 500
"""At which a small model translates; a larger one is slower, so its store counts for less."""

LAYOUT = HeadLayout(dict.fromkeys(AttentionKind, (16,) * 6))


def store(sizes: Sizes) -> Iterator[Row]:
    """BLEU outcomes with their hypotheses, in as many parts as a job of that length writes."""
    masks = single_heads_off(LAYOUT)[1 : sizes.stored_masks + 1]
    texts = _texts(sizes.stored_sentences)
    examples = Examples(tuple(map(str, range(len(texts)))), tuple((text,) for text in texts), tuple(texts))
    rows = _rows([LAYOUT.key(mask) for mask in masks], examples)
    seconds = rows.height / PAIRS_A_SECOND
    parts = max(1, round(seconds / SECONDS_BETWEEN_PARTS))
    with TemporaryDirectory() as folder:
        write = repeated(lambda: _write(_opened(Path(folder), examples), rows, parts), 1)
        read = repeated(lambda: _opened(Path(folder), examples).read(), sizes.repeats)
        written = in_turns({"write": write}, 1)["write"]
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
        found = in_turns({"read": read}, sizes.repeats)["read"]
    yield Row(
        part="store",
        work=f"{len(masks)} masks × {len(texts):,} sentences, written ({written.seconds:.2g} s) and read "
        f"({found.seconds:.2g} s)",
        against=f"computing them at {PAIRS_A_SECOND} translations a second (stated, not measured)",
        ours=written.seconds + found.seconds,
        theirs=seconds,
        target=100,
        memory=found.memory,
        note=f"{parts} parts, {size / 1e6:.0f} MB, {size / rows.height:.0f} bytes a row",
    )


def _opened(folder: Path, examples: Examples) -> Store:
    setting = Setting("wmt", "news", "bleu", {}, {"digest": examples.digest}, Bleu().signature)
    return Store(folder, setting, LAYOUT, examples)


def _write(store: Store, rows: pl.DataFrame, parts: int) -> None:
    size = -(-rows.height // parts)
    for part in rows.iter_slices(size):
        store.write(part, {"seconds": SECONDS_BETWEEN_PARTS})


def _texts(number: int) -> list[str]:
    """Sentences of made words, some frequent and most rare, as words are."""
    generator = np.random.default_rng(0)
    letters = generator.choice(list("abcdefghijklmnopqrstuvwxyz"), (VOCABULARY, 6))
    vocabulary = np.array(["".join(word[: 2 + i % 5]) for i, word in enumerate(letters)])
    chosen = np.minimum(generator.zipf(1.3, (number, WORDS)) - 1, VOCABULARY - 1)
    return [" ".join(words) for words in vocabulary[chosen]]


def _rows(keys: list[str], examples: Examples) -> pl.DataFrame:
    """Outcome rows as a beam search gives them; a mask changes some hypotheses and all floats a little."""
    generator = np.random.default_rng(0)
    texts = np.array(examples.targets, dtype=object)
    number = len(keys) * len(texts)
    changed = np.tile(texts, len(keys))
    some = generator.random(number) < CHANGED
    changed[some] = [f"{text} {generator.integers(1000)}" for text in changed[some]]
    statistics = {
        name: WORDS - generator.integers(0, 8, number) * name.startswith("correct") for name in Bleu.statistics
    }
    return pl.DataFrame(
        {
            "mask": np.repeat(np.array(keys, dtype=object), len(texts)),
            "example": np.tile(np.array(examples.ids, dtype=object), len(keys)),
            **statistics,
            "margin": generator.random(number, dtype=np.float32),
            "hypothesis_score": -generator.random(number, dtype=np.float32),
            "hypothesis": changed,
        },
        schema_overrides={"mask": pl.String, "example": pl.String, "hypothesis": pl.String},
    )
