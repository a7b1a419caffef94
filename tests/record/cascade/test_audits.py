"""Audits as they are kept: sealed, named by what determines them, and refused where they contradict themselves."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from study.record.cascade import Audit, MaskSample, PartialRequest
from study.record.cascade.audit_files import FOLDER, AuditError, read_audit, read_audits, write_audit
from study.record.cascade.limits import wrong_limit

AUDIT = Audit(
    round=1,
    seed=7,
    share=0,
    shards=1,
    examples=100,
    bound=0.01,
    confidence=0.95,
    alpha=0.025,
    masks={"011": MaskSample(90, 2), "101": MaskSample(80, 1), "110": MaskSample(70, 0)},
    drawn={"011": (4, 17), "101": (4,)},
    flips=1,
    stages={"first_order": 240, "float32": 60},
    purposive={"looked": 5, "wrong": 1},
    partly=(PartialRequest(("101", "110"), (4, 9, 12)),),
)


def test_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "setting"
    second = replace(AUDIT, round=2, passed=True, seconds=1.5)
    for audit in (second, AUDIT):
        write_audit(audit, folder)
    assert read_audits(folder) == ([AUDIT, second], [])
    stored = json.loads((folder / FOLDER / f"{AUDIT.id}.json").read_text())
    assert (stored["population"], stored["sample"], stored["wrong"]) == (240, 3, 0), "for people"


def test_its_name_is_what_determines_it(tmp_path: Path) -> None:
    assert replace(AUDIT, passed=True, flips=2, stages={}).id == AUDIT.id
    others = [
        {"round": 2},
        {"shards": 2},
        {"examples": 99},
        {"masks": {"011": MaskSample(90, 3)}, "drawn": {"011": (1, 2, 3)}},
    ]
    assert AUDIT.id not in {replace(AUDIT, **other).id for other in others}
    computed = replace(AUDIT, masks={**AUDIT.masks, "101": MaskSample(80, 1, 1)}, passed=False)
    assert write_audit(AUDIT, tmp_path) == write_audit(computed, tmp_path)
    assert read_audits(tmp_path)[0] == [computed]


@pytest.mark.parametrize(
    "change",
    [
        {"drawn": {"011": (4,), "101": (4,)}},
        {"drawn": {"011": (4, 4), "101": (4,)}},
        {"flips": 1, "wrong_flips": 1},
        {"share": 1},
        {"alpha": 0.0},
    ],
)
def test_what_contradicts_itself_is_none(change: dict) -> None:
    with pytest.raises(ValueError, match=r"sample|flips|share"):
        replace(AUDIT, **change)


def test_damage_is_told_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "setting"
    path = write_audit(AUDIT, folder)
    elsewhere = write_audit(AUDIT, tmp_path / "other")
    content = path.read_text()
    for damaged, words in [
        (content.replace("0.025", "0.5"), "not what its digest says"),
        (content[:50], "is not a whole audit"),
        (elsewhere.read_text(), "that of another audit or setting"),
        ("[]", "no JSON object"),
    ]:
        path.write_text(damaged)
        with pytest.raises(AuditError, match=words):
            read_audit(path, folder.name)
    audits, wrong = read_audits(folder)
    assert not audits
    assert len(wrong) == 1
    assert "run the study again" in wrong[0]


def test_what_is_left_is_spoken_for_by_what_was_drawn() -> None:
    assert AUDIT.together == MaskSample(240, 3)
    assert MaskSample(3_000, 300).unseen(0.05) == wrong_limit(0, 300, 3_000, 0.05)
    assert MaskSample(3_000, 300, 4).unseen(0.05) == wrong_limit(4, 300, 3_000, 0.05) - 4, "what was found is exact now"
    assert MaskSample(5, 5, 2).unseen(0.05) == 0, "nothing is left of what was looked at wholly"
    assert replace(AUDIT, masks={}, drawn={}, flips=0).together == MaskSample(0, 0)
