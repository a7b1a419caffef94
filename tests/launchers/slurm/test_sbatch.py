"""The text that sbatch gets: what is configured, safely quoted, and a shell script that does what it says."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from launchers.config import AfterConfig, SlurmConfig
from launchers.slurm.sbatch import Scripts
from launchers.sweep.submission import Array, SubmissionFolder

STAYS = "600\n"
"""What `sleep` is told, and what `scontrol` is before."""
BACK = f"requeue 5_2\n{STAYS}"
HOSTILE = ["it's", 'a "word"', "$(touch gone)", "a; b", "per%cent", "back\\slash"]


def script(
    place: Path, number: int = 0, packs: int = 3, parallel: int = 9, after: tuple[str, ...] = (), **how: Any
) -> str:
    scripts = Scripts(SubmissionFolder(place / "sub"), SlurmConfig(**how), str(place), [str(place)])
    return scripts.array(number, Array(0, (("a",),) * packs), parallel=parallel, after=after)


def parameters(text: str) -> dict[str, str]:
    found = re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", text, re.MULTILINE)
    return {name: "".join(shlex.split(value)) for name, value in found}


def test_what_is_configured_stands_in_it(tmp_path: Path) -> None:
    text = script(
        tmp_path,
        parallel=2,
        after=("7", "8"),
        timeout_min=30,
        cpus_per_task=4,
        mem_gb=1.5,
        gpus_per_node="a100:2",
        partition="gpu",
        account="me",
        exclusive=True,
        additional_parameters={"licenses": "matlab:1", "no_kill": True, "nice": 0},
        setup=["module load cuda"],
        environment={"HF_HUB_OFFLINE": "1"},
    )
    found = parameters(text)
    assert found == {
        "account": "me",
        "array": "0-2%2",
        "chdir": str(tmp_path),
        "cpus-per-task": "4",
        "dependency": "afterany:7:8",
        "exclusive": "",
        "gpus-per-node": "a100:2",
        "job-name": "sub.0",
        "licenses": "matlab:1",
        "mem": "1536M",
        "nice": "0",
        "no-kill": "",
        "nodes": "1",
        "open-mode": "append",
        "output": f"{tmp_path}/sub/array-0_%a.log",
        "partition": "gpu",
        "requeue": "",
        "signal": "B:USR2@120",
        "time": "30",
    }
    assert text.index("module load cuda") < text.index("launchers.worker.element")
    assert "export HF_HUB_OFFLINE=1" in text


def test_what_is_not_configured_is_left_to_slurm(tmp_path: Path) -> None:
    found = parameters(script(tmp_path, packs=1))
    assert found["array"] == "0-0"
    assert not {"mem", "partition", "account", "gpus-per-node", "gres", "wckey", "exclusive", "dependency"} & set(found)


@pytest.mark.parametrize("word", HOSTILE)
def test_no_word_breaks_out_of_its_place(tmp_path: Path, word: str) -> None:
    place = tmp_path / word.replace("/", "")
    place.mkdir()
    text = script(place, comment=word, environment={"WORD": word})
    assert parameters(text)["comment"] == word
    assert parameters(text)["output"].replace("%%", "%") == f"{place}/sub/array-0_%a.log"
    shown = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("export ")) + 'printf %s "$WORD"'
    done = subprocess.run(["bash", "-c", shown], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == word
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    ("worker", "restarts", "status", "then"),
    [
        ("exit 0", 0, 0, ""),
        ("exit 1", 0, 1, ""),
        ("kill -9 $$", 0, 137, BACK),
        ("kill -9 $$", 1, 137, ""),
        ("kill -12 $$", 0, 140, BACK),
        ("kill -15 $$", 0, 143, STAYS),
        ("exit 75", 9, 75, BACK),  # the worker itself counts how often
    ],
)
def test_a_killed_worker_goes_back_to_the_queue(
    tmp_path: Path, worker: str, restarts: int, status: int, then: str
) -> None:
    note = f"echo $* >> {tmp_path}/said"
    bin = commands(tmp_path, python=worker, scontrol=note, sleep=note)
    text = script(tmp_path, python=str(bin / "python"))
    variables = {"SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "2", "SLURM_RESTART_COUNT": str(restarts)}
    done = subprocess.run(
        ["bash", "-c", text], env={"PATH": f"{bin}:/usr/bin:/bin", **variables}, capture_output=True, check=False
    )
    assert done.returncode == status
    said = (tmp_path / "said").read_text() if (tmp_path / "said").exists() else ""
    assert said == then


def test_signals_reach_the_worker_and_its_exit_status_counts(tmp_path: Path) -> None:
    bin = commands(
        tmp_path, python="trap 'exit 7' TERM; trap 'echo usr2' USR2; echo ready; while :; do sleep 0.1; done"
    )
    text = script(tmp_path, python=str(bin / "python"))
    process = subprocess.Popen(
        ["bash", "-c", text], env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(12)
    assert process.stdout.readline() == "usr2\n"
    process.terminate()
    assert process.wait(10) == 7
    process.stdout.close()


@pytest.mark.parametrize(("signal", "then"), [("TERM", STAYS), ("USR2", BACK)])
def test_a_signal_before_the_worker_can_take_it(tmp_path: Path, signal: str, then: str) -> None:
    """In a grace time the element stays, else it goes back to the queue."""
    note = f"echo $* >> {tmp_path}/said"
    bin = commands(tmp_path, python="while :; do :; done", scontrol=note, sleep=note)
    text = script(tmp_path, python=str(bin / "python"), setup=[f"kill -{signal} $$"])
    variables = {"PATH": f"{bin}:/usr/bin:/bin", "SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "2"}
    subprocess.run(["bash", "-c", text], env=variables, check=False, timeout=60)
    assert (tmp_path / "said").read_text() == then


def test_a_missing_interpreter_is_said_in_words(tmp_path: Path) -> None:
    text = script(tmp_path, python="/nowhere/python -X dev")
    done = subprocess.run(["bash", "-c", text], env={"PATH": "/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "no /nowhere/python on this node" in done.stderr


@pytest.mark.parametrize("python", ["~/python -X dev", "$PLACE/python"])
def test_the_interpreter_stands_where_the_shell_finds_it(tmp_path: Path, python: str) -> None:
    bin = commands(tmp_path, python="echo started")
    text = script(tmp_path, python=python, setup=[f"PLACE={bin}"])
    done = subprocess.run(
        ["bash", "-c", text], env={"PATH": "/bin", "HOME": str(bin)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


def test_the_job_after_the_last_array_is_in_the_container_of_the_others(tmp_path: Path) -> None:
    more = {"container-image": "heads.sqsh", "no_container_mount_home": True, "gpus": 4}
    text = Scripts(SubmissionFolder(tmp_path / "sub"), SlurmConfig(additional_parameters=more), "/", []).after_last([])
    assert parameters(text).items() >= {"container-image": "heads.sqsh", "no-container-mount-home": ""}.items()
    assert "gpus" not in parameters(text)


def test_the_job_after_the_last_array_has_resources_of_its_own(tmp_path: Path) -> None:
    after = AfterConfig(command="python -m analysis", partition="cpu", timeout_min=5)
    settings = SlurmConfig(gpus_per_node="1", partition="gpu", account="me", constraint="a100", after=after)
    text = Scripts(SubmissionFolder(tmp_path / "sub"), settings, str(tmp_path), []).after_last(["3", "4"])
    found = parameters(text)
    assert (found["partition"], found["time"], found["account"]) == ("cpu", "5", "me")
    assert found["dependency"] == "afterany:3:4"
    assert "requeue" in found, "after preemption, or the death of its node"
    assert not {"gpus-per-node", "constraint", "array"} & set(found)


def commands(folder: Path, **bodies: str) -> Path:
    bin = folder / "bin"
    bin.mkdir()
    for name, body in bodies.items():
        (bin / name).write_text(f"#!/bin/bash\n{body}\n")
        (bin / name).chmod(0o755)
    return bin
