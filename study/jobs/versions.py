"""Versions of what computes outcomes, as they are kept with them."""

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("sixteen-heads", "torch", "transformers", "sacrebleu", "sacremoses", "subword-nmt", "numpy")


@lru_cache(maxsize=1)
def versions_here() -> dict[str, Any]:
    """Versions of what computes, and the revision of the code where it runs from a clone."""

    def of(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {
        "packages": {"python": platform.python_version(), **{package: of(package) for package in PACKAGES}},
        "revision": _revision(Path(__file__)),
        "machine": platform.machine(),
    }


def _revision(source: Path) -> str | None:
    """The git revision of the clone that a source file belongs to; None where it is installed, or git is not."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", source.name)
        return git("describe", "--always", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return None
