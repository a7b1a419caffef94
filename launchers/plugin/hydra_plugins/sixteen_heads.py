"""The thin classes that Hydra finds: it accepts launchers only within the namespace package `hydra_plugins`."""

from collections.abc import Callable, Sequence

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from launchers import serial
from launchers.sweep import Sweep


class _SweepLauncher(Launcher):
    """Hands Hydra's sweep to a function of `launchers`."""

    action: Callable[[Sweep], list[JobReturn]]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what Hydra gives before a sweep."""
        self._setup = (hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a sweep."""
        return type(self).action(Sweep.compose(*self._setup, job_overrides, initial_job_idx))


class SerialLauncher(_SweepLauncher):
    """`hydra/launcher=serial`: one job after the other, in this process."""

    action = staticmethod(serial.run)


class FetchLauncher(_SweepLauncher):
    """`study fetch`: download all that the jobs need, run none."""

    action = staticmethod(serial.fetch)
