"""Records of tasks come back as they were written, and damaged ones are refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from study.record.errors import InputError
from study.record.training.tasks import (
    FreeHeadsRecord,
    KeptProof,
    TaskResult,
    first_chain,
    read_free,
    read_results,
    read_tasks,
    result_file,
    write_free,
    write_result,
    write_tasks,
)

HEADS = tuple(f"encoder_self.0.{i}" for i in range(4))
FREE = FreeHeadsRecord("id", "nli", HEADS, HEADS, (HEADS[3], HEADS[1]), "1111", "1010", curve="c", cost=0.5)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    chain = first_chain(HEADS, "nli", "classification", ["no", "yes"])
    write_tasks(chain, tmp_path / "tasks.json")
    write_free(FREE, tmp_path / "free.json")
    assert read_tasks(tmp_path / "tasks.json") == chain
    assert read_free(tmp_path / "free.json") == FREE


def test_a_setting_of_two_trainings_has_a_result_of_each(tmp_path: Path) -> None:
    task = first_chain(HEADS, "nli", "classification").latest
    results = [
        TaskResult(
            task, replace(task, name="mood", training=training), ("", training), "s", KeptProof("s", "1", 9, 0, 0.0)
        )
        for training in ("a", "b")
    ]
    for result in results:
        write_result(result, tmp_path / result_file(result.latest.training))
    assert read_results(tmp_path) == results


def test_heads_can_be_freed_that_the_latest_task_has_and_was_taught_to() -> None:
    chain = first_chain(HEADS, "nli", "classification")
    assert chain.candidates() == HEADS
    later = replace(chain.latest, name="mood", taught=(HEADS[3], HEADS[1]), on="1101")
    assert replace(chain, tasks=(*chain.tasks, later)).candidates() == (HEADS[1], HEADS[3])


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "free.json"
    with pytest.raises(InputError, match="measure=train"):
        read_free(path)
    write_free(FREE, path)
    path.write_text(path.read_text().replace('"1010"', '"1110"'))
    with pytest.raises(InputError, match="no whole record of free heads"):
        read_free(path)
