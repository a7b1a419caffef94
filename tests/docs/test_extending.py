"""The examples of docs/extending.md: put where they say into a copy of the code, and run there as they stand.

The Python of other pages is run beside them.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"
IN_PYTHON = (ROOT / "docs" / "python.md", ROOT / "docs" / "figures.md")
PACKAGES = ("sixteen_heads", "study", "analysis", "launchers", "conf")
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code of the page: its language, its file where it names one, its text."""

    language: str
    file: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    for found in FENCE.finditer(page.read_text()):
        yield Block(found[1], found[2] or "", found[3])


def add_lines(block: Block, root: Path) -> None:
    """Add the lines with a `+` of a block between those that are there."""
    lines = block.text.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if not line.startswith("+"))
    text = (root / block.file).read_text()
    assert text.count(before) == 1, f"{block.file} has {text.count(before)} times:\n{before}"
    (root / block.file).write_text(text.replace(before, "".join(line[1:] for line in lines)))


def program(block: Block) -> str:
    """What runs a block, as Python."""
    if block.language == "python":
        return block.text
    commands = [shlex.split(line, comments=True) for line in block.text.splitlines()]
    assert all(words[0] == "study" for words in commands)
    return "".join(f"assert main({words[1:]!r}) == 0, {words!r}\n" for words in commands)


@pytest.mark.slow
def test_every_example_runs_as_it_stands(tmp_path: Path) -> None:
    root, place = tmp_path / "code", tmp_path / "place"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    place.mkdir()
    steps = ["from sixteen_heads.__main__ import main\n"]
    for block in blocks(PAGE):
        if block.language == "diff":
            add_lines(block, root)
        elif block.file:
            assert not (root / block.file).exists()
            (root / block.file).write_text(block.text)
        else:
            steps.append(program(block))
    steps += [block.text for page in IN_PYTHON for block in blocks(page) if block.language == "python"]
    (place / "steps.py").write_text("\n".join(steps))
    environment = os.environ | {"PYTHONPATH": f"{root}:{root / 'launchers' / 'plugin'}"}
    command = [sys.executable, "steps.py"]
    run = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]

    tables = place / "results" / "analysis" / "tables"
    assert "Harmful heads" in (place / "results" / "analysis" / "report" / "index.html").read_text()
    assert "depth" in (tables / "curves.csv").read_text()
    assert "averaging" in (tables / "effects.csv").read_text()
