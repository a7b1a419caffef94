"""Trials: trainings of one results folder that differ in how they are optimised alone, and the best of them.

They are compared by the last score on the data that they were watched on, which should be none that is measured later.
One rule says in which options trials may differ (`may_differ`). A job names those in which its own do
(`measure.trials`) and asks for the best before it measures; the analysis (`analysis.gates.trials`) takes all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.record.errors import InputError, StudyError
from study.record.training.history import Record, read_history
from study.tracking.run import TRAININGS, Run, read_runs, training_folders

PLACES = ("folder", "threads", "record_every", "save_every")
"""Options of a training that say where and how it goes on, and change no score."""

WATCHED = ("keep", "small", "dev", "evaluate_every")
"""Options of a training that say when it is looked at and on what, and change no weight."""

HELD = ("train", "held_out", "start", "origin", "revision", "scratch", "seed", "weights_seed", "order_seed")
"""Options of a training that say from what it learns what, and the seeds; trials have the same."""

OF_GATES = ("learning_rate",)
"""Options of gates in which trials may differ; every other may change which heads are kept, or how many."""


def may_differ(option: str) -> bool:
    """Whether trainings that differ in an option, such as `learning_rate` or `gates.penalty`, are trials of one method.

    They are where it says how the method is optimised, and not what is learned from what, or which heads are kept.
    """
    part, _, name = option.rpartition(".")
    if part:
        return part == "gates" and name in OF_GATES
    return option not in (*HELD, *WATCHED, *PLACES, "task", "gates", "reuse")


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        options: its values of the options in which trials differ.
        score: its last score on the data that it was watched on.
    """

    options: Mapping[str, Any]
    score: float

    def __str__(self) -> str:
        """In words."""
        said = " ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{said}: {self.score:.2f}"


def find_trials(results: Path, run: Run, options: Sequence[str], usual: Mapping[str, Any]) -> list[Trial]:
    """The trainings that differ from one in these options at most, those of the best score first.

    Args:
        results: results folder.
        run: the run of that training.
        options: names below `model.training`, such as `learning_rate` and `gates.penalty`.
        usual: what options are where a run does not have them, as it was stored before there were any; by these names.

    Returns:
        None that has no score; of equal scores the first by name.

    Raises:
        InputError: when one of them has not ended, so that nobody knows yet how good it is.
    """
    found = []
    for history, same in _related(results, run, options, usual):
        scores = [record.dev_score for record in history if record.dev_score is not None]
        if not _has_ended(same, history):
            said = " ".join(f"{name}={value}" for name, value in values(same, options, usual).items())
            raise InputError(
                f"the training of '{same.model}' with {said} has not ended, and only trainings that have are compared: "
                f"run measure=train for it first, or remove its folder from {results / TRAININGS}"
            )
        if scores:
            found.append(Trial(values(same, options, usual), scores[-1]))
    return sorted(found, key=lambda trial: -trial.score)


def _related(
    results: Path, run: Run, options: Sequence[str], usual: Mapping[str, Any]
) -> Iterator[tuple[list[Record], Run]]:
    """The trainings that differ from one in these options at most, each by its history, which has begun, and a run."""
    own = _others(run, options, usual)
    for folder in training_folders(results):
        with suppress(StudyError):  # a training that is damaged is told of by its own job
            history = read_history(folder)
            same = [one for one in read_runs(folder) if _others(one, options, usual) == own]
            if history and same:
                yield history, same[0]


def _has_ended(run: Run, history: Sequence[Record]) -> bool:
    """Whether the last record of a training is that of its last epoch, or of as many updates as it may have."""
    last, training = history[-1], run.config["model"]["training"]
    updates = training.get("updates")
    return last.epoch >= (training.get("epochs") or 0) or bool(updates and last.step >= updates)


def better_trial(results: Path, run: Run, options: Sequence[str], usual: Mapping[str, Any]) -> str:
    """The trial that is better than a training, in words; empty where that is the best itself.

    Raises:
        InputError: when the results folder does not have the training, or one of the trials has not ended.
    """
    found, own = find_trials(results, run, options, usual), values(run, options, usual)
    if own not in [trial.options for trial in found]:
        raise InputError(
            f"no score of the training of '{run.model}' is in {results}, by which one of several trials is chosen: run "
            f"the same command with measure=train first"
        )
    return "" if found[0].options == own else f"of {len(found)} trials the best is {found[0]}"


def values(run: Run, options: Sequence[str], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a training has of some options."""
    asked = _asked(run, usual)
    return {name: asked.get(name) for name in options}


def _others(run: Run, options: Sequence[str], usual: Mapping[str, Any]) -> list[Any]:
    """All that a training was asked as, but for these options."""
    asked = _asked(run, usual)
    return [run.model, {name: value for name, value in asked.items() if name not in (*options, *PLACES)}]


def _asked(run: Run, usual: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of a training; one that there was not yet when it was stored has its usual value."""
    return {**usual, **flat(run.config["model"].get("training") or {})}


def flat(values: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Values of values in one level: `{"gates": {"top": 6}}` is `{"gates.top": 6}`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{start}{name}.") if isinstance(value, Mapping) else {f"{start}{name}": value}
    return found
