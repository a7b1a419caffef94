"""Every command of `study` in one table, from which the help is made and by which commands are found."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sixteen_heads.packages import require_own
from sixteen_heads.what_next import CommandResult, say_what_next

STUDY, ANALYSIS, LAUNCHERS = "study.command.command_line:run", "analysis.__main__:main", "launchers.__main__:main"
PAGE, LIVE, COMPLETION, MAPS = (
    "sixteen_heads.page:show",
    "sixteen_heads.live.command:serve",
    "sixteen_heads.completion:complete",
    "sixteen_heads.attention.command:show",
)


@dataclass(frozen=True)
class Command:
    """A command of `study`.

    Attributes:
        name: the word after `study`.
        summary: a line of help.
        group: heading under which the help shows the command.
        program: entry point that takes the arguments, as `module:function`.
        before: arguments of the program before the user's.
        after: arguments of the program after the user's.
    """

    name: str
    summary: str
    group: str
    program: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def run(self, arguments: Sequence[str]) -> int:
        """Run the command; its exit status.

        Raises:
            ImportError: when a file of the user's hides the package that does the work.
        """
        asks = any(word in ("-h", "--help") for word in arguments)
        words = [*arguments, *(() if asks else self.after)]
        program, given = entry(self.program), [*self.before, *words]
        if self.program == STUDY:
            status, results = 0, program(given)
        else:
            status, results = program(given, "study") or 0, None
        say_what_next(self.name, CommandResult(words, status, results))
        return status


def _commands() -> list[Command]:
    measure, results, sweeps = "Measure", "Look at results, and share them", "Follow a sweep (local_pool, slurm)"
    return [
        Command("run", "a job; a sweep with -m or experiment=NAME. The word may be left out", measure, STUDY),
        Command("plan", "how much there is to do, and how long it takes", measure, STUDY, after=("plan=true",)),
        Command("list", "experiments, models, data, and what each still needs", measure, STUDY, before=("list",)),
        Command("fetch", "download everything that a job or a sweep needs", measure, STUDY, before=("fetch",)),
        Command("prune", "remove heads for good, save the smaller model", measure, STUDY, before=("prune",)),
        Command("attention", "a page of what every head looks at in one sentence", results, MAPS),
        Command("report", "tables, figures and a page of a results folder", results, ANALYSIS, before=("report",)),
        Command("open", "the page in a browser, made anew if results have changed", results, PAGE),
        Command("serve", "a live page while jobs run: what is done, effects so far, time left", results, LIVE),
        Command("import", "a table of effects or importances made elsewhere", results, ANALYSIS, before=("import",)),
        Command("agree", "do seeds or tasks keep the same heads?", results, ANALYSIS, before=("agree",)),
        Command("push", "fill a Weights & Biases project from results", results, ANALYSIS, before=("push",)),
        Command("pull", "bring outcomes that others have pushed", results, ANALYSIS, before=("pull",)),
        Command("status", "done, running, queued, failed; time left", sweeps, LAUNCHERS, before=("status",)),
        Command("wait", "status until the end; what was lost is sent again", sweeps, LAUNCHERS, before=("wait",)),
        Command("logs", "what jobs printed", sweeps, LAUNCHERS, before=("logs",)),
        Command("cancel", "take jobs back", sweeps, LAUNCHERS, before=("cancel",)),
        Command("retry", "submit what failed, was lost or cancelled", sweeps, LAUNCHERS, before=("retry",)),
        Command("completion", "completion with TAB, for bash, zsh and fish", "The command itself", COMPLETION),
    ]


COMMANDS = {command.name: command for command in _commands()}


def overview() -> str:
    """All commands by group, a line each."""
    width = max(map(len, COMMANDS)) + 2
    groups: dict[str, list[str]] = {}
    for command in COMMANDS.values():
        groups.setdefault(command.group, []).append(f"  study {command.name:<{width}}{command.summary}")
    return "\n\n".join(f"{group}\n" + "\n".join(lines) for group, lines in groups.items())


def unknown(word: str) -> str:
    """The answer to a word that is no command."""
    close = get_close_matches(word, COMMANDS, n=1)
    meant = f"; did you mean `study {close[0]}`?" if close else "."
    return f"'{word}' is no command{meant} There are {', '.join(COMMANDS)}, help, and overrides NAME=VALUE"


def entry(program: str) -> Callable[..., Any]:
    """The function of an entry point, in this project's own package.

    Raises:
        ImportError: when a file of the same name, found first, hides the package.
    """
    module, _, name = program.partition(":")
    require_own(module.partition(".")[0])
    return getattr(importlib.import_module(module), name)
