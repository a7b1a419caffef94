"""Every table of a made results folder, held against stored numbers: no refactoring changes one unseen.

`GOLDEN=write pytest tests/golden/test_tables.py` writes the stored tables anew; look at what `git diff` says of them.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from fixtures.results import curve_of, fill
from polars.testing import assert_frame_equal

from analysis import Inference, analyse, read_results
from analysis.effects.head_effects import effects
from analysis.inference import Interval
from analysis.inference.multiplicity import Correction
from analysis.inference.significance import PairedTest
from analysis.report import result_tables
from study.record.factors import Factors
from study.record.store import Store
from study.record.tables import GRADIENTS
from study.record.units import AttentionKind, HeadLayout

STORED = Path(__file__).parent / "tables"
CLASSIFIER = HeadLayout({AttentionKind.ENCODER_SELF: (3, 3)})
TRANSLATOR = HeadLayout(dict.fromkeys(AttentionKind, (2,)))
INFERENCE = Inference(resamples=199)
HARM = np.array([0.3, 0.02, 0.0, 0.12, 0.05, 0.2])


def write_gradients(store: Store, layout: HeadLayout) -> None:
    rng, full = np.random.default_rng(1), layout.key(layout.full())
    examples = store.read().rows.filter(mask=full)["example"]
    gradient = (HARM + rng.normal(0, 0.2, (examples.len(), len(layout)))).astype(np.float32)
    tokens = np.arange(examples.len()) % 5 + 3
    columns = {"gradient": gradient, "token_gradient": np.abs(gradient), "source_tokens": tokens}
    rows = {"mask": [full] * examples.len(), "example": examples, "loss": np.ones(examples.len(), np.float32)}
    store.write(pl.DataFrame({**rows, **columns, "target_tokens": tokens}), {}, GRADIENTS)


def make(results: Path) -> None:
    """Two subjects on several domains, one of them weighted, and three checkpoints; curves, gradients, flips."""
    curves = [curve_of(CLASSIFIER.heads, layout=CLASSIFIER)]
    for seed in (0, 1):
        heads = [CLASSIFIER.heads[i] for i in np.random.default_rng(seed).permutation(len(CLASSIFIER))]
        curves.append(curve_of(heads, order="random", layout=CLASSIFIER, seed=seed))
    made = {"name": "accuracy", "model": "classifier", "layout": CLASSIFIER, "weights": HARM, "genres": 2}
    for seed, (data, count) in enumerate({"home": 66, "away": 60}.items()):
        store = fill(results, data=data, count=count, seed=seed, curves=curves, **made)
    write_gradients(store, CLASSIFIER)
    fill(results, data="sampled", count=48, seed=3, example_weights=(2.5, 0.5, 1.0) * 16, **made)
    for epoch, harm in ((0.5, 3.0), (2, 1.5), (5, 1.0)):
        options = made | {"weights": harm * HARM, "weights_file": f"w{epoch}", "model": f"run-{epoch:g}"}
        place = Factors("run", "home", "float32", 0, float(epoch))
        fill(results, data="home", count=45, seed=5, curves=curves, factors=place, **options)
    made = {"name": "bleu", "model": "translator", "layout": TRANSLATOR, "weights": HARM}
    heads = TRANSLATOR.heads
    curves = [curve_of(heads, layout=TRANSLATOR), curve_of(heads[-2:], layout=TRANSLATOR, kinds=("cross",))]
    for seed, (data, count) in enumerate({"news": 24, "chat": 21}.items()):
        store = fill(results, data=data, count=count, seed=seed, curves=curves, **made)
    write_gradients(store, TRANSLATOR)


def every_table(results: Path) -> dict[str, pl.DataFrame]:
    """By name, all that a report writes, and the effects of one domain by every test, interval and correction."""
    domains = read_results(results)
    away = next(domain for domain in domains.domains if domain.data == "away")
    ways = {"test": PairedTest, "interval": Interval, "correction": Correction}
    options = [replace(INFERENCE, **{name: way}) for name, choices in ways.items() for way in choices]
    by_option = pl.concat([effects(away, option).filter(measure="ablation") for option in options])
    tables = result_tables(analyse(domains, INFERENCE, by="genre", splits=20))
    slices = [name for name in tables if name.startswith("slices_")]
    return {name: tables[name] for name in tables if name not in slices[1:]} | {"effects_by_option": by_option}


def test_no_number_of_any_table_has_changed(tmp_path: Path) -> None:
    make(tmp_path)
    tables = every_table(tmp_path)
    assert [name for name, table in tables.items() if table.is_empty()] == ["differences", "trainings"]
    types = {name: ", ".join(map(str, table.dtypes)) for name, table in tables.items()}
    if os.environ.get("GOLDEN") == "write":
        for old in STORED.glob("*.csv"):
            old.unlink()
        for name, table in tables.items():
            table.write_csv(STORED / f"{name}.csv")
        (STORED / "types.json").write_text(json.dumps(types, indent=1) + "\n")
    assert types == json.loads((STORED / "types.json").read_text())
    assert sorted(tables) == sorted(file.stem for file in STORED.glob("*.csv"))
    for name, table in tables.items():
        stored = pl.read_csv(STORED / f"{name}.csv", schema_overrides=table.schema)
        assert_frame_equal(table, stored, rel_tol=1e-9, abs_tol=1e-12)
