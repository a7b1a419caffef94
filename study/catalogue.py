"""What there is to run: `study list` prints experiments, models, data and measures, and what each still needs."""

from collections.abc import Iterator
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf
from rich.console import Console
from rich.table import Column, Table

from study.config import CONF, compose, description, options
from study.data.source import DataSource
from study.errors import StudyError
from study.subjects.source import ModelSource

GROUPS = ("experiment", "model", "data", "measure")


def print_catalogue(console: Console | None = None) -> None:
    """Print a table for each config group."""
    console = console or Console()
    for group in GROUPS:
        table = Table(Column(group, no_wrap=True), "what it is", Column("needs", overflow="fold"))
        for name in options(group):
            table.add_row(name, description(group, name), needs(group, name))
        console.print(table)
    console.print("Run one with `study experiment=NAME`, or `study model=NAME data=NAME measure=NAME`.")


def needs(group: str, name: str) -> str:
    """What must be given or fetched before this entry can be used; `ready` when nothing."""
    if group == "measure":
        return ""
    if group == "experiment":
        params = OmegaConf.load(CONF / group / f"{name}.yaml").hydra.sweeper.params
        configs = [compose(f"{group}={name}", f"data={data}") for data in params.data.split(",")]
        wanted = [need for config in configs for part in ("model", "data") for need in _needs(config[part], part)]
    else:
        wanted = _needs(compose(f"{group}={name}")[group], group)
    return "; ".join(dict.fromkeys(wanted)) or "ready"


def _needs(config: DictConfig, part: str) -> list[str]:
    to_give = sorted(_mandatory(OmegaConf.to_container(config), part))
    if to_give:
        return [f"{name}=..." for name in to_give]
    source = OmegaConf.to_object(config)
    assert isinstance(source, ModelSource | DataSource)
    try:
        return source.missing()
    except StudyError as error:
        return [str(error)]


def _mandatory(values: Any, name: str) -> Iterator[str]:
    """Names of the values below one that have none; those that are made of them by interpolation do not count."""
    if values == MISSING:
        yield name
    elif isinstance(values, dict):
        for key, value in values.items():
            yield from _mandatory(value, f"{name}.{key}")
