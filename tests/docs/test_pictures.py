"""Every picture of the documentation is one that `python -m pictures` draws or takes, and is there."""

import re
from pathlib import Path

import pictures

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_picture_is_drawn_by_the_code():
    drawn = {f"{name}.svg" for name in (*pictures.FIGURES, *pictures.SMOLLM2)} | {pictures.PAGE}
    assert {path.name for path in pictures.IMAGES.iterdir()} == drawn
    shown = [
        name for page in PAGES for name in re.findall(r"!\[[^\]]*\]\((?:docs/)?images/([^)]+)\)", page.read_text())
    ]
    assert shown
    assert set(shown) <= drawn
