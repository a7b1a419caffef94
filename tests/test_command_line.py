"""The command line, before Hydra reads it, and what it lists."""

import pytest
from rich.console import Console

from study.__main__ import overrides_last
from study.catalogue import GROUPS, needs, print_catalogue
from study.config import options


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("model=a --multirun data=b,c", "--multirun model=a data=b,c"),
        ("-m model=a ~tracking", "-m model=a ~tracking"),
        ("+x=1 --cfg job y=2", "--cfg job +x=1 y=2"),
        ("prune model=a --config-dir conf out=b", "prune --config-dir conf model=a out=b"),
    ],
)
def test_overrides_may_stand_on_both_sides_of_a_flag(typed: str, given: str) -> None:
    assert overrides_last(typed.split()) == given.split()


def test_every_entry_is_listed_with_what_it_needs() -> None:
    console = Console(record=True, width=400)
    print_catalogue(console)
    text = console.export_text()
    assert all(f" {name} " in text for group in GROUPS for name in options(group))


def test_values_to_give_are_named_as_they_are_typed() -> None:
    assert needs("model", "hf_classifier") == "model.path=..."
    assert needs("model", "fairseq_trained").startswith("model.name=...; model.training.dev.source=...")
    assert needs("data", "toy_news") == "ready"
