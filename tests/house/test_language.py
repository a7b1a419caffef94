"""Names and docstrings speak the field's language, in phrases that can be read by themselves."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    file
    for room in ("study", "analysis", "launchers", "sixteen_heads", "benchmarks")
    for file in (ROOT / room).rglob("*.py")
)
NOUN = re.compile(
    "(Sett|Train|Prun|Mask|Track|Rank|Encod|Embedd|Draw|Decod|Screen|Scor|Tun|Process|Group|Find|Read|Th)ing|Deed|Speed|Seed"
)
PARTICIPLE = re.compile(
    "[A-Z][a-z]+(ed|ing)|Found|Known|Done|Drawn|Shown|Made|Held|Kept|Left|Given|Taken|Lost|Sent|Read|Written|Built|Gone"
)
ELLIPTIC = re.compile(r"(?:of|whose|likewise|the same|so that|and|but|ditto)\b", re.IGNORECASE)


def participle(name: str) -> bool:
    """Whether the last word of a class name is a participle and no noun."""
    last = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+", name)[-1]
    return bool(PARTICIPLE.fullmatch(last)) and not NOUN.fullmatch(last)


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string that stands as a statement: docstrings, and what is written below a constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def faults(file: Path) -> Iterator[str]:
    where, tree = file.relative_to(ROOT), ast.parse(file.read_text())
    if re.match(r"_?of_", file.stem):
        yield f"{where}: a file named by a preposition"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and participle(node.name):
            yield f"{where}:{node.lineno}: class {node.name} is no noun"
        if isinstance(node, ast.FunctionDef) and re.match(r"_*of_|_*in_words$", node.name):
            yield f"{where}:{node.lineno}: def {node.name} says no noun or verb"
    for line, text in docstrings(tree):
        for further, words in enumerate(text.splitlines()):
            entry = re.match(r"\s*(?:[`*\w.]+: )?(.*)", words)
            first = further == 0 or bool(re.match(r"\s+[\w.*]+: ", words))
            if first and entry and (ELLIPTIC.match(entry[1]) or entry[1] in (".", "")) and words.strip():
                yield f"{where}:{line + further}: {words.strip()[:90]}"


def test_every_name_and_line_can_be_read_by_itself() -> None:
    assert not [fault for file in FILES for fault in faults(file)]


def test_the_rule_finds_what_it_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "of_base.py"
    lines = ('"""Of the base."""', "class Planned: ...", "def of_both():", '    """Say.', "    x: likewise.", '    """')
    file.write_text("\n".join(lines))
    assert len(list(faults(file))) == 5
