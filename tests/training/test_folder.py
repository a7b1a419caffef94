"""The folder of a training: whole checkpoints, one process at a time, and no other training's."""

import multiprocessing
import time
from pathlib import Path

import pytest

from study.record.errors import InputError, StudyError
from study.record.training.history import HISTORY_FILE, Record, read_history, write_history
from study.training.folder import require_same, training_folder, whole_folder

IDENTITY = {"epochs": 3, "data": {"seed": 0}}


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "epoch-1") as draft:
        (draft / "half").rename(draft / "whole")
    assert len(list(tmp_path.iterdir())) == 1
    assert not (tmp_path / "epoch-1").exists()
    with whole_folder(tmp_path / "epoch-1") as draft:
        (draft / "whole").write_text("")
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1"], "the dead draft is gone"
    assert [path.name for path in (tmp_path / "epoch-1").iterdir()] == ["whole"]


def test_another_training_is_refused_with_what_differs(tmp_path: Path) -> None:
    with training_folder(tmp_path / "run", IDENTITY):
        pass
    with training_folder(tmp_path / "run", IDENTITY):
        pass
    with (
        pytest.raises(InputError, match=r"another training:\n  data.seed: expected 1, found 0"),
        training_folder(tmp_path / "run", {"epochs": 3, "data": {"seed": 1}}),
    ):
        pass


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="holds no training"):
        require_same(tmp_path, IDENTITY)
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(InputError, match=r"training\.json cannot be read"):
        require_same(tmp_path, IDENTITY)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match=str(tmp_path / "file")), training_folder(tmp_path / "file" / "x", IDENTITY):
        pass


def _hold(folder: Path, begun: Path) -> None:
    with training_folder(folder, IDENTITY):
        begun.write_text("")
        time.sleep(0.5)
        (folder / "done").write_text("")


def test_of_two_processes_one_waits_for_the_other(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_hold, args=(tmp_path / "run", tmp_path / "begun"))
    process.start()
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    with training_folder(tmp_path / "run", IDENTITY):
        assert (tmp_path / "run" / "done").exists()
    process.join()


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_history(tmp_path) == []
    records = [Record(0, 0.0, 0.0, None, 1.1, 33.3, 0.0), Record(50, 0.5, 1e-5, 1.0, None, None, 2.5)]
    write_history(tmp_path, records)
    assert read_history(tmp_path) == records
    (tmp_path / HISTORY_FILE).write_text('{"step": 1}\n')
    with pytest.raises(InputError, match="no whole history of a training"):
        read_history(tmp_path)
