"""Draw every picture of README and docs from the embedded study: `make pictures`.

Those of docs/smollm2.md are taken from the report of its studies where these are named: `--smollm2 FOLDER`. Figures are
the SVG files of an analysis, which read in light and dark. The picture of the page is what a browser shows
of it first; without a browser it is left as it is, and told.
"""

import argparse
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

from analysis import analyse, read_results, write_report
from analysis.page import ResultsPage

IMAGES = Path(__file__).parents[1] / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FIGURES = {
    "forest": "toy_classifier-*/forest",
    "figure1": "toy_classifier-*/figure1-toy_matched",
    "heat_map": "toy_classifier-*/heat-toy_matched-encoder_self",
    "heat_map_elsewhere": "toy_classifier-*/heat-toy_mismatched-encoder_self",
    "one_head_left": "toy_translator-*/one-head-toy_news-cross",
    "figure2": "toy_classifier-*/figure2-toy_matched-toy_mismatched",
    "leave_out": "toy_classifier-*/leave-out-toy_matched-toy_mismatched",
    "figure3": "toy_classifier-*/figure3-toy_matched",
    "figure4": "toy_translator-*/figure4-toy_chat-importance",
    "figure5": "training-toy_translator/figure5-1",
}
"""Which figure of the embedded study each picture is, by the name of its file."""

SMOLLM2 = {
    "smollm2_groups": "smollm2-135m-*-loss/heat-groups-ioi-decoder_self",
    "smollm2_groups_and_heads": "smollm2-135m-*-loss/groups-ioi",
    "smollm2_true_r": "along/1-smollm2-135m-true-r",
    "smollm2_text_and_task": "along/1-smollm2-135m-ioi-wikitext",
}
"""Which figure of the report of docs/smollm2.md each picture is."""

PAGE = "page.png"
"""The picture of the page's first screen."""

WIDTH, HEIGHT = 1280, 900
"""Pixels of a page that the picture shows."""


def draw_figures(page: ResultsPage) -> None:
    """Write every picture of `FIGURES`.

    Raises:
        SystemExit: when the results are not those of the embedded study.
    """
    for picture, pattern in FIGURES.items():
        found = [drawing for drawing in page.drawings if fnmatchcase(drawing.name, pattern)]
        if len(found) != 1:
            raise SystemExit(f"{len(found)} figures are named {pattern}: run `make study` first, and name its results")
        (IMAGES / f"{picture}.svg").write_text(found[0].file, encoding="utf-8")


def take_figures(figures: Path) -> None:
    """Copy every picture of `SMOLLM2` from the figures of a report.

    Raises:
        SystemExit: when the report is not that of docs/smollm2.md.
    """
    for picture, pattern in SMOLLM2.items():
        found = list(figures.glob(f"{pattern}.svg"))
        if len(found) != 1:
            raise SystemExit(f"{len(found)} files are {figures / pattern}.svg: make the report as docs/smollm2.md says")
        shutil.copy(found[0], IMAGES / f"{picture}.svg")


def take_picture(page: Path) -> bool:
    """Write the picture of a page's first screen; false where there is no browser."""
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None:
        return False
    from playwright.sync_api import sync_playwright  # only where there is a browser to take it with

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser)
        tab = running.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.5, color_scheme="light"
        )
        tab.goto(page.as_uri())
        tab.screenshot(path=IMAGES / PAGE)
        running.close()
    return True


def main() -> None:
    """Draw the pictures from the results folder that is named, or take those of docs/smollm2.md alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "results", nargs="?", type=Path, default=Path("results"), help="of the embedded study (results)"
    )
    parser.add_argument("--smollm2", type=Path, metavar="FOLDER", help="results of docs/smollm2.md, with their report")
    options = parser.parse_args()
    if options.smollm2 is not None:
        take_figures(options.smollm2 / "analysis" / "figures")
        return
    results = options.results
    analysis = analyse(read_results(results))
    page = ResultsPage.of(analysis)
    draw_figures(page)
    if not take_picture(write_report(analysis, results / "analysis", page=page).resolve()):
        print(f"no browser ({', '.join(BROWSERS)}): {IMAGES / PAGE} is left as it is")
    print(f"drawn: {IMAGES}")


if __name__ == "__main__":
    main()
