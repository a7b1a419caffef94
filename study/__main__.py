"""The command: `study [OVERRIDES]` runs a job or a sweep, `study list` says what there is, `study fetch` downloads.

python -m study                                      # ablation of the toy classifier
python -m study model=... data=... measure=...       # one job
python -m study experiment=figure2_mnli              # a whole sweep
python -m study fetch experiment=figure2_mnli        # what its jobs need, on a machine with a network
python -m study list                                 # experiments, models, data, and what each needs
python -m study prune model=... mask=0110... out=... # a smaller model, its heads really removed
"""

import os
import sys

import hydra
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from study.catalogue import print_catalogue
from study.config import CONF, register
from study.errors import InputError, StudyError
from study.misspelt import nearest_names
from study.overrides import quoted
from study.pruning.prune import PruneConfig, prune_task
from study.task import StudyTask

COMMANDS = ("list", "fetch", "prune")


def main() -> None:
    """Run the command line; exit status 0: done, 1: not done and the message says why, 130: stopped."""
    # Hydra prints every exception its own way and exits; we say those for users in words and raise the others whole.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    try:
        _run()
    except StudyError as error:
        _stop(str(error), 1)
    except (HydraException, OmegaConfBaseException) as error:
        _stop(nearest_names(error), 1)
    except PermissionError as error:
        _stop(f"no permission to write {error.filename}. hydra.run.dir=FOLDER puts the logs elsewhere", 1)
    except KeyboardInterrupt:
        _stop("stopped. What was computed is stored: the same command goes on from there", 130)


def _run() -> None:
    register()
    ConfigStore.instance().store(name="prune_schema", node=PruneConfig)
    command = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].isalpha() else ""
    if command and command not in COMMANDS:
        raise InputError(f"'{command}' is no command: expected {', '.join(COMMANDS)}, or overrides NAME=VALUE")
    if command == "list":
        if sys.argv[2:]:
            raise InputError(f"`study list` takes no arguments: got {' '.join(sys.argv[2:])}")
        print_catalogue()
        return
    if command == "fetch":
        sys.argv[1:] = [*sys.argv[2:], "hydra/launcher=fetch"]
    sys.argv[1:] = quoted(overrides_last(sys.argv[1:]))
    for place, argument in enumerate(sys.argv):
        if argument.startswith("hydra/launcher="):  # Hydra would run a single job here, whatever the launcher
            sys.argv.insert(place, "hydra.mode=MULTIRUN")
            break
    name, task = "config", StudyTask()
    if command == "prune":
        name, task = "prune", prune_task
        del sys.argv[1]
    hydra.main(config_path=str(CONF), config_name=name, version_base="1.3")(task)()


def overrides_last(arguments: list[str]) -> list[str]:
    """The same, each group in its order: Hydra refuses them on both sides of a flag, as in `a=1 --multirun b=2`."""
    return sorted(arguments, key=lambda word: not word.startswith("-") and ("=" in word or word.startswith("~")))


def _stop(message: str, status: int) -> None:
    print(f"study: {message}", file=sys.stderr)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
