"""What there is to run: `study list` prints a line an entry with what it still needs; of one entry, all of it."""

import difflib
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.text import Text

from study.command.option_words import options_in_words
from study.data.source import DataSource
from study.entries import content
from study.entry_composer import UnusualEntryError, entries, plain_entry
from study.entry_files import description, options
from study.record.errors import InputError, StudyError
from study.record.metrics import Task
from study.subjects.model import ModelConfig

GROUPS = ("experiment", "model", "data", "measure", "measure/order", "replacement", "gates", "reuse")
TYPED = {"measure/order": "measure.order", "gates": "model.training.gates", "reuse": "model.training.reuse"}
"""How a group is typed, where that is not its name."""
READY = "ready"
NOT_USABLE = "cannot be used"
NO_OPTIONS = ("task",)
"""Fields that nobody sets: what an entry is for."""
INDENT = " " * 6
"""What stands before the words of an option."""
MOST_LINES = 2
"""Lines of these words."""
MOST_NEEDED = 16
"""Columns of an option to which a value must be given; a longer one is counted."""
SHORTEST = 12
"""Columns below which a description is left out."""


def print_catalogue(arguments: Sequence[str] = (), console: Console | None = None) -> None:
    """Print a line for each entry, or for those that have a word in them, or are of a group of that name.

    An entry of this very name is printed whole, with what each of its options is.

    Raises:
        InputError: when there is no such entry, or more than one word.
    """
    console = console or Console()
    _needs.cache_clear()  # files may have come since
    if len(arguments) > 1:
        raise InputError(f"`study list` takes one word: got {' '.join(arguments)}")
    word = arguments[0] if arguments else ""
    found = {group: [name for name in options(group) if word in name or word == group] for group in GROUPS}
    exact = [group for group in GROUPS if word in found[group]]
    if not any(found.values()):
        names = [*GROUPS, *(name for group in GROUPS for name in options(group))]
        near = list(dict.fromkeys(difflib.get_close_matches(word, names)))
        raise InputError(
            f"nothing is called '{word}'"
            + (f". Did you mean {' or '.join(near)}?" if near else ": `study list` shows what there is")
        )
    for group in exact:
        _print_whole(console, group, word)
    listed = {group: names for group, names in found.items() if names and (not exact or group == word)}
    for group, names in listed.items():
        _print_lines(console, group, names, whole=word == group)


def _print_lines(console: Console, group: str, names: Sequence[str], *, whole: bool) -> None:
    """Entries: name, what is still needed, and what it is; as much of that as the line has room for, or the whole."""
    needed = [_in_short(needs(group, name), description(group, name)) for name in names]
    widths = [max(map(len, column)) for column in (names, needed)]
    console.print(f"[bold]{TYPED.get(group, group)}[/]")
    for name, need in zip(names, needed, strict=True):
        start = "  ".join(text.ljust(width) for text, width in zip((name, need), widths, strict=True) if width)
        room = max(console.width - len(start) - 4, 0)
        what = textwrap.wrap(description(group, name), room) if room > SHORTEST else []
        if not whole and len(what) > 1:
            what = [textwrap.shorten(description(group, name), room, placeholder=" ...")]
        for number, line in enumerate(what or [""]):
            console.print(
                Text(f"  {'' if number else start:<{len(start)}}"), Text(line, "dim"), soft_wrap=True, sep="  "
            )
    console.print()


def _print_whole(console: Console, group: str, name: str) -> None:
    """What an entry is, what it needs, and every option with its value and what it is."""
    console.print(f"[bold]{TYPED.get(group, group)}={name}[/]")
    console.print(description(group, name), markup=False)
    values = None if group == "experiment" else _typed(group, name)
    if values is not None and (tasks := _tasks(group, name, values)):
        console.print(f"For {' and '.join(tasks)}")
    if need := needs(group, name):
        console.print(need if need.startswith((READY, NOT_USABLE)) else f"Needs {need}", markup=False, soft_wrap=True)
    console.print()
    if values is None:
        _print_sweep(console, name)
        return
    for option, value, words in options_in_words(values, TYPED.get(group, group)):
        if option.rpartition(".")[2] not in NO_OPTIONS:
            _print_option(console, option, value)
            for line in _clauses(words, console.width - len(INDENT)):
                console.print(Text(INDENT + line), style="dim")


def _print_option(console: Console, option: str, value: Any) -> None:
    shown = "..." if value == MISSING else value
    console.print(f"  {option}={shown}", markup=False, highlight=False, soft_wrap=True)


def _clauses(words: str, room: int) -> list[str]:
    """As many whole clauses as two lines have room for; the first one also where it takes more."""
    whole = [textwrap.wrap(words[: found.start()], room) for found in re.finditer(r"[.;] |\.?$", words)]
    fitting = [lines for lines in whole if len(lines) <= MOST_LINES]
    return (fitting or whole[:1])[-1]


def _print_sweep(console: Console, name: str) -> None:
    """What an experiment sweeps, grid by grid where it has several."""
    params, grids = _sweep(name)
    for option, value in params.items():
        _print_option(console, option, _as_typed(value))
    for number, grid in enumerate(grids, start=1):
        words = " ".join(f"{option}={_as_typed(value)}" for option, value in grid.items())
        console.print(f"  grid {number}: {words}", markup=False, highlight=False, soft_wrap=True)


def _sweep(name: str) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
    """What an experiment sweeps, and its grids where it has several.

    Raises:
        InputError: when its file says it otherwise.
    """
    try:
        sweeper = (content("experiment", name).get("hydra") or {}).get("sweeper") or {}
        params, grids = sweeper.get("params") or {}, list(sweeper.get("grids") or [])
        if all(isinstance(grid, dict) for grid in (params, *grids)):
            return params, grids
    except (AttributeError, TypeError):
        pass
    raise InputError(f"experiment/{name}.yaml: hydra.sweeper has `params`, OPTION: VALUES, or `grids`, a list of these")


def _as_typed(value: Any) -> Any:
    """A value of a YAML file as a command has it."""
    return str(value).lower() if isinstance(value, bool) else value


def _tasks(group: str, name: str, values: DictConfig) -> tuple[Task, ...]:
    """What a model does with texts, or what data asks of it; its class knows, before all of its options are given."""
    kind: Any = OmegaConf.get_type(values)
    if issubclass(kind, DataSource):
        return (values.task,)
    if not issubclass(kind, ModelConfig):
        return ()
    try:
        _, model = _looked_at(group, name)
        return model.tasks() if model else kind.usual_tasks()
    except StudyError:  # as the line below says
        return kind.usual_tasks()


def _leaves(values: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The values below one, as overrides name them."""
    if not isinstance(values, dict) or not values:
        yield name, values
        return
    for key, value in values.items():
        yield from _leaves(value, f"{name}.{key}".lstrip("."))


def _in_short(need: str, what: str) -> str:
    """What a line has room for: `ready`, `5 MB to fetch`, `model.path=...`, `3 to give`."""
    if need in ("", READY):
        return need
    if "=..." in need:
        number = need.count("; ") + 1
        return need if number == 1 and len(need) <= MOST_NEEDED else f"{number} to give"
    if need.startswith(NOT_USABLE):
        return NOT_USABLE
    size = re.search(r"[\d.,]+ [kMG]B", what)
    return "trained when used" if "trained here" in need else f"{size[0]} to fetch" if size else "to fetch"


def needs(group: str, name: str) -> str:
    """What must be given or fetched before this entry can be used; `ready` when nothing, empty for what never does."""
    if group not in ("experiment", "model", "data"):
        return ""
    return "; ".join(_needs(group, name)) or READY


@cache
def _needs(group: str, name: str) -> tuple[str, ...]:
    try:
        if group == "experiment":
            return tuple(dict.fromkeys(_experiment_needs(name)))
        lacking, source = _looked_at(group, name)
        return tuple(f"{group}.{name}=..." for name in lacking) or tuple(dict.fromkeys(source.missing()))
    except StudyError as error:
        return (f"{NOT_USABLE}: {error}",)


def _experiment_needs(name: str) -> Iterator[str]:
    """What its models and data need.

    Raises:
        InputError: when its file is none of an experiment.
    """
    defaults = content("experiment", name).get("defaults") or []
    if not isinstance(defaults, list):
        raise InputError(f"experiment/{name}.yaml: defaults is no list")
    chosen = {key: value for entry in defaults if isinstance(entry, dict) for key, value in entry.items()}
    params, _ = _sweep(name)
    for group in ("model", "data"):
        for one in _named(group, str(params.get(group, chosen.get(f"override /{group}") or ""))):
            yield from _needs(group, one)


def _named(group: str, choice: str) -> list[str]:
    """The entries that a choice names: all words of a list, and of Hydra's grammar, `choice(a,b)`, those that are some.

    Of `glob(*)` it is not told.
    """
    if re.fullmatch(r"[\w\s,]*", choice):
        return choice.replace(",", " ").split()
    return [word for word in re.findall(r"\w+", choice) if word in options(group)]


def _looked_at(group: str, name: str) -> tuple[list[str], Any]:
    """The options of an entry to which a value must be given; where there are none, the component that it is, too.

    Raises:
        StudyError: when the entry cannot be used as it is.
    """
    try:
        entry = plain_entry(group, name)
        lacking = entry.lacking()
        return lacking, None if lacking else entry.component()
    except UnusualEntryError:
        config = _typed(group, name)
    values = OmegaConf.to_container(config)
    lacking = sorted(option for option, value in _leaves(values, "") if value == MISSING)
    return lacking, None if lacking else OmegaConf.to_object(config)


def _typed(group: str, name: str) -> DictConfig:
    """The entry as a job that chooses it has it.

    Raises:
        InputError: when none can choose it.
    """
    try:
        config = entries(group, [name])[name]
    except StudyError:
        raise
    except RecursionError as error:
        raise InputError(f"{group}/{name}.yaml is made of itself") from error
    except Exception as error:
        from hydra.errors import HydraException  # which has composed it, as nothing else could

        if isinstance(error, HydraException | OmegaConfBaseException | ValueError):
            raise InputError(f"{group}/{name}.yaml: {' '.join(str(error).split())}") from error
        raise
    if OmegaConf.get_type(config) is dict:
        raise InputError(f"{group}/{name}.yaml takes no schema: defaults: [/schema/{group}@_here_: NAME, _self_]")
    return config
