"""What there is to run: `study list` prints experiments, models, data and measures, and what each still needs."""

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from study.config import CONF, compose, description, options
from study.data.source import DataSource
from study.errors import StudyError
from study.subjects.source import ModelSource

GROUPS = ("experiment", "model", "data", "measure")


def print_catalogue(console: Console | None = None) -> None:
    """Print a table for each config group."""
    console = console or Console()
    for group in GROUPS:
        table = Table(group, "what it is")
        table.add_column("needs", overflow="fold")
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
    given = sorted(key.rpartition(".")[2] for key in OmegaConf.missing_keys(config))
    if given:
        return [f"{part}.{key}=..." for key in given]
    source = OmegaConf.to_object(config)
    assert isinstance(source, ModelSource | DataSource)
    try:
        return source.missing()
    except StudyError as error:
        return [str(error)]
