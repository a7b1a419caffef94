"""What prints: rows as a table for people and as JSON for programs, both with the machine that they come from."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

PACKAGES = {"torch": "torch", "transformers": "transformers", "fairseq": "ve-fairseq"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        part: part of the benchmark.
        work: what was computed.
        against: what else computed it; empty where nothing did.
        ours: seconds of the engine; None where it was skipped, `note` says why.
        theirs: seconds of the other way.
        bound: how many times faster the saved arithmetic alone makes it.
        target: how many times faster it should be.
        memory: bytes that ours took at its height.
        note: how it was measured.
        figures: what was measured by name, for programs.
    """

    part: str
    work: str
    against: str = ""
    ours: float | None = None
    theirs: float | None = None
    bound: float | None = None
    target: float | None = None
    memory: int | None = None
    note: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times faster ours is."""
        return self.theirs / self.ours if self.ours and self.theirs else None


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": _cpu("model name") or platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "bfloat16": has_bfloat16(),
        "gpu": gpu,
        "python": platform.python_version(),
        **{name: _version(package) for name, package in PACKAGES.items()},
        "date": datetime.now(UTC).date().isoformat(),
    }


def has_bfloat16() -> bool:
    """Whether the processor itself multiplies bfloat16."""
    return bool({"avx512_bf16", "amx_bf16"} & set(_cpu("flags").split()))


def show(rows: Sequence[Row], about: dict[str, Any], console: Console) -> None:
    """Print rows as a table."""
    table = Table(caption=", ".join(f"{name}: {value}" for name, value in about.items()))
    for name in ("part", "work", "against", "note"):
        table.add_column(name, overflow="fold")
    for name in ("ours s", "theirs s", "times faster", "arithmetic alone", "target", "memory GB"):
        table.add_column(name, justify="right")
    for before, row in zip([None, *rows], rows, strict=False):
        part = "" if before and before.part == row.part else row.part
        work = "" if before and before.work == row.work else row.work
        if part:
            table.add_section()
        missed = row.ratio is not None and row.target is not None and row.ratio < row.target
        table.add_row(
            *(part, work, row.against, row.note),
            *(_number(row.ours), _number(row.theirs)),
            f"[red]{_number(row.ratio)}[/red]" if missed else _number(row.ratio),
            *(_number(row.bound), _number(row.target), _number(row.memory and row.memory / 1e9)),
        )
    console.print(table)


def write(rows: Sequence[Row], about: dict[str, Any], path: Path) -> None:
    """Write rows as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": about, "rows": [{**asdict(row), "ratio": row.ratio} for row in rows]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu(key: str) -> str:
    """What Linux says of the first core."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
