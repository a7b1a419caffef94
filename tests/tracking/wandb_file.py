"""Read back what an offline run of W&B has logged, from its `.wandb` file: leveldb's log format, a record a message."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2 as messages

HEADER = 7
BLOCK = 32768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass
class Logged:
    """What a run holds."""

    id: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    axes: dict[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    kinds: set[str] = field(default_factory=set)


def read_run(folder: Path) -> Logged:
    """The one run of an offline folder."""
    (path,) = folder.glob("*.wandb")
    logged = Logged()
    for record in _records(path.read_bytes()):
        kind = record.WhichOneof("record_type")
        logged.kinds.add(kind)
        if kind == "run":
            run = record.run
            logged.id, logged.project, logged.group = run.run_id, run.project, run.run_group
            logged.job_type, logged.tags = run.job_type, tuple(run.tags)
            logged.config |= {item.key: json.loads(item.value_json) for item in run.config.update}
        elif kind == "history":
            logged.history.append(_items(record.history.item))
        elif kind == "summary":
            logged.summary |= _items(record.summary.update)
        elif kind == "artifact":
            logged.artifacts.append(record.artifact.name)
        elif kind == "request" and record.request.WhichOneof("request_type") == "log_artifact":
            logged.artifacts.append(record.request.log_artifact.artifact.name)
        elif kind == "metric":
            logged.axes[record.metric.glob_name or record.metric.name] = record.metric.step_metric
        elif kind == "exit":
            logged.exit_code = record.exit.exit_code
    return logged


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(data: bytes) -> Iterator[messages.Record]:
    assert data[:4] == b":W&B", "not a .wandb file"
    pieces, place = b"", HEADER
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:  # the end of a block is padded
            place += BLOCK - place % BLOCK
            continue
        crc, length, kind = (
            int.from_bytes(data[place : place + 4], "little"),
            int.from_bytes(data[place + 4 : place + 6], "little"),
            data[place + 6],
        )
        piece = data[place + 7 : place + 7 + length]
        assert zlib.crc32(data[place + 6 : place + 7 + length]) == crc, f"damaged at {place}"
        pieces = piece if kind in (FULL, FIRST) else pieces + piece
        if kind in (FULL, LAST):
            record = messages.Record()
            record.ParseFromString(pieces)
            yield record
        place += 7 + length
