"""How SLURM's own commands are called, with scripts in their place."""

from pathlib import Path

import pytest
from fixtures.fake_slurm import FakeSlurm

from launchers.errors import SilentSlurmError
from launchers.queue import commands as slurm


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


def test_what_is_configured_stands_above_the_variables_of_sbatch(fake: FakeSlurm, tmp_path: Path) -> None:
    path = script(tmp_path, "sub.0")
    path.write_text(path.read_text() + "#SBATCH --partition=gpu\n#SBATCH --comment='a b'\n#SBATCH --requeue\nexit 0\n")
    slurm.submit(path, "sub.0")
    options = "--parsable --job-name=sub.0 --array=0-2 --partition=gpu --comment=a b --requeue"
    assert fake.options() == [f"{options} {path}"]


@pytest.mark.parametrize("inside", [False, True])
def test_variables_of_a_user_reach_sbatch_those_of_a_job_do_not(
    fake: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    users = ["SLURM_CONF", "SLURM_JWT", "SLURM_CLUSTERS", "SBATCH_ACCOUNT", "SBATCH_PARTITION"]
    jobs = ["SLURM_JOB_ID", "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE", "SBATCH_CPU_BIND_LIST"]
    for name in (*users, *jobs) if inside else users:
        monkeypatch.setenv(name, "7")
    slurm.submit(script(tmp_path, "sub.0"), "sub.0")
    assert {*users} <= {*fake.environment()}
    assert not {*jobs} & {*fake.environment()}


def test_jobs_are_asked_for_by_name_whoever_sent_them(
    fake: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several people may share a folder of sweeps; what others have in the queue beside is nobody's business."""
    monkeypatch.setattr("getpass.getuser", lambda: "somebody else")
    for name in ("sub.0", "sub.1", "other.0"):
        slurm.submit(script(tmp_path, name), name)
    assert slurm.queue(["sub.0", "sub.1"]).names == {"sub.0": "1", "sub.1": "2"}


def test_a_controller_that_is_down_is_no_error_of_the_user(fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake.bin / "squeue").write_text(
        "#!/bin/sh\necho 'Unable to contact slurm controller (connect failure)' >&2\nexit 1\n"
    )
    with pytest.raises(SilentSlurmError, match="SLURM does not answer `squeue`: Unable to contact"):
        slurm.queue(["sub.0"])
    (fake.bin / "squeue").write_text("#!/bin/sh\nexec sleep 30\n")
    monkeypatch.setattr(slurm, "SECONDS_AT_ONCE", 0.1)
    with pytest.raises(SilentSlurmError, match="no answer in 0 s"):
        slurm.queue(["sub.0"], at_once=True)
