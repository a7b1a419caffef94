"""Records of gates, and their course over a training, as files."""

from pathlib import Path

import pytest

from study.record.errors import InputError
from study.record.training.gates import GatesMoment, GatesRecord, read_course, read_gates, write_course, write_gates

RECORD = GatesRecord(
    "hard_concrete", {"penalty": 0.1}, "abc", 5, ("encoder_self.0.0",), "10", (2.0,), (0.1,), (0.8,), (0.9,)
)


def test_a_record_is_read_as_it_was_written_and_refused_when_changed(tmp_path: Path) -> None:
    path = tmp_path / "gates.json"
    write_gates(RECORD, path)
    assert read_gates(path) == RECORD
    path.write_text(path.read_text().replace('"10"', '"11"'))
    with pytest.raises(InputError, match="no whole record of gates"):
        read_gates(path)


def test_a_course_is_read_as_it_was_written_and_refused_when_cut(tmp_path: Path) -> None:
    assert read_course(tmp_path) == []
    moments = [GatesMoment(step, (0.5, 0.25), (0.0, -1.0), 0.1 if step else None) for step in (0, 50)]
    write_course(tmp_path, moments)
    assert read_course(tmp_path) == moments
    path = tmp_path / "gates.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match="no whole course of gates"):
        read_course(tmp_path)
