"""Try every architecture and write `docs/models.md`: `make models`, a quarter of an hour on two cores."""

import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from transformers.utils import logging

from .table import PAGE, page, row
from .tiny import ARCHITECTURES
from .trial import try_architecture


def main() -> None:
    """Write the page; nothing where an architecture is neither right nor refused in words."""
    with ProcessPoolExecutor() as pool:
        rows, faults = zip(*pool.map(_tried, ARCHITECTURES), strict=True)
    if any(faults):
        sys.exit("\n".join(fault for of_one in faults for fault in of_one))
    PAGE.write_text(page(dict(zip(ARCHITECTURES, rows, strict=True))), encoding="utf-8")


def _tried(kind: str) -> tuple[str, list[str]]:
    """The row of an architecture, and what is not right."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = try_architecture(kind, Path(folder))
    return row(kind, outcomes), [f"{kind}, {way}: {fault}" for way, o in outcomes.items() for fault in o.faults]


if __name__ == "__main__":
    main()
