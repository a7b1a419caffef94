"""Entries composed from their files are what Hydra makes of them, in values and in types."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from launchers.sweep.composed import node_types
from study import entry_composer
from study.config import compose_entries
from study.entry_files import FOLDERS, options

GROUPS = ("data", "gates", "model", "replacement", "reuse")


@pytest.mark.parametrize("group", GROUPS)
def test_every_entry_is_what_hydra_composes(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names, hydra = options(group), compose_entries(group, options(group))
    monkeypatch.setattr(entry_composer, "compose_entries", lambda _, left: {name: hydra[name] for name in left})
    own = entry_composer.entries(group, names)
    for name in names:
        assert OmegaConf.to_yaml(own[name]) == OmegaConf.to_yaml(hydra[name])
        assert node_types(own[name]) == node_types(hydra[name])


def test_no_entry_of_ours_is_left_to_hydra(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []
    monkeypatch.setattr(entry_composer, "compose_entries", lambda _, names: left.extend(names) or {})
    for group in GROUPS:
        entry_composer.entries(group, options(group))
    assert not left


def test_a_choice_for_no_place_is_left_to_hydra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    entry = "defaults:\n  - toy_classifier\n  - override /data@training.tests: toy_matched\n  - _self_\n"
    (tmp_path / "model" / "odd.yaml").write_text(entry)
    monkeypatch.setattr(entry_composer, "compose_entries", lambda _, names: dict.fromkeys(names, "by Hydra"))
    monkeypatch.setattr("study.entry_files.FOLDERS", [*FOLDERS, tmp_path])
    assert entry_composer.entries("model", ["odd"]) == {"odd": "by Hydra"}
