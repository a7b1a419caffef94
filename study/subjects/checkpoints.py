"""Checkpoints told apart by epoch and seed: a path with `{epoch}` or `{seed}` in it stands for all of them."""

import re
from pathlib import Path

from study.record.errors import InputError

PLACE, SEED = "{epoch}", "{seed}"


def at_seed(pattern: str, seed: int | None, option: str) -> str:
    """The path of the training of a seed; without `{seed}` it stays as it is. Messages name the option.

    Raises:
        InputError: when the path stands for several trainings and none is chosen.
    """
    if seed is None and SEED in pattern:
        raise InputError(f"{option} '{pattern}' stands for several trainings: choose one by model.seed=NUMBER")
    return pattern.replace(SEED, str(seed))


def at_epoch(pattern: str, epoch: float | None, option: str) -> str:
    """The path of the checkpoint of an epoch; that of one model alone (None) stays as it is. Messages name the option.

    Raises:
        InputError: when only one of the two speaks of epochs.
    """
    if epoch is not None and PLACE not in pattern:
        raise InputError(
            f"model.epoch={epoch:g} chooses one of several checkpoints, but {option} names one alone: write {PLACE} "
            f"where the number of the epoch stands in its name, such as {option}=checkpoint{PLACE}.pt"
        )
    if epoch is None and PLACE in pattern:
        raise InputError(f"{option} '{pattern}' stands for several checkpoints: choose one by model.epoch=NUMBER")
    return pattern if epoch is None else pattern.replace(PLACE, f"{epoch:g}")


def epochs_there(pattern: Path) -> list[float]:
    """The epochs of which a checkpoint is there."""
    folder = next(parent for parent in pattern.parents if PLACE not in str(parent))
    found = re.compile(re.escape(str(pattern)).replace(re.escape(PLACE), r"(\d+(?:\.\d+)?)"))
    paths = folder.glob(str(pattern.relative_to(folder)).replace(PLACE, "*"))
    return sorted(float(match[1]) for path in paths if (match := found.fullmatch(str(path))))


def no_such_epoch(pattern: Path, epoch: float) -> InputError:
    """The error for an epoch of which there is no checkpoint; names those that are there."""
    there = ", ".join(f"{known:g}" for known in epochs_there(pattern)) or "none"
    return InputError(f"no checkpoint of epoch {epoch:g} at {pattern}; epochs that are there: {there}")


def shared_name(pattern: str) -> str:
    """A short name for what a path stands for: its last part that is the same for all epochs and seeds."""
    return next((part for part in reversed(Path(pattern).parts) if PLACE not in part and SEED not in part), pattern)
