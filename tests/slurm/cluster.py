"""A real SLURM on this machine, on loopback only: virtual nodes, fake GPUs, accounting, preemption.

    python tests/slurm/cluster.py                          a shell in which sbatch, squeue ... reach the cluster
    python tests/slurm/cluster.py make study LAUNCHER=slurm     or any other command

The cluster lives as long as the command. It needs root and Debian's packages (`make slurm-packages`), no systemd, no
cgroups, no network.
"""

import argparse
import fcntl
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
from configuration import Node, Ports, gres_conf, slurm_conf, slurmdbd_conf
from daemons import ClusterError, Daemon, processes_with, program, succeeds

NODES = 3
DAEMONS = ("munged", "slurmctld", "slurmd")
ACCOUNTING_DAEMONS = ("slurmdbd", "mariadbd", "mariadb-install-db")
LONGEST_FOLDER = 80
"""Characters: the path of a socket within it has at most 107."""


class Cluster:
    """A cluster whose daemons are children of this process.

    Attributes:
        folder: its state, configuration and logs; emptied at the start.
        environment: of a process that talks to it.
        accounting: whether it remembers jobs in a database (sacct).
    """

    def __init__(self, folder: Path, *, accounting: bool = True, nodes: int = NODES, node: Node | None = None) -> None:
        """Nothing is started yet.

        Args:
            folder: as above.
            accounting: as above.
            nodes: how many virtual nodes, `n1` and so on.
            node: what each of them has.

        Raises:
            ClusterError: when this machine cannot run it.
        """
        if os.geteuid() != 0:
            raise ClusterError("SLURM's daemons need root")
        if len(str(folder.resolve())) > LONGEST_FOLDER:
            raise ClusterError(f"{folder}: the name of a socket within it would be too long; choose a shorter folder")
        for name in (*DAEMONS, *(ACCOUNTING_DAEMONS if accounting else ())):
            program(name)
        self.folder, self.accounting = folder.resolve(), accounting
        self._node = node or Node()
        controller, database, sql, *of_nodes = _free_ports(3 + nodes)
        self._ports = Ports(controller=controller, database=database, sql=sql, nodes=of_nodes)
        self.environment: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))},
            "SLURM_CONF": str(self.folder / "etc" / "slurm.conf"),
        }
        self._daemons: dict[str, Daemon] = {}

    @property
    def nodes(self) -> list[str]:
        """Their names."""
        return [f"n{number}" for number in range(1, len(self._ports.nodes) + 1)]

    @contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Up within the block, down after it, whatever happens there; one cluster at a time in a folder."""
        with _only_one(self.folder), ExitStack() as stack:
            stack.callback(self._down)
            self._write_files()
            self._start_munge()
            if self.accounting:
                self._start_database()
            self._start_controller()
            for node in self.nodes:
                self.start_node(node)
            self._daemons["slurmctld"].wait_until(lambda: all(self.state_of(node) == "idle" for node in self.nodes))
            yield self

    @contextmanager
    def without_accounting(self) -> Iterator[None]:
        """As on a cluster that has no database: sacct knows nothing within the block."""
        self._remember(accounting=False)
        try:
            yield
        finally:
            self._remember(accounting=True)

    @contextmanager
    def without_controller(self) -> Iterator[None]:
        """As where the controller is down within the block; nodes and what runs there go on.

        It ends in good order: killed, it may forget jobs and give their numbers to others, at which nodes are drained.
        """
        self._daemons.pop("slurmctld").stop()
        try:
            yield
        finally:
            self._start_controller()

    def ask(self, *command: str) -> str:
        """What a client of SLURM prints: `ask("squeue", "--noheader")`."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def state_of(self, node: str) -> str:
        """Of a node: idle, mixed, allocated, down ..."""
        return self.ask("sinfo", "--noheader", "--partition=main", f"--nodes={node}", "--format=%T")

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self._start(node, program("slurmd"), "-D", "-N", node)

    def cut_power(self, node: str) -> None:
        """Kill a node's daemon and everything that runs there."""
        self.kill_daemon(node)
        running = processes_with(SLURM_CONF=self.environment["SLURM_CONF"], SLURMD_NODENAME=node)
        steps = [above for process in running for above in process.parents() if above.name() == "slurmstepd"]
        for process in [*steps, *running]:  # steps first: what watches a process must not live to tell of its end
            process.kill()

    def kill_daemon(self, name: str) -> None:
        """Kill a daemon, `n1` for instance; what it started goes on."""
        self._daemons.pop(name).kill()

    def processes(self, element: str, word: str = "") -> list[psutil.Process]:
        """What runs for an element of an array (`12_3`): all of it, or what has a word in its command line."""
        array, _, task = element.partition("_")
        running = processes_with(
            SLURM_CONF=self.environment["SLURM_CONF"], SLURM_ARRAY_JOB_ID=array, SLURM_ARRAY_TASK_ID=task
        )
        return [process for process in running if word in " ".join(process.cmdline())]

    def kill(self, element: str, word: str = "") -> None:
        """Kill these."""
        chosen = self.processes(element, word)
        assert chosen, f"nothing of {element} runs that has '{word}'"
        for process in chosen:
            process.kill()

    def accounted(self, jobs: Sequence[str]) -> list[str]:
        """How jobs ended, element by element, as the accounting has it: `COMPLETED|0:0`."""
        fields = ["--noheader", "--parsable2", "--allocations", "--format=state,exitcode"]
        return self.ask("sacct", *fields, f"--jobs={','.join(jobs)}").splitlines() if jobs else []

    def _remember(self, *, accounting: bool) -> None:
        self._daemons.pop("slurmctld").stop()
        self._write_slurm_conf(accounting)
        self._start_controller()

    def _write_slurm_conf(self, accounting: bool) -> None:
        text = slurm_conf(self.folder, self._ports, self._node, accounting=accounting)
        (self.folder / "etc" / "slurm.conf").write_text(text)

    def _start(self, name: str, *command: str) -> Daemon:
        log = self.folder / "log" / f"{name}.log"
        self._daemons[name] = Daemon(name, command, log, self.environment)
        return self._daemons[name]

    def _write_files(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("etc", "run", "log", "state", "dev", *(f"spool/{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        for gpu in range(self._node.gpus):
            os.mknod(self.folder / "dev" / f"nvidia{gpu}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        etc = self.folder / "etc"
        self._write_slurm_conf(self.accounting)
        (etc / "gres.conf").write_text(gres_conf(self.folder, self._ports, self._node))
        (etc / "slurmdbd.conf").touch(mode=0o600)
        (etc / "slurmdbd.conf").write_text(slurmdbd_conf(self.folder, self._ports))
        (self.folder / "run" / "munge.key").touch(mode=0o600)
        (self.folder / "run" / "munge.key").write_bytes(os.urandom(128))

    def _start_munge(self) -> None:
        run = self.folder / "run"
        files = [f"--{what}-file={run}/munge.{what}" for what in ("key", "pid", "seed")]
        munge = self._start(
            "munged", program("munged"), "--foreground", "--force", f"--socket={run}/munge.socket", *files
        )
        munge.wait_until(lambda: succeeds("munge", "--no-input", f"--socket={run}/munge.socket"))

    def _start_database(self) -> None:
        data, sock = f"--datadir={self.folder}/mysql", f"--socket={self.folder}/run/mysql.socket"
        make = [program("mariadb-install-db"), "--no-defaults", "--user=root", data, "--skip-test-db"]
        subprocess.run(
            [*make, "--auth-root-authentication-method=normal"], check=True, capture_output=True, env=self.environment
        )
        small = ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--innodb-flush-log-at-trx-commit=0"]
        options = ["--bind-address=127.0.0.1", f"--port={self._ports.sql}", "--innodb-lock-wait-timeout=900", *small]
        sql = self._start("mariadbd", program("mariadbd"), "--no-defaults", "--user=root", data, sock, *options)
        client = ["mariadb", "--no-defaults", "--user=root", sock]
        sql.wait_until(lambda: succeeds(*client, "--execute=select 1"))
        rights = "".join(
            f"create user 'slurm'@'{host}' identified by 'slurm'; grant all on slurm_acct_db.* to 'slurm'@'{host}';"
            for host in ("localhost", "127.0.0.1")
        )
        subprocess.run([*client, f"--execute=create database slurm_acct_db; {rights}"], check=True)
        accounting = self._start("slurmdbd", program("slurmdbd"), "-D")
        accounting.wait_until(lambda: succeeds("sacctmgr", "show", "cluster", environment=self.environment))

    def _start_controller(self) -> None:
        controller = self._start("slurmctld", program("slurmctld"), "-D")
        controller.wait_until(lambda: succeeds("scontrol", "ping", environment=self.environment))

    def _down(self) -> None:
        if "slurmctld" in self._daemons:
            succeeds("scancel", "--quiet", "--user=root", environment=self.environment)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and self.ask("squeue", "--noheader"):
                time.sleep(0.2)
        for name in reversed(list(self._daemons)):
            self._daemons.pop(name).stop()
        for process in processes_with(SLURM_CONF=self.environment["SLURM_CONF"]):
            if process.name() == "slurmstepd" or "SLURM_JOB_ID" in process.environ():
                process.kill()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Wait until no other cluster lives in a folder, and keep others out."""
    with Path(f"{folder}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for the cluster in {folder} to end ...", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def main() -> None:
    """Run a command, a shell by default, with a cluster around it; its exit status is that of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=default_folder(), help="for state and logs (%(default)s)")
    parser.add_argument("--without-accounting", action="store_true", help="no database: sacct knows nothing")
    parser.add_argument("--nodes", type=int, default=NODES, help="how many (%(default)s)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run in it")
    given = parser.parse_args()
    try:
        cluster = Cluster(given.folder, accounting=not given.without_accounting, nodes=given.nodes)
        with cluster.running():
            print(f"up: {len(cluster.nodes)} nodes; SLURM_CONF={cluster.environment['SLURM_CONF']}", file=sys.stderr)
            command = given.command or [os.environ.get("SHELL", "sh")]
            raise SystemExit(subprocess.run(command, env=cluster.environment, check=False).returncode)
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def default_folder() -> Path:
    """`$HEADS_SLURM`, otherwise one among the temporary ones."""
    return Path(os.environ.get("HEADS_SLURM") or Path(tempfile.gettempdir()) / "sixteen-heads-slurm")


if __name__ == "__main__":
    main()
