"""Overrides that cannot be: one sentence in the place of Hydra's, with what is allowed and what was meant perhaps."""

import difflib
import re
from collections.abc import Sequence

from hydra.core.config_store import ConfigStore

from study.config import SHORT
from study.entries import chosen_entry, chosen_task, entries_with, keys, no_such_option, option_names
from study.entry_files import groups, options
from study.record.errors import listed

LAUNCHER = "hydra.launcher"
LAUNCHER_GROUP = "hydra/launcher"
MOST_NAMED = 30
"""Names of a group that a sentence has room for; `study list` names more."""
LAUNCHERS = ["serial", "local_pool", "slurm"]
NO_NAME = re.compile(r"[\[{]|(null|true|false|[-+]?[\d.]+(e[-+]?\d+)?)$", re.IGNORECASE)
"""A value that Hydra does not read as a name."""
KINDS = {"Integer": "a whole number", "Float": "a number", "bool": "true or false"}


def sentence(error: Exception, arguments: Sequence[str]) -> str:
    """What is wrong with the words of a command, in place of what Hydra or OmegaConf says."""
    message = str(error)
    cause = "" if error.__cause__ is None else str(error.__cause__)
    for pattern, words in (
        (r"You must specify '([\w/]+)'", lambda group: _not_chosen(arguments, group)),
        (r"Could not find '([\w/@]+)/([^'/]*)'", lambda group, name: _no_such_entry(arguments, group, name)),
        (r"Could not override '([\w./@]+)'", lambda name: _no_such_option(arguments, _absent(name, cause))),
        (
            r"missing mandatory value[^|]*full_key: ([\w.]+)",
            "no value is given for {0}: add {0}=... to the command".format,
        ),
        (
            r"In '([\w/]+)': .*\n.*str is not a subclass of \w*Order\. value: (\w+)",
            _order_in_file,
        ),
        (r"(?:merging override|Error merging) ([\w./@]+)=(.*)", lambda name, value: _wrong_value(cause, name, value)),
        (
            r"Error parsing override '(.*)'\nmissing EQUAL",
            "'{}' is neither a command nor an override: write NAME=VALUE".format,
        ),
        (r"Ambiguous value for argument '([\w./@]+)=(.*)'", _several),
    ):
        if found := re.search(pattern, message, re.IGNORECASE):
            return words(*found.groups())
    return f"{message}: {cause}" if cause and cause not in message else message


def as_typed(words: str, arguments: Sequence[str]) -> str:
    """A message with options under the names that the user has given them: `measure.seeds`, which is of the order."""
    for name in (argument.lstrip("+").partition("=")[0] for argument in arguments):
        if full := SHORT.get(name):
            words = re.sub(rf"(?<![\w.=]){re.escape(full)}(?![\w.])", name, words)
    return words


def nothing_chosen(arguments: Sequence[str]) -> str | None:
    """What is wrong with a command that gives a group something that is no name of an entry; None where none does.

    No name is `null`, a number, `true`, a list or a mapping.
    """
    for name, _, values in (argument.lstrip("+").partition("=") for argument in arguments):
        group = SHORT.get(name, name).partition("@")[0]
        if group not in (*groups(), LAUNCHER_GROUP):
            continue
        known = LAUNCHERS if group == LAUNCHER_GROUP else options(group)
        several = [word.strip() for word in values.removeprefix("[").removesuffix("]").split(",")]
        if values.startswith("[") and set(several) <= set(known):
            more = f"{name}={','.join(several)} -m runs each of them"
            return f"{name}={values} is a list, and a job has one: " + (more if several[1:] else f"{name}={several[0]}")
        expected = _one_of(group, known)
        if values in ("null", "''", '""'):
            return f"{name}={values} chooses nothing: expected {expected}"
        if any(NO_NAME.match(value) for value in values.split(",")):
            return f"{name}={values} is no name: expected {expected}"
    return None


def _one_of(group: str, names: Sequence[str]) -> str:
    """What there is to choose of a group."""
    several = f"one of the {len(names)} that `study list {group}` shows"
    return f"one of {', '.join(names)}" if len(names) <= MOST_NAMED else several


def _order_in_file(file: str, order: str) -> str:
    """How a YAML file chooses an order; only one of a measure names it by its own place."""
    where = "order" if file.startswith("measure/") else "/measure/order"
    return (
        f"{file}.yaml: an order has options of its own and is chosen in the defaults: `- override {where}: {order}`, "
        f"and `order: {order}` goes"
    )


def _not_chosen(arguments: Sequence[str], group: str) -> str:
    """Nothing is chosen of a config group: its name is misspelt, or an option that was given tells what was meant."""
    known = groups()
    for name in (word.lstrip("+").partition("=")[0] for word in arguments):
        if (
            name.isidentifier()
            and name not in known
            and group in difflib.get_close_matches(name, option_names(arguments))
        ):
            return no_such_option(name, arguments)
    given = next((word.split("=")[0] for word in arguments if re.match(rf"\+*{group}\.\w+=", word)), "")
    entries = entries_with(group, given.partition(".")[2], chosen_task(arguments)) if given else []
    if not entries:
        return f"no {group} is chosen: add {group}=NAME, with {_one_of(group, options(group))}"
    return f"no {group} is chosen: {given} is an option of {listed(entries)}. Add {group}={entries[0]}, for example"


def _no_such_entry(arguments: Sequence[str], group: str, name: str) -> str:
    if not name:
        return _not_chosen(arguments, group)
    there = options(group) or sorted(ConfigStore.instance().list(group)) if group in groups() else LAUNCHERS
    if near := difflib.get_close_matches(name, there, n=3, cutoff=0.5):
        return f"there is no {group} '{name}'. Did you mean {' or '.join(near)}?"
    return f"there is no {group} '{name}': there are {', '.join(there)}"


def _absent(name: str, cause: str) -> str:
    """What is not there of an option's path: `measure.order` of `measure.order.seeds` where a measure has no order."""
    found = re.search(r"full_key: ([\w.]+)", cause)
    return found[1] if found and name.startswith(f"{found[1]}.") else name


def _no_such_option(arguments: Sequence[str], name: str) -> str:
    where, _, option = name.rpartition(".")
    if where != LAUNCHER:
        return no_such_option(name, arguments)
    store = ConfigStore.instance()
    schemas = {
        file.removesuffix(".yaml"): store.load(f"schema/launcher/{file}") for file in store.list("schema/launcher")
    }
    fields = {launcher: set(keys(schema.node)) - {"_target_"} for launcher, schema in schemas.items()}
    chosen = chosen_entry(LAUNCHER_GROUP, arguments) or "serial"
    if has_it := [launcher for launcher, known in fields.items() if option in known and launcher != chosen]:
        return (
            f"{name} is an option of {listed(has_it)}; the launcher here is {chosen}. For example: "
            f"{LAUNCHER_GROUP}={has_it[0]}"
        )
    allowed = sorted(fields.get(chosen, set()))
    return f"there is no option '{name}'. Allowed after {LAUNCHER}. are {', '.join(allowed) or 'none'}"


def _wrong_value(cause: str, name: str, value: str) -> str:
    """A value that a right option cannot have: what is allowed, and nothing else."""
    if "is not a ListConfig" in cause:
        return f"{name} is a list, in brackets also where it has one entry: {name}=[{value}]"
    if one_of := re.search(r"Invalid value '(.*)', expected one of \[(.*)\]", cause):
        return (
            f"{name}={value}: expected {one_of[2]}"
            if one_of[1] == value
            else f"{name}: '{one_of[1]}' is none of {one_of[2]}"
        )
    if kind := re.search(r"could not be converted to (\w+)|is not a valid (\w+)", cause):
        wanted = kind[1] or kind[2]
        return f"{name}={value}: expected {KINDS.get(wanted, wanted)}"
    if "is not a subclass of" in cause:
        return f"{name}={value}: {name} has options of its own, {name}.NAME=VALUE"
    return f"{name}={value}: {cause.splitlines()[0] if cause else 'no value for it'}"


def _several(name: str, values: str) -> str:
    as_list = f", or brackets for a list: {name}=[{values}]" if "." in name else ""
    return f"{name}={values} names several: add -m to run each of them{as_list}"
