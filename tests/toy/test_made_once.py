"""Tests of folders made once: reuse, failure, kill -9, two processes at once; and of the keys of the toy models."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from study.errors import StudyError
from study.toy import models
from study.toy.made_once import made_once, source_digests

SLOW_MAKING = """
import sys, time
from pathlib import Path
from study.toy.made_once import made_once
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
def make(draft):
    (draft / "half").write_text("")
    with (folder.parent / "begun").open("a") as file:
        file.write("x")
    time.sleep(seconds)
    (draft / "half").rename(draft / "whole")
made_once(folder, make)
print(sorted(path.name for path in folder.iterdir()))
"""


def start(folder: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SLOW_MAKING, folder, str(seconds)], stdout=subprocess.PIPE, text=True
    )


def wait_until_begun(folder: Path) -> None:
    for _ in range(300):
        if (folder.parent / "begun").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the other process never began")


def test_made_once_and_reused(tmp_path):
    calls = []

    def make(draft: Path) -> None:
        calls.append(draft)
        (draft / "file").write_text("content")

    folder = tmp_path / "new" / "model"
    assert made_once(folder, make) == made_once(folder, make) == folder
    assert (folder / "file").read_text() == "content"
    assert len(calls) == 1
    assert not calls[0].exists()


def test_a_failed_making_leaves_its_draft_until_the_next_and_no_folder(tmp_path):
    def fail(draft: Path) -> None:
        (draft / "train.log").write_text("why")
        raise RuntimeError("broken")

    folder = tmp_path / "model"
    with pytest.raises(RuntimeError, match="broken"):
        made_once(folder, fail)
    assert not folder.exists()
    assert [path.read_text() for path in tmp_path.glob(".model.*.draft/train.log")] == ["why"]
    made_once(folder, lambda draft: (draft / "file").write_text("content"))
    assert not list(tmp_path.glob(".model.*.draft"))
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_killed_making_is_not_taken_for_whole(tmp_path):
    folder = tmp_path / "model"
    process = start(folder, 60)
    wait_until_begun(folder)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not folder.exists()
    made_once(folder, lambda draft: (draft / "whole").write_text(""))
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert not list(tmp_path.glob(".model.*.draft"))


def test_of_two_processes_one_makes_and_the_other_waits(tmp_path):
    folder = tmp_path / "model"
    processes = [start(folder, 0.5) for _ in range(2)]
    assert [process.communicate()[0] for process in processes] == ["['whole']\n"] * 2
    assert (tmp_path / "begun").read_text() == "x"


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match=str(tmp_path / "file")):
        made_once(tmp_path / "file" / "model", Path.touch)


def test_the_key_follows_recipe_and_sources(tmp_path, monkeypatch):
    before = models.classifier_folder(tmp_path), models.translator_folder(tmp_path)
    assert before == (models.classifier_folder(tmp_path), models.translator_folder(tmp_path))
    monkeypatch.setattr(models, "CLASSIFIER", replace(models.CLASSIFIER, seed=7))
    monkeypatch.setattr(models, "TRANSLATOR_SENTENCES", 8)
    after = models.classifier_folder(tmp_path), models.translator_folder(tmp_path)
    assert not set(before) & set(after)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(models, "source_digests", lambda modules: dict.fromkeys(modules, "changed"))
    assert not {models.classifier_folder(tmp_path), models.translator_folder(tmp_path)} & {*before, *after}


def test_every_own_module_that_the_makers_import_is_in_the_key():
    """The sources named for the key against what the modules really load from the rooms toy and training."""
    for sources in (models.CLASSIFIER_SOURCES, models.TRANSLATOR_SOURCES):
        code = f"import sys, {', '.join(sources)}; print('\\n'.join(sys.modules))"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        own = {m for m in loaded if m.startswith(("study.toy.", "study.training."))} - {"study.training.recipes"}
        assert own == set(sources)
        assert set(source_digests(sources)) == own


def test_asking_for_a_folder_loads_no_torch():
    code = (
        "import sys; from pathlib import Path; from study.toy import models; models.classifier_folder(Path('x')); "
        "models.translator_folder(Path('x')); print({'torch', 'transformers', 'sacremoses'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
