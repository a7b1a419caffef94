"""`study open`: the page of a results folder in a browser, made anew where results have changed since."""

import argparse
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from sixteen_heads.commands import ANALYSIS, entry


def show(arguments: Sequence[str], prog: str) -> int:
    """Open the page of a results folder; the exit status."""
    parser = argparse.ArgumentParser(prog=f"{prog} open", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"), help="results folder (results)")
    results = parser.parse_args(arguments).results
    page = results / "analysis" / "report" / "index.html"
    if not is_current(page, results) and (status := entry(ANALYSIS)(["report", str(results)])):
        return status
    if not page.exists():
        return 1  # nothing measured: the report has said so
    print(page.resolve())
    webbrowser.open(page.resolve().as_uri())
    return 0


def is_current(page: Path, results: Path) -> bool:
    """Whether nothing was stored since the page was written."""
    if not page.exists():
        return False
    written = page.stat().st_mtime
    stored = (file for folder in results.glob("*/*/*") if folder.parts[-3] != "analysis" for file in folder.rglob("*"))
    return all(file.stat().st_mtime <= written for file in stored)
