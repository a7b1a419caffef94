"""What is kept of a job while it is followed, and what a repeated one leaves as it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from study.tracking.history import Point, TrainingHistory
from study.tracking.run import RUNS, Run, read_runs
from study.tracking.tracker import track

BY_AGENT = Run("ab", "", "model", "pairs", "ablation", 120, {}, group="first", sweep_id="agentrun")
PLAIN = Run("ab", "", "model", "pairs", "ablation", 120, {}, group="second")


class Told:
    """A tracker that remembers the run it was begun with."""

    later = "study push"

    def start(self, run: Run) -> None:
        self.run = run

    def log(self, points: Sequence[Point]) -> None: ...

    def finish(self, summary: Mapping[str, Any], *, failed: bool) -> None: ...


def stop_by_hand(run: Run, folder: Path, tracker: Told) -> None:
    with track(run, folder, TrainingHistory(folder), tracker, folder, 1):
        raise KeyboardInterrupt


def test_a_repeated_job_keeps_its_summary_and_the_id_of_its_sweep(tmp_path: Path) -> None:
    with track(BY_AGENT, tmp_path, TrainingHistory(tmp_path), None, tmp_path, 1) as report:
        report.finish({"base": 83.1})
    tracker = Told()
    with pytest.raises(KeyboardInterrupt):
        stop_by_hand(PLAIN, tmp_path, tracker)
    (kept,) = read_runs(tmp_path)
    assert (kept.summary, kept.sweep_id, kept.group) == ({"base": 83.1}, "agentrun", "second")
    assert tracker.run.sweep_id == "agentrun", "it is one run in W&B"
    with track(PLAIN, tmp_path, TrainingHistory(tmp_path), None, tmp_path, 1) as report:
        report.finish({"base": 84.0})
    (kept,) = read_runs(tmp_path)
    assert (kept.summary, kept.sweep_id) == ({"base": 84.0}, "agentrun")


def test_a_damaged_record_is_written_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / RUNS).mkdir()
    (tmp_path / RUNS / "ab.json").write_text("{")
    with track(PLAIN, tmp_path, TrainingHistory(tmp_path), None, tmp_path, 1):
        assert read_runs(tmp_path) == [PLAIN]
    assert not caplog.messages
