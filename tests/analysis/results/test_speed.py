"""Table 4 from the file of the benchmark."""

import json
from pathlib import Path

import pytest

from analysis.results.speed import BENCHMARKS_FILE, read_speed
from study.record.errors import InputError


def row(share: float, batch: int, seconds: float) -> dict[str, object]:
    figures = {"share": share, "batch": batch, "examples_per_second": 64 / seconds, "low": 1.0, "high": 900.0}
    return {"part": "pruned", "ours": seconds, "figures": {**figures, "parameters": 100}}


def write(folder: Path, rows: list[dict[str, object]]) -> None:
    (folder / BENCHMARKS_FILE).write_text(json.dumps({"machine": {"gpu": None}, "rows": rows}))


def test_ratio_is_to_the_original_at_the_same_batch(tmp_path: Path) -> None:
    other = {"part": "storing", "ours": 1.0, "figures": {}}
    write(tmp_path, [row(0.5, 16, 1.0), row(0.0, 16, 2.0), row(0.0, 1, 4.0), row(0.5, 1, 3.0), other])
    speed = read_speed(tmp_path)
    assert speed is not None
    found = speed.rows.select("batch", "share", "examples_per_second", "times_faster").rows()
    assert found == [
        (1, 0.0, 16.0, 1.0),
        (1, 0.5, pytest.approx(64 / 3), pytest.approx(4 / 3)),
        (16, 0.0, 32.0, 1.0),
        (16, 0.5, 64.0, 2.0),
    ]
    papers = speed.rows.filter(share=0.5)["paper_times_faster"].to_list()
    assert papers == pytest.approx([17.3 / 17.0, 134.0 / 114.0])


def test_nothing_timed(tmp_path: Path) -> None:
    assert read_speed(tmp_path) is None
    write(tmp_path, [{"part": "storing", "ours": 1.0, "figures": {}}])
    assert read_speed(tmp_path) is None


@pytest.mark.parametrize("text", ["[", "[]", '{"rows": [{"part": "pruned", "ours": 1.0}], "machine": {}}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / BENCHMARKS_FILE).write_text(text)
    with pytest.raises(InputError, match=r"not a file of `make bench`"):
        read_speed(tmp_path)
