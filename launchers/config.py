"""What can be configured of `hydra/launcher=slurm` and `local_pool`; Hydra refuses any other name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from launchers.errors import LauncherError

LEAST = dict.fromkeys(
    ("retries", "processes", "at_once", "max_array", "requeues", "signal_delay_s", "mem_gb", "after.mem_gb"), 0
) | dict.fromkeys(
    ("pack", "array_parallelism", "timeout_min", "cpus_per_task", "after.timeout_min", "after.cpus_per_task"), 1
)
"""The least value of each number."""


@dataclass(kw_only=True)
class AfterConfig:
    """What comes after the last job.

    Attributes:
        command: a command of the shell, run once all jobs have ended, whatever became of them.
        sync: a second command, run after that one: what needs a network.
        partition: where it runs, if not where the jobs do.
        timeout_min: most minutes.
        cpus_per_task: its cores.
        mem_gb: its memory; 0 leaves it to SLURM.
    """

    command: str = ""
    sync: str = ""
    partition: str = ""
    timeout_min: int = 60
    cpus_per_task: int = 1
    mem_gb: float = 0.0


@dataclass(kw_only=True)
class LauncherConfig:
    """What `slurm` and `local_pool` share.

    Attributes:
        folder: where all sweeps are kept, on a file system that every node sees.
        name: name of the sweep, as people know it; None: the program's name.
        plan: say what would be done, do nothing.
        retries: how often a job is tried again that was killed (not one that raised an error).
        environment: variables of the jobs.
        after: what comes after the last job.
    """

    folder: str = "sweeps"
    name: str | None = None
    plan: bool = False
    retries: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    after: AfterConfig = field(default_factory=AfterConfig)

    def path(self) -> Path:
        """The folder, from the root of the file system."""
        return Path(self.folder).expanduser().absolute()

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            LauncherError: with all of them.
        """
        given = {**vars(self), **{f"after.{name}": value for name, value in vars(self.after).items()}}
        faults = [
            f"hydra.launcher.{name} is {value}, the least is {LEAST[name]}"
            for name, value in given.items()
            if name in LEAST and not value >= LEAST[name]
        ]
        if faults:
            raise LauncherError("; ".join(faults))


Settings = TypeVar("Settings", bound=LauncherConfig)


@dataclass(kw_only=True)
class LocalPoolConfig(LauncherConfig):
    """Several jobs at a time on this machine.

    Attributes:
        processes: jobs beside each other; 0: one for each GPU, without one a share of the cores.
    """

    _target_: str = "hydra_plugins.sixteen_heads.LocalPoolLauncher"
    processes: int = 0


@dataclass(kw_only=True)
class SlurmConfig(LauncherConfig):
    """Jobs on a cluster.

    Attributes:
        pack: jobs in an element of an array: small ones share an allocation.
        at_once: jobs of an element that run beside each other; 0: all of them.
        array_parallelism: most elements that run at the same time.
        max_array: most elements of an array; 0: as SLURM's MaxArraySize says.
        requeues: how often an element goes back to the queue that ran into its time limit.
        signal_delay_s: so many seconds before the time limit the jobs are told to store what they have.
        timeout_min: time limit of an element, in minutes.
        cpus_per_task: cores of an element.
        mem_gb: memory of an element; 0 leaves it to SLURM.
        mem_per_cpu: memory for each core, as sbatch takes it.
        gpus_per_node: GPUs of an element, as sbatch takes it (`1`, `a100:2`).
        gres: generic resources, where a cluster knows GPUs as such (`gpu:a100:2`).
        partition: partition of sbatch.
        account: account of sbatch.
        qos: quality of service.
        constraint: features that nodes must have.
        reservation: reservation to run in.
        nodelist: nodes to run on.
        exclude: nodes to keep away from.
        comment: a comment in SLURM's books.
        exclusive: whole nodes.
        additional_parameters: any other parameter of sbatch by its name; `true` for one without a value.
        setup: lines of shell before the worker: `module load ...`.
        python: the interpreter on the nodes, or a command that starts it; empty: this one.
        snapshot: the jobs run a copy of the code as it is now.
    """

    _target_: str = "hydra_plugins.sixteen_heads.SlurmLauncher"
    pack: int = 1
    at_once: int = 1
    array_parallelism: int = 256
    max_array: int = 0
    requeues: int = 20
    signal_delay_s: int = 120
    timeout_min: int = 240
    cpus_per_task: int = 1
    mem_gb: float = 0.0
    mem_per_cpu: str = ""
    gpus_per_node: str = ""
    gres: str = ""
    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    reservation: str = ""
    nodelist: str = ""
    exclude: str = ""
    comment: str = ""
    exclusive: bool = False
    additional_parameters: dict[str, Any] = field(default_factory=dict)
    setup: list[str] = field(default_factory=list)
    python: str = ""
    snapshot: bool = False

    def resources(self) -> dict[str, Any]:
        """Parameters of sbatch for an element of an array, by their names; empty ones are left out."""
        same = ("cpus_per_task", "mem_per_cpu", "gpus_per_node", "gres", "exclusive", "partition")
        return {
            "time": self.timeout_min,
            "mem": _megabytes(self.mem_gb),
            **{name: getattr(self, name) for name in (*same, "constraint", "nodelist", "exclude")},
            **self._shared(),
            **self.additional_parameters,
        }

    def after_resources(self) -> dict[str, Any]:
        """Parameters of sbatch for the job after the last array: without GPUs, in the same container."""
        return {
            "time": self.after.timeout_min,
            "cpus_per_task": self.after.cpus_per_task,
            "mem": _megabytes(self.after.mem_gb),
            "partition": self.after.partition or self.partition,
            **self._shared(),
            **{name: value for name, value in self.additional_parameters.items() if "container" in name},
        }

    def _shared(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("account", "qos", "reservation", "comment")}


def _megabytes(gigabytes: float) -> str:
    return f"{round(gigabytes * 1024)}M" if gigabytes else ""


def read_settings(values: Mapping[str, Any], schema: type[Settings]) -> Settings:
    """Settings as they stand in a sweep's file."""
    return schema(**{**values, "after": AfterConfig(**values["after"])})
