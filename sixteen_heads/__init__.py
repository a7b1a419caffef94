"""The front door: the console script `study`, and what a notebook imports.

>>> import sixteen_heads as heads
>>> home = heads.Model("toy_classifier", "toy_matched").effects()
>>> away = heads.Model("toy_classifier", "toy_mismatched").effects()
>>> heads.correlation(home, away)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sixteen_heads.notebook import (
        AttentionMaps,
        ChosenSets,
        Correlation,
        Effects,
        GatedTrainings,
        HeadPairs,
        LaterTasks,
        Model,
        ShapleyValues,
        correlation,
        gates,
        maps,
        pairs,
        read,
        second_tasks,
        shapley,
        sufficient,
    )

__version__: str
__all__ = [
    "AttentionMaps",
    "ChosenSets",
    "Correlation",
    "Effects",
    "GatedTrainings",
    "HeadPairs",
    "LaterTasks",
    "Model",
    "ShapleyValues",
    "correlation",
    "gates",
    "maps",
    "pairs",
    "read",
    "second_tasks",
    "shapley",
    "sufficient",
]


def __getattr__(name: str) -> Any:
    """Import what a notebook asks for when it does: the command line answers without it."""
    if name == "__version__":
        from importlib.metadata import version

        return version("sixteen-heads")
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from sixteen_heads.packages import require_own

    for package in ("analysis", "study"):
        require_own(package)
    from sixteen_heads import notebook

    return getattr(notebook, name)


def __dir__() -> list[str]:
    """What completion offers."""
    return [*__all__, "__version__"]
