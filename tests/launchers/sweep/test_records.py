"""What is written of jobs before they are handed out, and what the task says of their results."""

from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from fixtures.sweep import Made

from launchers.errors import LauncherError
from launchers.sweep.attempt import Outcome
from launchers.sweep.files import read_json, write_json
from launchers.sweep.folder import JobEntry
from launchers.sweep.records import assess, write_records
from launchers.sweep.sweep import Sweep
from launchers.worker.process import opened


class Counted:
    """A task that offers the protocol, and has so many units left, each time that it is asked."""

    left: ClassVar[list[int]] = []

    def __call__(self, config: Any) -> None: ...
    def check(self, config: Any) -> None: ...
    def rehearse(self, config: Any) -> None: ...
    def missing(self, config: Any) -> list[str]:
        return []

    def prepare(self, config: Any) -> None: ...
    def remaining(self, config: Any) -> int:
        return self.left.pop(0)

    def estimate(self, config: Any) -> None: ...
    def stage(self, config: Any) -> int:
        return 0


@pytest.mark.parametrize(("left", "aside"), [([5, 0], 0), ([5, 5], 1), ([0], 0)])
def test_a_job_that_ends_meanwhile_stays_done(
    made: Made, monkeypatch: pytest.MonkeyPatch, left: list[int], aside: int
) -> None:
    monkeypatch.setattr(Counted, "left", left)
    composition = SimpleNamespace(template=SimpleNamespace(types=made.types))
    job = SimpleNamespace(name="name=a", stage=0, identity="a", task_config=made.config, composition=composition)
    sweep = cast(Sweep, SimpleNamespace(task=Counted(), config=made.config, jobs=(job,)))
    known = assess(sweep)
    folder = made.sweeps.job(known[0].entry.id)
    made.job(folder.id)
    made.attempt(folder.id, Outcome.DONE)
    write_records(made.sweeps, sweep, known)
    assert known[0].entry == JobEntry(folder.id, "name=a")
    assert len(list(folder.path.glob("attempts-before-*"))) == aside
    assert bool(folder.read_attempts()) is (aside == 0)
    assert left == []


def test_a_record_of_another_version_of_the_code_is_written_anew_by_the_same_command(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counted, "left", [5])
    composition = SimpleNamespace(
        template=SimpleNamespace(types={"": "now:Here"}), plain=lambda: {"hydra": {"sweep": {}}}
    )
    job = SimpleNamespace(name="name=a", stage=0, identity="a", task_config=made.config, composition=composition)
    sweep = cast(Sweep, SimpleNamespace(task=Counted(), config=made.config, jobs=(job,)))
    known = assess(sweep)
    place = made.sweeps.job(known[0].entry.id)
    write_json(place.record, {"name": "name=a", "types": {"": "was:There"}})
    write_records(made.sweeps, sweep, known)
    assert read_json(place.record)["types"] == {"": "now:Here"}


def test_a_record_of_another_version_of_the_code_is_named(made: Made) -> None:
    made.job("a")
    record = read_json(made.sweeps.job("a").record)
    with pytest.raises(LauncherError, match=r"recorded by another version .*no_such_module.*give the sweep"):
        opened({**record, "name": "name=a", "types": {"": "no_such_module:Config"}})
