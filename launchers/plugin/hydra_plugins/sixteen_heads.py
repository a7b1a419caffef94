"""The thin classes that Hydra finds: it accepts launchers only within the namespace package `hydra_plugins`."""

import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from launchers.config import LocalPoolConfig, Settings, SlurmConfig
from launchers.errors import LauncherError
from launchers.sweep.sweep import Sweep, SweepError

for _name, _schema in (("slurm", SlurmConfig), ("local_pool", LocalPoolConfig)):
    ConfigStore.instance().store(group="schema/launcher", name=_name, node=_schema, provider="sixteen-heads")
OmegaConf.register_new_resolver("quoted", shlex.quote, replace=True)  # a value within a command of the shell


class LauncherConfigs(SearchPathPlugin):
    """`hydra/launcher=slurm`, `local_pool` and `serial` for every Hydra program, after its own configuration."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folder of their YAML files."""
        search_path.append("sixteen-heads", "pkg://launchers.conf")


class GridSweeper(BasicSweeper):
    """`hydra/sweeper=grid`: all combinations of values, as Hydra's own, or those of several grids in one sweep.

    Hydra's own composes every job once more before the launcher does.

    Attributes:
        grids: what each grid has besides the parameters of all: its jobs are all combinations of both. The command line
            comes last.
    """

    def __init__(
        self,
        max_batch_size: int | None,
        params: dict[str, str] | None = None,
        grids: Sequence[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.grids = grids or [{}]

    def split_arguments(  # pyright: ignore[reportIncompatibleMethodOverride] Hydra calls it on the object
        self, overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """The jobs of all grids, in batches; those of the parameters stand first among `overrides`."""
        shared, typed = overrides[: len(self.params)], overrides[len(self.params) :]
        parser, jobs = OverridesParser.create(), []
        for grid in self.grids:
            own = parser.parse_overrides([f"{name}={value}" for name, value in grid.items()])
            (combined,) = BasicSweeper.split_arguments([*shared, *own, *typed], None)
            jobs += combined
        return list(self.split_overrides_to_chunks(jobs, max_batch_size))

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """The launchers here find the faults of all jobs before they start one."""


class _SweepLauncher(Launcher):
    """Hands Hydra's sweep to a function of `launchers`, imported when it is needed."""

    def __init__(self, **_: Any) -> None: ...

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives before a sweep."""
        self._context, self._task, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a sweep."""
        try:
            return self.run(job_overrides, initial_job_idx)
        except LauncherError as error:
            raise SweepError(str(error)) from error

    def run(self, job_overrides: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        """Run a sweep."""
        raise NotImplementedError

    def sweep(self, job_overrides: Sequence[Sequence[str]], first: int, *, planning: bool = False) -> Sweep:
        """Compose all jobs."""
        return Sweep.compose(self._context, self._task, self._config, job_overrides, first, planning=planning)

    def settings(self, schema: type[Settings]) -> Settings:
        """How the launcher is configured."""
        given = OmegaConf.to_container(self._config.hydra.launcher, resolve=True)
        assert isinstance(given, dict)
        allowed = [field.name for field in fields(schema)]
        unknown = [str(name) for name in given if name not in allowed]
        if unknown:
            known = ", ".join(name for name in allowed if name != "_target_")
            raise LauncherError(f"hydra.launcher.{unknown[0]} is not a field of {schema.__name__}; allowed are {known}")
        settings = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), given))
        assert isinstance(settings, schema)
        settings.check()
        settings.name = settings.name or self._config.hydra.job.name
        return settings


class SerialLauncher(_SweepLauncher):
    """`hydra/launcher=serial`: one job after the other, in this process."""

    def run(self, job_overrides: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        """Run a sweep."""
        from launchers.local import serial

        return serial.run(self.sweep(job_overrides, first))


class FetchLauncher(_SweepLauncher):
    """`study fetch`: download all that the jobs need, run none."""

    def run(self, job_overrides: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        """Download."""
        from launchers.local import serial

        return serial.fetch(self.sweep(job_overrides, first))


class SlurmLauncher(_SweepLauncher):
    """`hydra/launcher=slurm`: hand the jobs to a cluster, and return."""

    def run(self, job_overrides: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        """Submit a sweep."""
        from launchers.slurm import launcher

        settings = self.settings(SlurmConfig)
        return launcher.run(self.sweep(job_overrides, first, planning=settings.plan), settings)


class LocalPoolLauncher(_SweepLauncher):
    """`hydra/launcher=local_pool`: several jobs at a time on this machine."""

    def run(self, job_overrides: Sequence[Sequence[str]], first: int) -> Sequence[JobReturn]:
        """Run a sweep."""
        from launchers.local import pool

        settings = self.settings(LocalPoolConfig)
        return pool.run(self.sweep(job_overrides, first, planning=settings.plan), settings)
