"""Overrides as people type them, made such as Hydra's grammar reads them."""

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException


def overrides_last(arguments: Sequence[str]) -> list[str]:
    """Flags before overrides, each in their order: Hydra refuses them mixed, as in `a=1 --multirun b=2`."""
    return sorted(arguments, key=lambda word: not word.startswith("-") and ("=" in word or word.startswith("~")))


def quoted(arguments: list[str]) -> list[str]:
    """The arguments of a command line, a value that the grammar cannot read in quotes: `data.path=My texts/ü.tsv`.

    A value that it can read stays as it is, so that lists, choices (`a,b`) and quotes mean what they mean to Hydra.
    """
    return [_quoted(argument) for argument in arguments]


def for_every_job(arguments: list[str]) -> list[str]:
    """The arguments of a sweep, options of a group that is swept as choices of one: `data=a,b data.limit=choice(9)`.

    Hydra composes a sweep once without what is swept, and would look for such an option in a group that is not there.
    """
    swept = tuple(f"{_path(word)}." for word in arguments if _is_sweep(word))
    return [_as_choice(word) if _path(word).startswith(swept) else word for word in arguments]


def _path(argument: str) -> str:
    """Where an override puts something: `measure.order` of `measure/order=random`."""
    return argument.lstrip("+").partition("=")[0].replace("/", ".")


def _as_choice(argument: str) -> str:
    option, _, value = argument.partition("=")
    if not value or _is_sweep(argument):
        return argument
    twice = f"{option}={value},{value}"  # a choice takes no null; two equal jobs are one
    return next((way for way in (f"{option}=choice({value})", twice) if _is_read(way) and _is_sweep(way)), argument)


def _is_sweep(argument: str) -> bool:
    return _is_read(argument) and OverridesParser.create().parse_override(argument).is_sweep_override()


def _quoted(argument: str) -> str:
    override = re.fullmatch(r"(?P<option>\+{0,2}[\w./@:-]+)=(?P<value>.+)", argument, re.DOTALL)
    if override is None or _is_read(argument):
        return argument
    value = re.sub(r"(\\*)'", r"\1\1\\'", override["value"])  # backslashes are doubled only before a quote
    value = re.sub(r"(\\+)$", r"\1\1", value)
    candidate = f"{override['option']}='{value}'"
    return candidate if _is_read(candidate) else argument


def _is_read(argument: str) -> bool:
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True
