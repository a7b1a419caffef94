"""Entries composed from their files are what Hydra makes of them, in values and in types."""

from pathlib import Path

import pytest
from omegaconf import MISSING, OmegaConf

from launchers.sweep.composed import node_types
from study import entry_composer
from study.command.catalogue import _leaves
from study.config import SCHEMAS, compose_entries
from study.entry_files import FOLDERS, groups, options

GROUPS = ("data", "gates", "model", "replacement", "reuse")
"""Those of which each entry is composed from its files; of a few others Hydra composes some."""

JOBS = {"experiment"}
"""Entries that are jobs: each is composed and checked in tests/configs/test_experiments.py."""


@pytest.mark.parametrize("group", sorted(set(groups()) - JOBS))
def test_every_entry_is_what_hydra_composes(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names, hydra = options(group), compose_entries(group, options(group))
    monkeypatch.setattr(entry_composer, "compose_entries", lambda _, left: {name: hydra[name] for name in left})
    own = entry_composer.entries(group, names)
    for name in names:
        assert OmegaConf.to_yaml(own[name]) == OmegaConf.to_yaml(hydra[name])
        assert node_types(own[name]) == node_types(hydra[name])
        assert OmegaConf.get_type(hydra[name]) in SCHEMAS[group].values()


@pytest.mark.parametrize("group", GROUPS)
def test_an_entry_lacks_and_becomes_what_omegaconf_says(group: str) -> None:
    for name in options(group):
        entry = entry_composer.plain_entry(group, name)
        typed = entry.typed()
        lacking = [option for option, value in _leaves(OmegaConf.to_container(typed), "") if value == MISSING]
        assert entry.lacking() == sorted(lacking)
        if not entry.lacking():
            component, expected = entry.component(), OmegaConf.to_object(typed)
            assert type(component) is type(expected)
            assert component == expected


@pytest.mark.parametrize("value", ["3", "yes", "${results}", "${.nothing}", "{a: 1}", "[1]"])
def test_a_value_that_is_to_be_converted_is_left_to_omegaconf(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "model" / "mine.yaml"
    mine.parent.mkdir()
    mine.write_text(f"defaults: [toy_classifier, _self_]\nname: {value}\n")
    monkeypatch.setattr("study.entry_files.FOLDERS", [*FOLDERS, tmp_path])
    with pytest.raises(entry_composer.UnusualEntryError):
        entry_composer.plain_entry("model", "mine").component()
    mine.write_text("defaults: [toy_classifier, _self_]\nname: mine\n")
    assert entry_composer.plain_entry("model", "mine").component().name == "mine", (
        "a file that has changed is read anew"
    )


def test_no_entry_of_ours_is_left_to_hydra(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []
    monkeypatch.setattr(entry_composer, "compose_entries", lambda _, names: left.extend(names) or {})
    for group in GROUPS:
        entry_composer.entries(group, options(group))
    assert not left


@pytest.mark.parametrize(
    "default",
    [
        "nosuch_parent",
        "/training@training: nosuch_choice",
        "sub/inner",
        "toy_classifier@training",
        "/model@_here_: toy_classifier",
        "/model@_global_.x: toy_classifier",
        "toy_classifier\n  - override /data@training.tests: toy_matched",
    ],
)
def test_what_hydra_refuses_or_reads_otherwise_is_left_to_it(
    default: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model" / "sub").mkdir(parents=True)
    (tmp_path / "model" / "odd.yaml").write_text(f"defaults:\n  - {default}\n  - _self_\n")
    (tmp_path / "model" / "sub" / "inner.yaml").write_text("defaults:\n  - /schema/model@_here_: hf\n  - _self_\n")
    monkeypatch.setattr(entry_composer, "compose_entries", lambda _, names: dict.fromkeys(names, "by Hydra"))
    monkeypatch.setattr("study.entry_files.FOLDERS", [*FOLDERS, tmp_path])
    assert entry_composer.entries("model", ["odd"]) == {"odd": "by Hydra"}
