"""Records of gates, and their course over a training, as files."""

from dataclasses import replace
from pathlib import Path

import pytest

from study.record.errors import InputError
from study.record.training.gates import (
    GatesMoment,
    GatesRecord,
    kept_mask,
    read_course,
    read_gates,
    write_course,
    write_gates,
)
from study.record.units import AttentionKind, HeadLayout

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


def test_gates_of_another_model_are_refused_by_their_heads_and_lengths() -> None:
    """Eight heads of the one are as many as of the other, and they are not the same."""
    encoder, decoder = HeadLayout({AttentionKind.ENCODER_SELF: [4, 4]}), HeadLayout({AttentionKind.DECODER_SELF: [8]})
    record = GatesRecord("kept", {}, "abc", 0, tuple(map(str, encoder.heads)), "11011111")
    assert encoder.key(kept_mask(record, encoder)) == record.kept
    with pytest.raises(InputError, match=r"gates of training abc are of a model that has head encoder_self\.0\.0, and"):
        kept_mask(record, decoder)
    with pytest.raises(InputError, match="is no mask of this model: expected 8"):
        kept_mask(replace(record, kept="1101"), encoder)
    with pytest.raises(InputError, match="3 numbers log_alpha for 8 heads"):
        kept_mask(replace(record, log_alpha=(0.0,) * 3), encoder)
