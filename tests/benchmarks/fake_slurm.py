"""SLURM's commands as small scripts that keep books in a folder: what is sent is noted, nothing is run."""

from pathlib import Path

SBATCH = """
for script; do :; done
number=$(($(cat "$BOOKS/last") + 1))
echo $number > "$BOOKS/last"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
name=$(sed -n 's/^#SBATCH --job-name=//p' "$script" | tr -d "'\\"")
echo "$number ${last:--} $name" >> "$BOOKS/arrays"
echo "$*" >> "$BOOKS/options"
env > "$BOOKS/environment"
echo $number
"""

SQUEUE = """
echo >> "$BOOKS/asked"
for option; do case "$option" in --name=*) names=",${option#--name=}," ;; esac; done
awk -v names="$names" -v running="$(cat "$BOOKS/running")" '{
  if (index(names, "," $3 ",") == 0) next
  if ($2 == "-") { print $1 "|PENDING|Dependency|" $3; next }
  for (e = 0; e <= $2; e++) { print $1 "_" e (seen++ < running ? "|RUNNING|None|" : "|PENDING|Resources|") $3 }
}' "$BOOKS/arrays"
"""

SCANCEL = """
echo "$*" >> "$BOOKS/cancelled"
"""

SCONTROL = """
echo "MaxArraySize            = $(cat "$BOOKS/max_array")"
"""

SACCT = """
exit 0
"""


class FakeSlurm:
    """The scripts, in `bin`, and their books.

    Attributes:
        bin: to stand first on the PATH.
    """

    def __init__(self, folder: Path, *, max_array: int = 1001) -> None:
        """Write them."""
        self.bin, self._books = folder / "bin", folder / "books"
        for each in (self.bin, self._books):
            each.mkdir(parents=True)
        for name, content in {"last": 0, "running": 0, "max_array": max_array}.items():
            (self._books / name).write_text(f"{content}\n")
        for name in ("arrays", "asked"):
            (self._books / name).touch()
        scripts = {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": SCANCEL, "scontrol": SCONTROL, "sacct": SACCT}
        for name, script in scripts.items():
            (self.bin / name).write_text(f"#!/bin/sh\nBOOKS='{self._books}'\n{script.lstrip()}")
            (self.bin / name).chmod(0o755)

    def run(self, number: int) -> None:
        """So many elements run from now on, the others wait."""
        (self._books / "running").write_text(f"{number}\n")

    def asked(self) -> int:
        """How often squeue was."""
        return len((self._books / "asked").read_text().splitlines())

    def options(self) -> list[str]:
        """What sbatch was given, and the script, each time."""
        return (self._books / "options").read_text().splitlines()

    def environment(self) -> dict[str, str]:
        """Of the last sbatch."""
        lines = (self._books / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def arrays(self) -> dict[str, int]:
        """Elements of each array that was sent, by its number; 1 for a job that is none."""
        rows = [line.split() for line in (self._books / "arrays").read_text().splitlines()]
        return {number: 1 if last == "-" else int(last) + 1 for number, last, _ in rows}
