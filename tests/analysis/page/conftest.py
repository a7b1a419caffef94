"""A page of made results, and a browser to look at it with."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fixtures.results import CLASSIFIER, TRANSLATOR, curve_of, fill

from analysis import Analysis, analyse, read_results, write_report
from study.record.curves import Curve

LABELS = ("entailment", "neutral", "contradiction")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

OWN = ("file:", "data:", "blob:")
"""What a page may ask for without a network."""

STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""The rules of WCAG 2.0 to 2.2, levels A and AA, that axe-core can test."""


def classifier_curves() -> list[Curve]:
    """By importance, and of three random orders."""
    heads = CLASSIFIER.heads
    orders = [np.random.default_rng(seed).permutation(len(heads)) for seed in range(3)]
    at_random = [curve_of([heads[i] for i in order], order="random", seed=i) for i, order in enumerate(orders)]
    return [curve_of(heads), *at_random]


def translator_curves() -> list[Curve]:
    """One within each attention kind."""
    own = {kind: [head for head in TRANSLATOR.heads if head.kind is kind] for kind in TRANSLATOR.counts}
    return [curve_of(heads, kinds=(str(kind),), layout=TRANSLATOR) for kind, heads in own.items()]


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, Path]:
    """An analysis of a classifier and a translator on two domains each, by genre too, and the page of it."""
    results = tmp_path_factory.mktemp("page") / "results"
    for seed, data in enumerate(("home", "away")):
        weights = np.random.default_rng(seed).gamma(0.6, 0.3, len(CLASSIFIER)) - 0.02
        made = {"curves": classifier_curves(), "weights": weights, "count": 90, "genres": 2, "labels": LABELS}
        fill(results, "accuracy", model="toy_bert", data=data, seed=seed, **made)
        made = {"curves": translator_curves(), "count": 12}
        fill(results, "bleu", model="toy_transformer", data=data, seed=seed, **made)
    analysis = analyse(read_results(results), by="genre")
    return analysis, write_report(analysis, results.parent / "out")


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Headless Chromium; tests that need it are skipped, with a word, where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[dev]'")
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        pytest.skip("no browser: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found)
        yield running
        running.close()


@pytest.fixture
def visit(browser, request: pytest.FixtureRequest) -> Iterator[Callable]:
    """Open a page, that of `shown` where no other is named.

    At the end nothing may have been written to the console, failed, or asked of a network.
    """
    contexts, faults = [], []

    def opened(*, width: int = 1280, dark: bool = False, scripts: bool = True, page: Path | None = None, at: str = ""):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            permissions=["clipboard-read", "clipboard-write"],
            offline=True,
        )
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(120_000)  # milliseconds: a busy machine needs more than twenty seconds
        tab.on("console", lambda message: faults.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: faults.append(f"error: {error}"))
        tab.on("request", lambda request: request.url.startswith(OWN) or faults.append(f"asked for {request.url}"))
        tab.goto((page or request.getfixturevalue("shown")[1]).as_uri() + at)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture(scope="session")
def axe():
    """A call of axe-core that gives what it objects to, a line each."""
    module = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core: pip install -e '.[dev]'")
    options = {"runOnly": {"type": "tag", "values": STANDARD}, "resultTypes": ["violations"]}

    def objections(tab) -> list[str]:
        tab.add_style_tag(content="figure { content-visibility: visible !important }")
        found = module.Axe().run(tab, options=options).response["violations"]
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]

    return objections
