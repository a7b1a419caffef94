"""The packages of this project, which a user's own file of the same name must not stand in for."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def require_own(name: str) -> None:
    """Refuse to go on where a package is not this project's.

    Args:
        name: name of a top-level package: `study`, `analysis`, `launchers`.

    Raises:
        ImportError: when a file of the same name, found first, hides it.
    """
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None or Path(found.origin).parents[1] != ROOT:
        where = found.origin if found is not None else None
        raise ImportError(
            f"`{name}` is {where or 'not there'}, which hides the package of sixteen-heads: rename that file"
        )
