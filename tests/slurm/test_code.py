"""Which code runs when somebody edits it while jobs wait: with a snapshot, what was there when they were submitted."""

import hashlib

import pytest
from cluster import Cluster
from place import Place


@pytest.mark.parametrize("snapshot", [True, False])
def test_the_code_is_edited_while_jobs_wait(cluster: Cluster, place: Place, snapshot: bool) -> None:
    held = "+hydra.launcher.additional_parameters.hold=true"
    assert place.submit("name=a", "size=1", held, f"hydra.launcher.snapshot={snapshot}").returncode == 0
    program = place.folder / "app.py"
    program.write_text(program.read_text().replace('f"{name} {number}"', 'f"{name} {number} edited"'))
    for array in place.arrays():
        cluster.ask("scontrol", "release", array)
    assert place.wait() == 0
    words = "a 0" if snapshot else "a 0 edited"
    assert place.stored() == {"a/0": hashlib.sha256(words.encode()).hexdigest()}
