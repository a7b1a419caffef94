"""No file of the repository holds what git writes into it where two changes meet."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARKER = re.compile(rb"^(<{7}|>{7}|\|{7}) ", re.MULTILINE)
"""Where one side begins or ends; the line between them, of seven `=`, may also underline a heading."""


def test_no_file_holds_markers_of_a_conflict() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    assert files
    assert not [file for file in files if file.is_file() and MARKER.search(file.read_bytes())]
