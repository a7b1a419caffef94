"""Every command on a page of the documentation is understood: its jobs compose, its options exist."""

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser

import analysis.__main__
import launchers.__main__
from sixteen_heads.commands import ANALYSIS, COMMANDS, LAUNCHERS, STUDY
from study.command.overrides import quoted
from study.config import compose, register
from study.entry_files import CONF, groups
from study.pruning.config import PruneConfig

ROOT = Path(__file__).parents[2]
RUN = ROOT / "docs" / "extending.md"
"""Its commands need its code; they are run, see `test_extending`."""
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted({*(ROOT / "docs").glob("*.md")} - {RUN})]
DEFAULTS = {"model": "toy_classifier", "data": "toy_matched"}
"""What `...` stands for in a command."""


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command of the project on a page."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["study"]:
                yield words[1:] if len(words) > 1 and words[1] in COMMANDS else ["run", *words[1:]]


def jobs(words: list[str]) -> Iterator[tuple[str, ...]]:
    """The overrides of the jobs of a command line; of jobs that differ in values alone, those of the first."""
    overrides = quoted([word for word in words if "=" in word and not re.match(r"-|hydra[./]", word)])
    given = {word.partition("=")[0] for word in overrides}
    if "..." in words:
        overrides = [f"{group}={name}" for group, name in DEFAULTS.items() if group not in given] + overrides
    every = chain(*BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(overrides), None))
    yield from {shape(job): tuple(job) for job in reversed(list(every))}.values()


def shape(job: Sequence[str]) -> tuple[str, ...]:
    """What a job chooses, and the names of the options that it sets."""
    names = {word: word.partition("=")[0] for word in job}
    return tuple(word if name in groups() else name for word, name in names.items())


@cache
def compose_job(command: str, job: tuple[str, ...]) -> None:
    """Compose the job of a command, once however many pages have it."""
    if command != "prune":
        compose(*job)
        return
    register()
    ConfigStore.instance().store(name="prune_schema", node=PruneConfig)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra_compose("prune", overrides=list(job))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_understood(page: Path) -> None:
    for name, *words in commands(page):
        command = COMMANDS[name]
        if command.program == ANALYSIS:
            analysis.__main__.parse([*command.before, *words], "study")
        elif command.program == LAUNCHERS:
            launchers.__main__.parse([*command.before, *words], "study")
        elif command.program == STUDY and name != "list" and "--config-dir" not in words:  # entries of a reader's own
            for job in jobs(words):
                compose_job(name, job)


def test_pages_name_no_longer_form_of_a_command() -> None:
    assert not [page.name for page in PAGES if "python -m" in page.read_text()]
