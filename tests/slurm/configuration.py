"""What the daemons of the test cluster read: slurm.conf and its kin, as text."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Loopback ports of the daemons."""

    controller: int
    database: int
    sql: int
    nodes: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Node:
    """What each virtual node claims to have; the machine below need not.

    Attributes:
        cpus: number of CPUs.
        gpus: number of GPUs; each is a device that swallows what is written to it.
        memory: MB.
    """

    cpus: int = 4
    gpus: int = 2
    memory: int = 8000


def slurm_conf(folder: Path, ports: Ports, node: Node, *, accounting: bool) -> str:
    """A cluster of one machine, without cgroups: times are short, so that a test does not wait.

    Partitions: `main` is the default, `low` gives way to `high` with four seconds of grace, `main` with none. A job
    whose resident memory is above what it asked for is killed.
    """
    host = socket.gethostname().split(".")[0]
    claims = f"CPUs={node.cpus} RealMemory={node.memory} Gres=gpu:{node.gpus} State=UNKNOWN"
    nodes = [
        f"NodeName=n{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} {claims}"
        for number, port in enumerate(ports.nodes, start=1)
    ]
    lines = [
        "ClusterName=test",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmctldPort={ports.controller}",
        "AuthType=auth/munge",
        # the second says also how long a requeued job waits until it starts again: two minutes otherwise
        f"AuthInfo=socket={folder}/run/munge.socket,cred_expire=5",
        "CredType=cred/munge",
        "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny",
        "SlurmUser=root",
        "SlurmdUser=root",
        f"StateSaveLocation={folder}/state",
        f"SlurmdSpoolDir={folder}/spool/%n",
        f"SlurmctldPidFile={folder}/run/slurmctld.pid",
        f"SlurmdPidFile={folder}/run/%n.pid",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "MpiDefault=none",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_CPU_Memory",
        "DefMemPerCPU=2000",
        "SchedulerType=sched/backfill",
        "SchedulerParameters=bf_interval=2,sched_interval=5,sched_min_interval=0,batch_sched_delay=0",
        "PreemptType=preempt/partition_prio",
        "PreemptMode=REQUEUE",
        "SlurmctldParameters=preempt_send_user_signal",
        "JobRequeue=1",
        "ReturnToService=2",
        "SlurmdParameters=config_overrides",
        "SlurmdTimeout=6",
        "SlurmctldTimeout=10",
        "InactiveLimit=0",
        "KillWait=2",
        "UnkillableStepTimeout=30",
        "GresTypes=gpu",
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherFrequency=1",
        "JobAcctGatherParams=OverMemoryKill",
        "MaxArraySize=401",
        *(_accounting(folder, ports) if accounting else ["AccountingStorageType=accounting_storage/none"]),
        *nodes,
        "PartitionName=main Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=0",
        "PartitionName=low Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE GraceTime=4",
        "PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF",
    ]
    return "\n".join(lines) + "\n"


def gres_conf(folder: Path, ports: Ports, node: Node) -> str:
    """The fake GPUs of all nodes."""
    names = ",".join(f"n{number}" for number in range(1, len(ports.nodes) + 1))
    return "".join(f"NodeName={names} Name=gpu File={folder}/dev/nvidia{gpu}\n" for gpu in range(node.gpus))


def slurmdbd_conf(folder: Path, ports: Ports) -> str:
    """Of the daemon between the controller and the database."""
    lines = [
        "AuthType=auth/munge",
        f"AuthInfo=socket={folder}/run/munge.socket",
        "DbdHost=localhost",
        "DbdAddr=127.0.0.1",
        f"DbdPort={ports.database}",
        "SlurmUser=root",
        f"PidFile={folder}/run/slurmdbd.pid",
        "StorageType=accounting_storage/mysql",
        "StorageHost=127.0.0.1",
        f"StoragePort={ports.sql}",
        "StorageUser=slurm",
        "StoragePass=slurm",
        "StorageLoc=slurm_acct_db",
    ]
    return "\n".join(lines) + "\n"


def _accounting(folder: Path, ports: Ports) -> list[str]:
    return [
        "AccountingStorageType=accounting_storage/slurmdbd",
        "AccountingStorageHost=127.0.0.1",
        f"AccountingStoragePort={ports.database}",
        f"AccountingStoragePass={folder}/run/munge.socket",
        "AccountingStorageTRES=gres/gpu",
    ]
