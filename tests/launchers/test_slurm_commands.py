"""How SLURM's own commands are called, with scripts in their place."""

from pathlib import Path

import pytest
from benchmarks.fake_slurm import FakeSlurm

from launchers import slurm


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """Stands first on the PATH; nobody waits between two tries."""
    fake = FakeSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", str(fake.bin), prepend=":")
    monkeypatch.setattr(slurm.time, "sleep", lambda _: None)
    return fake


def script(folder: Path, name: str) -> Path:
    path = folder / f"{name}.sh"
    path.write_text(f"#!/bin/sh\n#SBATCH --job-name={name}\n#SBATCH --array=0-2\n")
    return path


def busy(fake: FakeSlurm, *, accepts: bool) -> None:
    """The controller takes or misses what the first sbatch says, and does not answer it."""
    sbatch = fake.bin / "sbatch"
    first = f"if [ ! -e {fake.bin}/asked ]; then touch {fake.bin}/asked; {{}}exit 1; fi"
    words = "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; "
    real = sbatch.rename(fake.bin / "real-sbatch")
    sbatch.write_text(
        f"#!/bin/sh\n{first.format((f'{real} $* > /dev/null; ' if accepts else '') + words)}\nexec {real} $*\n"
    )
    sbatch.chmod(0o755)


@pytest.mark.parametrize("accepts", [False, True])
def test_what_a_busy_controller_took_is_not_sent_again(fake: FakeSlurm, tmp_path: Path, accepts: bool) -> None:
    busy(fake, accepts=accepts)
    assert slurm.submit(script(tmp_path, "sub.0"), "sub.0") == "1"
    assert fake.arrays() == {"1": 3}
