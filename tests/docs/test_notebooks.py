"""The notebooks of examples/ run from the first cell to the last; `NOTEBOOKS=write` keeps what they show."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
IN_EVERY_RUN = "ten_minutes"
NOTEBOOKS = [
    pytest.param(file, marks=() if file.stem == IN_EVERY_RUN else pytest.mark.exhaustive, id=file.stem)
    for file in sorted(EXAMPLES.glob("*.ipynb"))
]


def is_gone(output: nbformat.NotebookNode) -> bool:
    """Whether it was a bar, which leaves nothing."""
    return output.get("data", {}).get("text/html") == ""


def kinds_of_outputs(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """The kinds of the outputs of each cell."""
    return [
        sorted(
            kind
            for output in cell.outputs
            for kind in output.get("data", {output.output_type: output.get("text")})
            if not is_gone(output)
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS)
def test_the_notebook_runs_and_shows_what_is_stored_with_it(file: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    stored = kinds_of_outputs(notebook)
    NotebookClient(
        notebook, timeout=600, record_timing=False, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    if os.environ.get("NOTEBOOKS") == "write":
        for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
            cell.outputs = [output for output in cell.outputs if not is_gone(output)]
        nbformat.write(notebook, file)
    else:
        assert kinds_of_outputs(notebook) == stored
