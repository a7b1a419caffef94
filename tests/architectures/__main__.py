"""Try every architecture and write `docs/models.md` and `docs/architectures.md`: `make models`.

That takes a quarter of an hour on two cores; `python -m architectures decoders` writes the second alone.
"""

import sys
import tempfile
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from transformers.utils import logging

from . import decoder_table, table
from .decoder_trial import TOLERANCE, Decoder, try_decoder
from .decoders import DECODERS
from .tiny import ARCHITECTURES
from .trial import try_architecture


def main(which: str = "") -> None:
    """Write the pages; nothing where an architecture is neither right nor refused in words."""
    with ProcessPoolExecutor(initializer=_quiet) as pool:
        if which != "decoders":
            rows, faults = zip(*pool.map(_tried, ARCHITECTURES), strict=True)
            _require_none(fault for of_one in faults for fault in of_one)
            _write(table.PAGE, table.page(dict(zip(ARCHITECTURES, rows, strict=True))))
        decoders: dict[str, Decoder] = dict(zip(DECODERS, pool.map(try_decoder, DECODERS), strict=True))
    _require_none(f"{name}: {fault}" for name, decoder in decoders.items() for fault in decoder.faults)
    _write(decoder_table.PAGE, decoder_table.page(decoders, TOLERANCE))


def _quiet() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()


def _require_none(faults: Iterable[str]) -> None:
    if lines := list(faults):
        sys.exit("\n".join(lines))


def _write(page: Path, text: str) -> None:
    page.write_text(text, encoding="utf-8")


def _tried(kind: str) -> tuple[str, list[str]]:
    """The row of an architecture, and what is not right."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = try_architecture(kind, Path(folder))
    return table.row(kind, outcomes), [f"{kind}, {way}: {fault}" for way, o in outcomes.items() for fault in o.faults]


if __name__ == "__main__":
    main(*sys.argv[1:])
