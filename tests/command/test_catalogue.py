"""What `study list` lists, and what it shows of one entry."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from study.command import command_line
from study.command.catalogue import GROUPS, needs, print_catalogue
from study.command.option_words import options_in_words
from study.entry_composer import entries
from study.entry_files import CONF, FOLDERS, description, options


def catalogue(words: list[str], width: int = 80) -> str:
    console = Console(record=True, width=width)
    print_catalogue(words, console)
    return console.export_text()


def test_every_entry_has_one_line() -> None:
    lines = [line for line in catalogue([]).splitlines() if line.startswith("  ")]
    names = [name for group in GROUPS for name in options(group)]
    assert [line.split()[0] for line in lines] == names
    assert max(map(len, lines)) <= 80
    assert not any("http" in line or "cache" in line for line in lines)
    ready = {line.split()[0] for line in lines if " ready " in line}
    assert {"toy_news", "toy_matched"} <= ready
    assert "model.path=... " in next(line for line in lines if line.split()[0] == "hf_classifier")
    assert " 4 to give " in next(line for line in lines if line.split()[0] == "hf_finetuned")


def test_a_word_chooses_entries_and_a_name_shows_all_of_one() -> None:
    toys = [line.split()[0] for line in catalogue(["toy"]).splitlines() if line.startswith("  ")]
    assert toys == [name for group in GROUPS for name in options(group) if "toy" in name]
    gates = catalogue(["gates"])
    assert "measure=gates" in gates, "the measure of this name, whole"
    assert all(f"  {name} " in gates for name in options("gates")), "and the group of this name"
    whole = catalogue(["hf_classifier"])
    assert "Needs model.path=..." in whole
    assert "model.max_length=128" in whole
    assert "data=toy_matched,toy_mismatched" in catalogue(["toy_nli"])


def test_every_option_has_words() -> None:
    """Also those of data within a training, and of what a training starts from."""
    silent = [
        option
        for group in GROUPS[1:]
        for entry in entries(group, options(group)).values()
        for option, _, words in options_in_words(entry, group)
        if not words
    ]
    assert not silent


def test_an_option_says_what_it_may_be_and_what_it_is() -> None:
    lines = catalogue(["hard_concrete"]).splitlines()
    said = {line.strip(): lines[at + 1] for at, line in enumerate(lines[:-1])}
    assert said["model.training.gates.reduction=sum"].startswith("      (sum, mean) how the penalties of heads")
    assert said["model.training.gates.learning_rate=0.1"].startswith("      peak of the gates' learning rate")
    assert (
        "all when empty"
        in said["model.training.gates.scope=[]"] + lines[lines.index("  model.training.gates.scope=[]") + 2]
    )
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("entry", "tasks"), [("hf_decoder", "choice and text"), ("blimp", "choice"), ("hf_epochs", "classification")]
)
def test_an_entry_says_what_it_is_for(entry: str, tasks: str) -> None:
    whole = catalogue([entry])
    assert f"For {tasks}" in whole
    assert ".task=" not in whole, "it is no option"


@pytest.mark.parametrize(
    "words", ["list --config-dir FOLDER mine", "--config-dir FOLDER list mine", "-cd FOLDER list mine"]
)
def test_entries_of_a_folder_of_yours_are_listed(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("# A BERT of mine.\ndefaults: [hf_classifier, _self_]\npath: /no/x\n")
    command_line.run(words.replace("FOLDER", str(tmp_path)).split())
    said = capsys.readouterr().out
    assert "A BERT of mine." in said
    assert "cannot be used: no folder '/no/x'" in said
    assert FOLDERS == [CONF], "the next command of the process has folders of its own"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- 1", "is no mapping of options"),
        ("name: [", "is no YAML"),
        ("name: 3", "model/mine.yaml"),
        ("defaults: [nosuch_parent, _self_]", "nosuch_parent"),
        ("defaults: [toy_classifier, _self_]\nmax_length: many", "many"),
        ("defaults: [toy_classifier, _self_]\nnosuch: 1", "nosuch"),
        ("defaults: [mine, _self_]", "is made of itself"),
        ("# @package training\ndefaults: [mine, _self_]", "is made of itself"),
        ("defaults: {a: b}", "model/mine.yaml"),
        ("defaults: [[toy_classifier], _self_]", "model/mine.yaml"),
        ("defaults: [{/schema/model@_here_: nosuch}, _self_]", "nosuch"),
        ("defaults: [toy_classifier, _self_]\n3: x", "model/mine.yaml"),
    ],
)
def test_an_entry_of_yours_that_is_wrong_is_listed_as_such(
    text: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(text)
    command_line.run(["list", "model", "--config-dir", str(tmp_path)])
    assert re.search(r"  mine +cannot be used", capsys.readouterr().out)
    with pytest.raises(SystemExit):
        command_line.run(["list", "mine", "--config-dir", str(tmp_path)])
    assert reason in capsys.readouterr().err


@pytest.fixture
def own_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Writes an experiment, `mine`, into a folder of the user's."""
    (tmp_path / "experiment").mkdir()
    monkeypatch.setattr("study.entry_files.FOLDERS", [CONF, tmp_path])
    return (tmp_path / "experiment" / "mine.yaml").write_text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hydra: 3", "hydra.sweeper"),
        ("hydra: {sweeper: 3}", "hydra.sweeper"),
        ("hydra: {sweeper: {params: [a]}}", "hydra.sweeper"),
        ("hydra: {sweeper: {grids: 3}}", "hydra.sweeper"),
        ("hydra: {sweeper: {grids: [a]}}", "hydra.sweeper"),
        ("defaults: 3", "defaults"),
        ("- 1", "is no mapping of options"),
        ("hydra: {sweeper: {params: {data: 'toy_matched,nosuch'}}}", "nosuch"),
    ],
)
def test_an_experiment_of_yours_that_is_wrong_is_listed_as_such(
    text: str, reason: str, own_experiment: Callable[[str], int]
) -> None:
    own_experiment(text)
    assert re.search(r"  mine +cannot be used", catalogue(["experiment"]))
    assert reason in needs("experiment", "mine")


@pytest.mark.parametrize(
    ("sweep", "needed"),
    [
        ("toy_matched, toy_mismatched", "ready"),
        ("choice(toy_matched,toy_mismatched)", "ready"),
        ("glob(toy_*)", "ready"),
        ("choice(toy_matched,nli_file)", "data.path"),
    ],
)
def test_what_an_experiment_needs_is_what_the_entries_of_its_sweep_need(
    sweep: str, needed: str, own_experiment: Callable[[str], int]
) -> None:
    own_experiment(f"hydra: {{sweeper: {{params: {{data: '{sweep}'}}}}}}")
    catalogue(["mine"])
    assert needs("experiment", "mine").startswith(needed)


def test_values_to_give_are_named_as_they_are_typed() -> None:
    assert needs("model", "hf_classifier") == "model.path=..."
    assert "model.training.start=..." in needs("model", "hf_decoder_finetuned")
    assert "model.training.start=..." in needs("model", "hf_finetuned")
    assert needs("model", "fairseq_trained").startswith("model.name=...; model.training.dev.source=...")
    assert needs("data", "toy_news") == "ready"


def test_the_words_of_a_group_that_is_asked_for_are_whole() -> None:
    text = catalogue(["reuse"], width=60)
    said = " ".join(text.split())
    assert all(description("reuse", name) in said for name in options("reuse"))
    assert max(map(len, text.splitlines())) <= 60


@pytest.mark.parametrize("group", ["model", "data"])
def test_every_entry_says_what_it_is_for(group: str) -> None:
    pages = {name: catalogue([name]) for name in options(group)}
    assert not [name for name, page in pages.items() if "\nFor " not in page]
    assert not [name for name, page in pages.items() if "For ???" in page]
