"""Designs as they are stored and read: what masks mean, by their own definition and through a file."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from study.record.designs import Design, DesignKind, read_designs, standard_designs, write_design
from study.record.designs.design import rows_without
from study.record.designs.files import DESIGNS, DesignError
from study.record.designs.pairs import pair_places
from study.record.errors import InputError
from study.record.files import write_sealed
from study.record.units import AttentionKind, Head, HeadLayout, UnitLevel, parse_unit

LAYOUT = HeadLayout(
    {AttentionKind.DECODER_SELF: [4, 4], AttentionKind.CROSS: [2]},
    groups={AttentionKind.DECODER_SELF: [2, 2]},
    mlps=[0, 1],
)


def pairs(level: UnitLevel = UnitLevel.head, within: str = "layer") -> Design:
    units = LAYOUT.units(level)
    on = rows_without(pair_places(units, within), len(units))
    return Design(DesignKind.PAIR, level, tuple(map(str, units)), on, {"within": within})


def test_folders_without_designs_mean_what_their_masks_always_meant(tmp_path: Path) -> None:
    designs, wrong = read_designs(tmp_path, LAYOUT)
    assert not wrong
    by_name = {(design.kind, design.unit): design for design in designs}
    for level in UnitLevel:
        assert np.array_equal(by_name[DesignKind.SINGLE, level].masks(LAYOUT), LAYOUT.each_off(LAYOUT.units(level)))
    assert np.array_equal(by_name[DesignKind.SINGLE, UnitLevel.layer].masks(LAYOUT), LAYOUT.each_layer_off())
    assert np.array_equal(by_name[DesignKind.ALONE, UnitLevel.head].masks(LAYOUT), LAYOUT.each_alone())
    groups = by_name[DesignKind.ALONE, UnitLevel.group].masks(LAYOUT)
    assert np.array_equal(groups, LAYOUT.each_alone(LAYOUT.key_groups))
    assert len(designs) == 6


def test_a_model_without_groups_and_mlps_has_no_designs_of_them() -> None:
    plain = standard_designs(HeadLayout({AttentionKind.ENCODER_SELF: [1, 2]}))
    kinds = [(design.kind, design.unit) for design in plain]
    assert kinds == [("single", "head"), ("single", "layer"), ("alone", "head")]


@pytest.mark.parametrize("level", [UnitLevel.head, UnitLevel.group, UnitLevel.mlp])
def test_a_pair_turns_off_what_both_of_its_units_turn_off(level: UnitLevel) -> None:
    design = pairs(level, "all")
    masks = design.masks(LAYOUT)
    two = list(combinations(LAYOUT.units(level), 2))
    assert len(design) == len(two)
    for number, (one, other) in enumerate(two):
        assert np.array_equal(masks[number], LAYOUT.without([one, other]))
        assert design.off(number) == (str(one), str(other))


def test_pairs_within_layers_and_kinds_by_brute_force() -> None:
    heads = LAYOUT.heads
    every = list(combinations(range(len(heads)), 2))
    assert pair_places(heads, "layer") == [
        (i, j) for i, j in every if (heads[i].kind, heads[i].layer) == (heads[j].kind, heads[j].layer)
    ]
    assert pair_places(heads, "kind") == [(i, j) for i, j in every if heads[i].kind == heads[j].kind]
    assert pair_places(LAYOUT.units(UnitLevel.mlp), "layer") == []
    assert pair_places(LAYOUT.units(UnitLevel.mlp), "kind") == [(0, 1)]


def test_pairs_of_the_heads_that_a_file_names(tmp_path: Path) -> None:
    file = tmp_path / "heads.txt"
    file.write_text("# induction\ncross.0.1\n\ndecoder_self.0.2\ndecoder_self.1.0\n")
    named = [tuple(str(LAYOUT.heads[place]) for place in pair) for pair in pair_places(LAYOUT.heads, str(file))]
    assert named == [
        ("decoder_self.0.2", "decoder_self.1.0"), ("decoder_self.0.2", "cross.0.1"), ("decoder_self.1.0", "cross.0.1"),
    ]  # fmt: skip
    for content, says in (
        ("decoder_self.0.2\n", "names 1 of the units"),
        ("decoder_self.7.2\ncross.0.1\n", "names decoder_self.7.2, none of the 10 units"),
        ("head 3\n", "'head 3' is no address"),
    ):
        file.write_text(content)
        with pytest.raises(InputError, match=says):
            pair_places(LAYOUT.heads, str(file))
    with pytest.raises(InputError, match="cannot read"):
        pair_places(LAYOUT.heads, str(tmp_path / "none.txt"))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    named = replace(pairs(), kind=DesignKind.STEP, names=tuple(map(str, range(13))), examples=("a", "b"), seed=3)
    for design in (pairs(), named):
        write_design(design, tmp_path)
    stored = read_designs(tmp_path, LAYOUT)[0][6:]
    assert [design.id for design in stored] == [pairs().id, named.id]
    assert all(
        found.begins_with(made) and len(found) == len(made)
        for found, made in zip(stored, (pairs(), named), strict=True)
    )
    assert stored[1].examples == ("a", "b")
    assert stored[0].keys(LAYOUT) == [LAYOUT.key(LAYOUT.without(pair)) for pair in pairs_of(stored[0])]


def pairs_of(design: Design) -> list[list[Head]]:
    return [[parse_unit(address) for address in design.off(number)] for number in range(len(design))]  # type: ignore[misc]


def test_a_longer_design_takes_the_place_of_its_beginning_and_not_the_other_way_round(tmp_path: Path) -> None:
    whole = pairs()
    for count, kept in ((5, 5), (9, 9), (5, 9)):
        write_design(whole.first(count), tmp_path)
        (found,) = read_designs(tmp_path, LAYOUT)[0][6:]
        assert len(found) == kept
        assert whole.begins_with(found)
    assert not found.begins_with(whole)


def test_a_damaged_file_is_named_and_no_other_is_lost(tmp_path: Path) -> None:
    write_design(pairs(), tmp_path)
    write_design(pairs(within="all"), tmp_path)
    path = tmp_path / "designs" / f"{pairs().id}.json"
    path.write_text(path.read_text().replace('"within": "layer"', '"within": "kind"'))
    designs, wrong = read_designs(tmp_path, LAYOUT)
    assert [design.options["within"] for design in designs[6:]] == ["all"]
    assert [str(path) in words for words in wrong] == [True]
    write_design(pairs(), tmp_path)
    assert not read_designs(tmp_path, LAYOUT)[1]


def test_the_file_of_another_design_or_setting_is_none(tmp_path: Path) -> None:
    write_design(pairs(), tmp_path / "one")
    (path,) = (tmp_path / "one/designs").glob("*.json")
    (tmp_path / "two/designs").mkdir(parents=True)
    (tmp_path / "two/designs" / path.name).write_bytes(path.read_bytes())
    path.rename(path.with_name("0123456789ab.json"))
    for name in ("one", "two"):
        assert "of another design or setting" in read_designs(tmp_path / name, LAYOUT)[1][0]


def test_many_masks_take_little_room(tmp_path: Path) -> None:
    units = LAYOUT.heads
    on = np.random.default_rng(0).random((20_000, len(units))) < 0.5
    write_design(Design(DesignKind.COALITION, UnitLevel.head, tuple(map(str, units)), on, {}, seed=0), tmp_path)
    (path,) = (tmp_path / "designs").glob("*.json")
    assert path.stat().st_size < 2 * on.size / 8 + 4096
    assert json.loads(path.read_text())["seed"] == 0
    assert np.array_equal(read_designs(tmp_path, LAYOUT)[0][-1].on, on)


def test_a_file_that_does_not_say_its_setting_is_refused_where_one_is_asked_for(tmp_path: Path) -> None:
    write_sealed(DESIGNS.path(pairs().id, tmp_path), pairs().to_json())
    with pytest.raises(DesignError, match="that of another design or setting"):
        DESIGNS.read(DESIGNS.path(pairs().id, tmp_path), tmp_path.name)
