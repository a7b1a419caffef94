"""The task function that Hydra hands a launcher, by a path under which another process finds it."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from launchers.errors import LauncherError
from launchers.sweep.composed import import_path, imported


def task_path(task: Callable[..., Any]) -> str:
    """Where another process finds a task: a function, or a class whose instances are called and take no arguments.

    Raises:
        LauncherError: when no other process can find it there.
    """
    is_function = inspect.isroutine(task) or isinstance(task, type)
    try:
        path = import_path(task if is_function else type(task))
        if (task if is_function else type(task)).__module__ != "__main__":  # a script would run a second time
            load_task(path)
    except (ValueError, ImportError, AttributeError, TypeError) as error:
        raise LauncherError(
            f"the task cannot be started by another process: {error}. It must be a function at the top of a module, or "
            "an instance of a class there whose constructor takes no arguments"
        ) from error
    return path


def load_task(path: str) -> Callable[..., Any]:
    """The task of a path; of a function that `hydra.main` decorates, what stands under the decorator."""
    found = imported(path)
    return found() if isinstance(found, type) else inspect.unwrap(found)


def import_paths() -> list[str]:
    """Folders that this process finds its modules in, and another would not: that of the script, and `PYTHONPATH`."""
    return [str(Path(path or ".").resolve()) for path in sys.path if path == "" or _is_own(Path(path))]


def _is_own(path: Path) -> bool:
    return path.is_dir() and not any(path.is_relative_to(prefix) for prefix in {sys.prefix, sys.base_prefix})
