"""The command line: `python -m benchmarks --help`."""

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.parts import PARTS
from benchmarks.sizes import QUICK, Sizes
from benchmarks.table import machine, show, write

WIDTH = 200
"""Width of the table where the output is no terminal."""


def main() -> None:
    """Run parts, print their rows, and write them after each part."""
    options = _options()
    console = Console() if Console().is_terminal else Console(width=WIDTH)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if options.threads:
        torch.set_num_threads(options.threads)
    chosen = {"examples": options.examples, "sentences": options.sentences, "repeats": options.repeats}
    sizes = replace(QUICK if options.quick else Sizes(), **{k: v for k, v in chosen.items() if v is not None})
    about, rows = machine(), []
    for name in options.parts or PARTS:
        start = time.perf_counter()
        rows += PARTS[name](sizes)
        console.print(f"{name}: {time.perf_counter() - start:.0f} s")
        write(rows, about, options.json)
    show(rows, about, console)
    console.print(f"written to {options.json}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all when none is named: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a few seconds, only to see that everything runs")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--examples", type=int, help=f"of the small classifier ({Sizes.examples}); others take a share")
    parser.add_argument("--sentences", type=int, help=f"to translate ({Sizes.sentences})")
    parser.add_argument("--repeats", type=int, help=f"rounds ({Sizes.repeats}); medians are shown")
    parser.add_argument("--json", type=Path, default=Path("results/benchmarks.json"), help="where all rows are written")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    main()
