"""What Hydra composes: `study [OVERRIDES]` runs a job or a sweep; `fetch` and `prune` are told apart from it here."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NoReturn

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from study.command.answers import ALONE, command_of, without_config_folders
from study.command.misspelt import as_typed, nothing_chosen, sentence
from study.command.overrides import for_every_job, overrides_last, quoted
from study.config import in_full, register
from study.entry_files import CONF, FOLDERS
from study.jobs.task import StudyTask
from study.pruning.config import PruneConfig
from study.record.errors import InputError, Interruption, StudyError

KEPT = "What was computed is stored: the same command goes on from there"


def run(arguments: Sequence[str]) -> str | None:
    """Run a command.

    Returns:
        The results folder of its jobs; None where it has none.

    Raises:
        SystemExit: with status 1 when it cannot be done; the message is printed.
        Interruption: on Ctrl-C; says what is kept.
    """
    # Hydra prints every exception its own way and exits; we say those for users in words and raise the others whole.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    CommandCallback.typed = list(arguments)
    folders = FOLDERS[1:]
    try:
        lists = [word for word in arguments if word.endswith("={}") or "=[" in word]
        if words := nothing_chosen(lists):  # a list of names, which Hydra would merge, and {}, of which it says nothing
            raise InputError(words)
        return _run(list(arguments))
    except (StudyError, HydraException, OmegaConfBaseException) as error:
        _stop(error, arguments)
    except ValueError as error:
        if words := nothing_chosen(arguments):
            _stop(InputError(words), arguments)
        raise error
    except PermissionError as error:
        _stop(StudyError(f"no permission to write {error.filename}. hydra.run.dir=FOLDER puts the logs elsewhere"))
    except Interruption:
        raise
    except KeyboardInterrupt:
        raise Interruption(KEPT) from None
    finally:
        FOLDERS[1:] = folders  # those of this command's `--config-dir` are not the next one's


def _run(arguments: list[str]) -> str | None:
    register()
    ConfigStore.instance().store(name="prune_schema", node=PruneConfig)
    command = command_of(arguments)
    if command:
        arguments.remove(command)
    FOLDERS[1:], _ = without_config_folders(arguments)
    if command == "fetch":
        arguments = [*arguments, "hydra/launcher=fetch"]
    if any(word.startswith("hydra/launcher=") for word in arguments):
        arguments = ["hydra.mode=MULTIRUN", *arguments]  # Hydra would run a single job here, whatever the launcher
    jobs = StudyTask()
    name, task = ("prune", prune_task) if command == "prune" else ("config", jobs)
    arguments = quoted(overrides_last(in_full(arguments)))
    several = any(word in arguments for word in (*ALONE, "hydra.mode=MULTIRUN"))
    sys.argv[1:] = for_every_job(arguments) if several else arguments
    hydra.main(config_path=str(CONF), config_name=name, version_base="1.3")(task)()
    return jobs.results


def prune_task(config: DictConfig) -> None:
    """What Hydra runs for `study prune`."""
    from study.pruning.prune import prune  # takes torch

    composed = OmegaConf.to_object(config)
    assert isinstance(composed, PruneConfig)
    prune(composed)


class CommandCallback(Callback):
    """What the command does where Hydra lets it: names of options before a sweep, words for a failure after a job.

    Attributes:
        typed: the command's arguments, as the user has given them.
    """

    typed: ClassVar[Sequence[str]] = ()

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Let the options that an experiment sweeps have the names that people type."""
        sweeper = config.hydra.sweeper
        with read_write(config.hydra), open_dict(config.hydra):
            if params := sweeper.get("params"):  # other sweepers have none
                sweeper.params = _in_full(params)
            if grids := sweeper.get("grids"):
                sweeper.grids = [_in_full(grid) for grid in grids]

    def on_run_end(self, config: DictConfig, **given: Any) -> None:  # noqa: ARG002 as Hydra calls it
        """End a single job that failed for a reason in words with these words alone, before Hydra adds its own."""
        result: JobReturn = given["job_return"]
        error = result._return_value
        if result.status is JobStatus.FAILED and isinstance(error, StudyError | OmegaConfBaseException):
            _stop(error, self.typed)


def _in_full(params: Mapping[str, Any]) -> dict[str, str]:
    """What is swept, in Hydra's names."""
    words = in_full(f"{name}={value}" for name, value in params.items())
    return dict(word.split("=", 1) for word in words)


def _stop(error: Exception, arguments: Sequence[str] = ()) -> NoReturn:
    words = str(error) if isinstance(error, StudyError) else sentence(error, arguments)
    print("study:", as_typed(words, arguments), file=sys.stderr)
    raise SystemExit(1)
