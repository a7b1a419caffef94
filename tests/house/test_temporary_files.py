"""What tests leave among the temporary files lies in a folder that goes with them, and pytest's own beside it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def test_temporary_files_lie_in_a_folder_of_the_session(tmp_path: Path) -> None:
    folder = Path(tempfile.gettempdir())
    assert folder.name.startswith("tests-")
    assert os.environ["TMPDIR"] == str(folder)
    assert folder not in tmp_path.parents
    asked = [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == str(folder)
