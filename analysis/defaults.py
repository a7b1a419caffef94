"""The options that nobody gives: those of `defaults.yaml`, where their reasons stand, or of a file of the user's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from study.record.errors import InputError
from study.record.metrics import METRICS

DEFAULTS: Mapping[str, Any] = {
    **yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")),
    "margin": {name: kind.margin for name, kind in METRICS.items()},
    "within": {name: kind.within for name, kind in METRICS.items()},
}
"""By name; sizes that depend on the unit of the score are those of the metrics."""


def by_metric(sizes: Mapping[str, float] | float, metric: str) -> float:
    """The size for a metric by name, of sizes by metric or one for all."""
    return sizes[metric] if isinstance(sizes, Mapping) else sizes


def sized(usual: Mapping[str, float] | float, given: Sequence[tuple[str, float]]) -> Mapping[str, float] | float:
    """Sizes by metric or one for all, with what is given in their place: by metric, or for all under an empty name."""
    own = dict(given)
    every = own.pop("", usual)
    if not own:
        return every
    return {metric: by_metric(every, metric) for metric in METRICS} | own


def configured(file: Path | None = None) -> dict[str, Any]:
    """The defaults, with what a file says in their place.

    Args:
        file: YAML with any of their names; None for none.

    Raises:
        InputError: when it cannot be read, has an unknown name, or a value of another kind than the default.
    """
    if file is None:
        return dict(DEFAULTS)
    try:
        own = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read the options in {file}: {error}") from error
    return _laid_over(DEFAULTS, own, str(file))


def _laid_over(usual: Mapping[str, Any], own: Any, where: str) -> dict[str, Any]:
    """The values of `own` over the usual ones, name by name."""
    if not isinstance(own, Mapping):
        raise InputError(f"{where} must hold options by name, such as {next(iter(usual))}, and holds {own!r}")
    unknown = [str(name) for name in own if name not in usual]
    if unknown:
        raise InputError(f"{where}: no option {', '.join(unknown)}; there are {', '.join(usual)}")
    laid = dict(usual)
    for name, value in own.items():
        if isinstance(usual[name], Mapping) and _is_like(value, 0.0):
            laid[name] = float(value)
        elif isinstance(usual[name], Mapping):
            laid[name] = _laid_over(usual[name], value, f"{where}, {name}")
        elif not _is_like(value, usual[name]):
            raise InputError(f"{where}: {name} cannot be {value!r}; it is {usual[name]!r} where nothing is said")
        else:
            laid[name] = float(value) if isinstance(usual[name], float) else value
    return laid


def _is_like(value: Any, usual: Any) -> bool:
    """Whether a value is of the kind of the usual one: a text (or nothing), a number, a whole number."""
    if usual is None or isinstance(usual, str):
        return isinstance(value, str) or value is usual
    kinds = (int, float) if isinstance(usual, float) else int
    return isinstance(value, kinds) and not isinstance(value, bool)
