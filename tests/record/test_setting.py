import json
from dataclasses import replace
from pathlib import Path

import pytest

from study.record.factors import Factors
from study.record.setting import Setting, SettingError, differences, is_described, read_setting, write_setting
from study.record.units import AttentionKind, HeadLayout

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: (2, 2)})
SETTING = Setting(
    model="m",
    data="d",
    metric="accuracy",
    subject={"files": {"model.safetensors": "0123"}, "labels": ["no", "yes"], "precision": "float32"},
    examples={"digest": "4567", "count": 3},
    statistic="accuracy|percent",
)


def test_id_is_pinned() -> None:
    """An id that changes orphans every result folder in the world: it may only change with the outcome schema."""
    assert SETTING.id == "4c8dd5bafdea"
    assert SETTING.subject_id == "8796202d807a"


def test_names_are_no_part_of_the_identity() -> None:
    assert replace(SETTING, model="other", data="other").id == SETTING.id


@pytest.mark.parametrize(
    "change",
    [
        {"subject": {**SETTING.subject, "precision": "bfloat16"}},
        {"examples": {"digest": "89ab", "count": 3}},
        {"metric": "bleu"},
        {"statistic": "accuracy|share"},
    ],
)
def test_what_determines_an_outcome_changes_the_id(change: dict) -> None:
    other = replace(SETTING, **change)
    assert other.id != SETTING.id
    assert (other.subject_id == SETTING.subject_id) == ("examples" in change)


def test_a_model_is_one_whatever_stands_in_the_place_of_its_units() -> None:
    stands_in = {"masked_by": "mean", "replacement": {"acts_on": "all", "reference": "own"}}
    other = replace(SETTING, subject={**SETTING.subject, **stands_in})
    assert other.model_id == SETTING.model_id
    assert other.subject_id != SETTING.subject_id
    assert (other.stands_in, SETTING.stands_in) == (stands_in, {})
    assert replace(SETTING, subject={**SETTING.subject, "precision": "bfloat16"}).model_id != SETTING.model_id


def test_differences_name_the_place() -> None:
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": 4}) == [
        "a.c: expected 2, found 3",
        "d: expected null, found 4",
    ]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"identity": {}}'])
def test_refuses_what_is_no_setting(tmp_path: Path, content: str) -> None:
    (tmp_path / "setting.json").write_text(content)
    with pytest.raises(SettingError, match="is not a setting file"):
        read_setting(tmp_path)


def test_refuses_another_schema(tmp_path: Path) -> None:
    stored = SETTING.with_layout(LAYOUT).to_json()
    stored["identity"]["schema"] = 99
    (tmp_path / "setting.json").write_text(json.dumps(stored))
    with pytest.raises(SettingError, match="outcome schema 99, this program reads 1"):
        read_setting(tmp_path)


def test_a_folder_stored_before_groups_were_known_holds_the_same_setting(tmp_path: Path) -> None:
    plain = SETTING.with_layout(HeadLayout({AttentionKind.DECODER_SELF: (4, 4)}))
    grouped = SETTING.with_layout(replace(plain.layout, groups={AttentionKind.DECODER_SELF: (2, 2)}, mlps=(0, 1)))
    assert grouped.id == plain.id == SETTING.id
    write_setting(plain, tmp_path)
    assert set(json.loads((tmp_path / "setting.json").read_text())) & {"groups", "mlps"} == set()
    assert not is_described(grouped, tmp_path), "what is known by now is not told yet"
    write_setting(grouped, tmp_path)
    assert read_setting(tmp_path).layout == grouped.layout
    assert is_described(plain, tmp_path)
    write_setting(replace(plain, factors=(Factors("m", "other", "float32"),)), tmp_path)
    assert read_setting(tmp_path).layout == grouped.layout, "a job that knows less takes nothing away"
    other = replace(grouped, layout=replace(plain.layout, groups={AttentionKind.DECODER_SELF: (1, 2)}))
    with pytest.raises(SettingError, match=r"groups\.decoder_self: expected \[1, 2\], found \[2, 2\]"):
        write_setting(other, tmp_path)
