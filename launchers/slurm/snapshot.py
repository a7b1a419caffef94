"""A copy of the code as it is now, so that editing it while jobs wait in the queue is harmless."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from launchers.errors import LauncherError

KINDS = ("*.py", "*.yaml", "*.yml", "*.json", "*.toml", "*.txt")
"""What is code in a folder that git does not know."""


def take_snapshot(paths: Sequence[str], folder: Path, sweeps: Path) -> list[str]:
    """Copy the code of a program.

    What git tracks or does not ignore, where a folder is of a git repository; else files of the usual kinds.

    Args:
        paths: the folders in which the program's modules are found.
        folder: the copies go into it.
        sweeps: the folder of all sweeps, which is no code.

    Returns:
        Where the modules are found in the copies.

    Raises:
        LauncherError: when something cannot be copied.
    """
    roots = [Path(path) for path in paths]
    outer = [root for root in dict.fromkeys(roots) if not any(root != o and root.is_relative_to(o) for o in roots)]
    copies = {root: folder / f"{number}-{root.name}" for number, root in enumerate(outer)}
    for root, copy in copies.items():
        try:
            for name in (name for name in _files(root) if not (root / name).is_relative_to(sweeps.resolve())):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name)
        except OSError as error:
            raise LauncherError(f"cannot copy the code of {root} to {folder}: {error}") from error
    found = ((path, root) for path in roots for root in outer if path.is_relative_to(root))
    return [str(copies[root] / path.relative_to(root)) for path, root in found]


def _files(root: Path) -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        return [Path(name) for name in listed.split("\0") if name and (root / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        found = [path.relative_to(root) for kind in KINDS for path in root.rglob(kind)]
        return [path for path in found if not any(part.startswith(".") for part in path.parts)]
