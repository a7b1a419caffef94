"""The config of a run of W&B: what of a job's configuration one would group or filter runs by.

That is what was asked for: models, data and measures by name, and what decides a number. Left out is where things lie,
how a file is read, how fast it goes and where it is shown; and what is not set.
"""

from collections.abc import Mapping
from typing import Any

from study.record.factors import AXES

FACTORS = ("domain", *(axis for axis in AXES if axis not in ("data", "precision")))
"""Where the domain of a run of effects stands, beside its precision."""

SECTIONS = (
    *("model", "data", "measure", "precision", "shard", "shards", "inference", "signature", "subjects"),
    *FACTORS,
)
"""Sections of the configuration of a job, and of what `analysis push` says of its own runs."""

DATA_OPTIONS = ("name", "limit")
"""A data set is known by its name; how its file is read decides nothing that one would compare."""

SERVING = (
    *("task", "expected", "check_labels", "path", "folder", "url", "checkpoint", "bpe_codes", "labels", "file"),
    *("small", "threads", "record_every", "save_every", "evaluate_every", "keep"),
)
"""Options that say where models lie, what is expected of them, and when a training writes."""


def wandb_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a configuration, all of which is given as JSON values."""
    chosen = {name: config[name] for name in SECTIONS if name in config}
    if chosen.get("shards") == 1:
        del chosen["shard"], chosen["shards"]
    if chosen.get("precision") == "screened":
        chosen["screening"] = config.get("screening")
    if chosen.get("precision") == "cascade":
        chosen["cascade"] = config.get("cascade")
    return _set(chosen)


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in values.items():
        is_idle = name.startswith("untrained") and not values["untrained"]
        if name in SERVING or value in (None, "", [], {}) or is_idle:
            continue
        if isinstance(value, Mapping) and name in ("data", "train", "dev"):
            value = {key: value[key] for key in DATA_OPTIONS if key in value}
        shown[name] = _set(value) if isinstance(value, Mapping) else value
    return shown
