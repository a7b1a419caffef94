"""What answers at once loads no model library: help, the catalogue, a misspelt name, a job that is done already."""

import json
import subprocess
import sys
from pathlib import Path

from fixtures.jobs import overrides

from study.config import compose
from study.jobs.task import StudyTask

HEAVY = ("torch", "transformers", "wandb", "sacremoses", "matplotlib")


def test_what_answers_at_once_loads_no_model_library(place: Path, tmp_path: Path) -> None:
    job = [*overrides(place), "measure=base", f"hydra.run.dir={tmp_path / 'log'}"]
    StudyTask()(compose(*job[:-1]))
    commands = [["--help"], ["list"], ["measur=base"], job]
    script = f"""
import json, sys
from study.__main__ import main
for arguments in {commands!r}:
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit:
        pass
    print("loaded", json.dumps([arguments[0], [name for name in {HEAVY!r} if name in sys.modules]]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    loaded = dict(
        json.loads(line.removeprefix("loaded ")) for line in done.stdout.splitlines() if line[:7] == "loaded "
    )
    assert loaded == {arguments[0]: [] for arguments in commands}, done.stderr
