"""The wall between models and the analysis is a list of what may pass: a new room of study is refused until named.

The list of what the analysis may not import stands in pyproject.toml and is checked by `make check`.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = {"record", "terminal", "tracking"}
"""What the analysis knows of study: what a study leaves behind, and where work is shown while it runs."""


def test_a_new_room_of_study_is_refused_to_the_analysis() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [wall] = [contract for contract in contracts if contract.get("source_modules") == ["analysis"]]
    refused = {name.removeprefix("study.") for name in wall["forbidden_modules"] if name.startswith("study.")}
    rooms = {
        path.stem for path in (ROOT / "study").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert refused == rooms - SHARED - {"__init__"}
