"""The page: opening that of a large study in a browser, against the time that it may take."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from analysis import Inference, analyse, read_results, write_report
from benchmarks.engine.sweeps import single_heads_off
from benchmarks.measure import Measurement, in_turns, repeated
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from study.record.examples import Examples
from study.record.metrics import metric
from study.record.setting import Setting
from study.record.store import Store
from study.record.units import AttentionKind, HeadLayout

LAYOUT = HeadLayout(dict.fromkeys(AttentionKind, (16,) * 6))
DOMAINS = 4

SECONDS = 2.0
"""Within which a page should be open."""

FLIPPED = 0.02
"""Share of the examples that come out otherwise without a head."""

WORDS = 20
"""Words of a text."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def page(sizes: Sizes) -> Iterator[Row]:
    """From the address to everything laid out and every table made to sort, in a tab of its own each time."""
    masks = single_heads_off(LAYOUT)[: sizes.stored_masks + 1]
    work = f"opening the page of {len(masks) - 1} heads × {DOMAINS} domains × {sizes.stored_sentences:,} examples"
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None or find_spec("playwright") is None:
        yield Row(part="page", work=work, note="skipped: no Chromium, or no playwright")
        return
    with TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        for domain in range(DOMAINS):
            _fill(results, f"domain{domain}", masks, sizes.stored_sentences, domain)
        analysis = analyse(read_results(results), Inference(resamples=400), splits=10)
        path = write_report(analysis, Path(folder) / "out")
        size, timed = path.stat().st_size, _opened(path, browser, sizes.repeats)
    yield Row(
        part="page",
        work=work,
        against=f"the {SECONDS:g} seconds that it may take",
        ours=timed.seconds,
        theirs=SECONDS,
        target=1,
        note=f"{size / 1e6:.1f} MB, headless Chromium; slowest {timed.slowest:.2f} s",
        figures={"bytes": float(size), "slowest": timed.slowest},
    )


def _fill(results: Path, data: str, masks: list[np.ndarray], count: int, seed: int) -> None:
    """Outcomes of a classifier: each head off makes a few examples wrong or right."""
    rng = np.random.default_rng(seed)
    ids = tuple(f"{data}-{i}" for i in range(count))
    texts = tuple((" ".join(f"word{word}" for word in rng.integers(5000, size=WORDS)),) for _ in range(count))
    groups = {"group": tuple(str(i // 3) for i in range(count))}
    examples = Examples(ids, texts, ("yes",) * count, groups)
    name = "accuracy"
    about = {"weights": "made"}, {"sha256": examples.digest}
    store = Store(results, Setting("large", data, name, *about, metric(name).signature), LAYOUT, examples)
    base = rng.random(count) < 0.85
    frames = []
    for i, mask in enumerate(masks):
        right = base ^ (rng.random(count) < FLIPPED * (i > 0))
        columns = {"correct": right.astype(np.int64), "count": np.ones(count, np.int64), "margin": rng.random(count)}
        frames.append(pl.DataFrame({"mask": [LAYOUT.key(mask)] * count, "example": ids, **columns}))
    store.write(pl.concat(frames), {})


def _opened(path: Path, browser: str, repeats: int) -> Measurement:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser)

        def look(tab: Any) -> None:
            tab.goto(path.as_uri())  # to its `load`, after all scripts
            tab.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
            tab.close()

        way = repeated(lambda: look(running.new_page(viewport={"width": 1280, "height": 900})), repeats)
        timed = in_turns({"open": way}, repeats)["open"]
        running.close()
    return timed
