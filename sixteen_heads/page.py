"""`study open`: the page of a results folder in a browser, made anew where results have changed since."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from sixteen_heads.browser import open_in_browser
from sixteen_heads.commands import ANALYSIS, entry
from study.tracking.progress import FOLDER as PROGRESS

OTHERS = {"analysis", "imported", PROGRESS, "wandb", "wandb-push"}
"""Folders of a results folder that hold no outcomes."""


def show(arguments: Sequence[str], prog: str) -> int:
    """Open the page of a results folder; the exit status."""
    parser = argparse.ArgumentParser(prog=f"{prog} open", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"), help="results folder (results)")
    results = parser.parse_args(arguments).results
    page = report_page(results)
    if not is_current(page, results) and (status := entry(ANALYSIS)(["report", str(results)], prog)):
        return status
    if not page.exists():
        return 1  # nothing measured: the report has said so
    print(page.resolve())
    open_in_browser(page.resolve().as_uri())
    return 0


def report_page(results: Path) -> Path:
    """Where the page of a results folder is; a folder such as `results/imported` has its own."""
    own = results / "report" / "index.html"
    return own if own.is_file() else results / "analysis" / own.relative_to(results)


def is_current(page: Path, results: Path) -> bool:
    """Whether nothing was stored since the analysis that wrote the page began: a page has the time of its beginning."""
    if page.parents[1] == results or not page.exists():
        return page.exists()
    written = page.stat().st_mtime
    return all(place.stat().st_mtime <= written for place in _places(results))


def _places(results: Path) -> Iterator[Path]:
    """What changes its time when something is stored: the folder of each setting and training, files beside them."""
    for path in results.iterdir():
        if path.is_file():
            yield path
        elif path.name not in OTHERS and not path.name.startswith("."):
            for depth in ("*/", "*/*/", "*/*/*/"):
                yield from path.glob(depth)
