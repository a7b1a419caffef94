"""`study completion SHELL`: completion with TAB of commands, options, names and values.

    eval "$(study completion bash)"                                             in ~/.bashrc; likewise zsh, in ~/.zshrc
    study completion fish > ~/.config/fish/completions/study.fish               fish

The shell asks `study completion words -- WORD ...` what the last of these words may become.
"""

import argparse
import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress

from sixteen_heads.attention.request import OWN
from sixteen_heads.commands import COMMANDS, MAPS, STUDY

SCRIPTS = {
    "bash": r"""_study() {
    local line=${COMP_LINE:0:COMP_POINT} last found
    local -a typed
    read -ra typed <<< "$line"
    [[ $line == *[[:space:]] ]] && typed+=("")
    last=${typed[${#typed[@]}-1]}
    COMPREPLY=()
    while IFS= read -r found; do
        [[ $last == *=* && $COMP_WORDBREAKS == *=* ]] && found=${found#"${last%"${last##*=}"}"}
        COMPREPLY+=("$found")
    done < <(study completion words -- "${typed[@]:1}" 2> /dev/null)
}
complete -o nospace -o default -F _study study""",
    "zsh": r"""_study() {
    local -a found
    found=("${(@f)$(study completion words -- "${(@)words[2,CURRENT]}" 2> /dev/null)}")
    [[ -n $found ]] && compadd -Q -S '' -a found || _files
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _study study""",
    "fish": r"""function __study_words
    set -l typed (commandline -opc) (commandline -ct)
    study completion words -- $typed[2..-1] 2> /dev/null | string trim --right
end
complete -c study -a '(__study_words)'""",
}

LAUNCHERS = ("serial", "local_pool", "slurm")


def complete(arguments: Sequence[str], prog: str) -> int:
    """Print the script of a shell, or what the last word of a command line may become; the exit status."""
    if arguments[:1] == ["words"]:
        typed = list(arguments[2:] if arguments[1:2] == ["--"] else arguments[1:])
        for word in candidates(typed):
            sys.stdout.write(f"{word}\n")
        return 0
    parser = argparse.ArgumentParser(
        prog=f"{prog} completion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shell", choices=list(SCRIPTS))
    print(SCRIPTS[parser.parse_args(arguments).shell])
    return 0


def candidates(typed: Sequence[str]) -> list[str]:
    """What the last word may become; one that is complete ends in a blank, one that goes on does not."""
    *before, last = typed or [""]
    named = next((word for word in before if not word.startswith("-")), "")
    found: Iterator[str] = iter(())
    if named in COMMANDS and COMMANDS[named].program not in (STUDY, MAPS):
        found = _flags(named) if last.startswith("-") else iter(())
    elif named == "list":
        found = _entries()
    else:
        commands = [] if before or "=" in last else [f"{name} " for name in (*COMMANDS, "help")]
        own = [f"{name}=" for name in OWN if named == "attention"]
        found = iter([*commands, *own, *_overrides([word for word in before if "=" in word], last)])
    return sorted({word for word in found if word.startswith(last)})


def _flags(command: str) -> Iterator[str]:
    """The flags that a command's help names."""
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        COMMANDS[command].run(["--help"])
    yield from (f"{flag} " for flag in re.findall(r"--[a-z][a-z-]+", text.getvalue()))


def _entries() -> Iterator[str]:
    from study.command.catalogue import GROUPS
    from study.entry_files import options

    yield from (f"{name} " for group in GROUPS for name in options(group))


def _overrides(given: Sequence[str], last: str) -> Iterator[str]:
    """What an override may become: names of groups and options, then their values, also after a comma."""
    from study.config import SHORT, register
    from study.entry_files import groups, options

    register()
    name, equals, value = last.partition("=")
    if not equals:
        known = {**dict.fromkeys(groups()), **dict.fromkeys(SHORT), **dict.fromkeys(_values(given))}
        yield from (f"{option}=" for option in known if last or "." not in option)
        yield "hydra/launcher="
        return
    group = SHORT.get(name, name)
    listed = f"{name}={value[: value.rfind(',') + 1]}"
    choices = LAUNCHERS if name == "hydra/launcher" else options(group) or _values(given).get(group, ())
    yield from (f"{listed}{choice} " for choice in choices)


def _values(given: Sequence[str]) -> dict[str, Sequence[str]]:
    """The options of a job that has these overrides, each with the values that it may have, where those are few."""
    from hydra.errors import HydraException
    from omegaconf import BooleanNode, DictConfig, EnumNode, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from study.config import compose
    from study.entries import keys
    from study.entry_files import groups

    usual = {"model": "toy_classifier", "data": "toy_matched"}
    chosen = usual | {word.partition("=")[0]: word.partition("=")[2].partition(",")[0] for word in given}
    chosen = {name: value for name, value in chosen.items() if name.replace(".", "/") in groups()}
    try:
        config = compose(*(f"{name}={value}" for name, value in chosen.items()))
    except (HydraException, OmegaConfBaseException):
        config = compose(*(f"{name}={value}" for name, value in usual.items()))
    found: dict[str, Sequence[str]] = {}
    for name in keys(config):
        parent = OmegaConf.select(config, name.rpartition(".")[0]) if "." in name else config
        node = parent._get_node(name.rpartition(".")[2])
        if isinstance(node, EnumNode):
            found[name] = [member.name for member in node.enum_type]
        elif not isinstance(node, DictConfig):
            found[name] = ("true", "false") if isinstance(node, BooleanNode) else ()
    return found
