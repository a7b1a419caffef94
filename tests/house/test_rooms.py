"""A newcomer can take in every folder at a glance."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("study", "analysis", "launchers", "sixteen_heads", "benchmarks", "tests")
MOST_FILES, MOST_LOOSE = 15, 10
FOLDERS = sorted({file.parent for room in ROOMS for file in (ROOT / room).rglob("*.py")})


def test_no_folder_is_crowded() -> None:
    for folder in FOLDERS:
        files = [file.name for file in folder.glob("*.py") if file.name != "__init__.py"]
        assert len(files) <= (MOST_LOOSE if folder.name in ROOMS else MOST_FILES), f"{folder}: {sorted(files)}"


def test_every_file_says_what_it_is_for() -> None:
    for file in (file for folder in FOLDERS for file in folder.glob("*.py") if "tests" not in folder.parts):
        first = file.read_text().partition("\n")[0]
        assert not first or (first.startswith('"""') and len(first) > 20), f"{file}: {first}"
