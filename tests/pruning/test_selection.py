"""Which heads are to be removed: every way to say it, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from study.pruning.selection import Selection
from study.record.curves import Curve, CurveError, write_curve
from study.record.errors import InputError
from study.record.units import AttentionKind, HeadLayout

DECODER = AttentionKind.DECODER_SELF
LAYOUT = HeadLayout({DECODER: (4, 4)}, groups={DECODER: (2, 2)}, mlps=(1,))


def order(folder: Path, *lines: str, name: str = "order.txt") -> str:
    (folder / name).write_text("\n".join(lines) + "\n\n")
    return str(folder / name)


def test_every_way_to_say_it(tmp_path: Path) -> None:
    file = order(tmp_path, "# mine", "decoder_self.1.3", " decoder_self.0.0", "decoder_self.0.1")
    groups = order(tmp_path, "decoder_self.1.g1", "decoder_self.0.g0", name="groups.txt")
    said = {
        "11110110": Selection(mask="11110110"),
        "10110111": Selection(heads=["decoder_self.0.1", "decoder_self.1.0"]),
        "01111110": Selection(order=file, number=2),
        "11111110": Selection(order=file, share=0.24),
        "00110111": Selection(heads=["decoder_self.0.g0", "decoder_self.1.0"]),
        "11110000": Selection(heads=["decoder_self.1"]),
        "11111100": Selection(order=groups, share=0.25),
        "00111100": Selection(order=groups, number=2),
    }
    for mask, selection in said.items():
        assert LAYOUT.key(selection.keeps(LAYOUT)) == mask


def test_a_curve_of_the_results_is_an_order(tmp_path: Path) -> None:
    sequence = tuple(map(str, LAYOUT.heads[::-1]))
    curve = Curve("importance", {}, (), 8, (0, 8), ("1" * 8, "0" * 8), 5, sequence)
    write_curve(curve, tmp_path)
    (path,) = (tmp_path / "curves").iterdir()
    assert LAYOUT.key(Selection(order=str(path), share=0.4).keeps(LAYOUT)) == "11111000"
    path = path.rename(tmp_path / "mine.json")
    assert LAYOUT.key(Selection(order=str(path), share=0.4).keeps(LAYOUT)) == "11111000"
    path.write_text("[]")
    with pytest.raises(CurveError, match="is not a whole pruning curve"):
        Selection(order=str(path), share=0.4).keeps(LAYOUT)


def test_heads_that_gates_do_without_are_a_set_and_no_order(tmp_path: Path) -> None:
    sequence = tuple(map(str, LAYOUT.heads[:3]))
    write_curve(
        Curve("kept", {"method": "kept", "training": "abc"}, (), 8, (0, 3), ("1" * 8, "00011111"), 0, sequence),
        tmp_path,
    )
    (path,) = (tmp_path / "curves").iterdir()
    assert LAYOUT.key(Selection(order=str(path), number=3).keeps(LAYOUT)) == "00011111"
    with pytest.raises(
        InputError, match="the 3 heads that the gates given to training abc do without, in no order: number=3"
    ):
        Selection(order=str(path), share=0.25).keeps(LAYOUT)


def test_a_share_is_rounded_down_but_not_by_floating_point(tmp_path: Path) -> None:
    layout = HeadLayout({AttentionKind.ENCODER_SELF: (10,)})
    file = order(tmp_path, *map(str, layout.heads))
    for tenths in range(1, 11):
        assert np.sum(~Selection(order=file, share=tenths / 10).keeps(layout)) == tenths


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "in one way: .* given: none"),
        ({"mask": "11110110", "heads": ["decoder_self.0.0"]}, "given: mask, heads"),
        ({"mask": "111"}, "'111' is no mask of this model: expected 8 or 9 characters"),
        ({"mask": "11111111"}, "nothing to remove"),
        ({"mask": "11110110", "number": 1}, "number=N or share=0.4 belong to order=FILE"),
        ({"mask": "111111110"}, r"MLPs cannot: mlp\.1 can only be masked"),
        ({"heads": ["mlp.1"]}, r"MLPs cannot: mlp\.1 can only be masked"),
        ({"heads": ["decoder_self.0.g0", "decoder_self.0.1"]}, r"named twice: decoder_self\.0\.1"),
        ({"heads": ["decoder_self.0.0", "decoder_self.1.0", "decoder_self.0.0"]}, r"named twice: decoder_self\.0\.0"),
        ({"heads": ["decoder_self.0.4"]}, r"no head decoder_self\.0\.4 in this model"),
        ({"heads": ["cross.0.0"]}, r"no head cross\.0\.0 in this model"),
        ({"heads": ["first"]}, "'first' is no address"),
        ({"heads": ["decoder_self.0.g2"]}, r"no group decoder_self\.0\.g2 .*\[2, 2\]"),
        ({"order": "nowhere.txt", "number": 1}, "cannot read the order in nowhere.txt"),
    ],
)
def test_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Selection(**changes).keeps(LAYOUT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give one of them"),
        ({"number": 1, "share": 0.5}, "give one of them"),
        ({"share": 1.5}, "share=1.5: expected a number from 0 to 1"),
        ({"number": 3}, "names 2 heads: 3 of them cannot be removed"),
        ({"number": -1}, "-1 of them cannot be removed"),
        ({"number": 0}, "nothing to remove"),
    ],
)
def test_an_order_that_does_not_do(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    file = order(tmp_path, "decoder_self.1.3", "decoder_self.0.0")
    with pytest.raises(InputError, match=message):
        Selection(order=file, **changes).keeps(LAYOUT)


def test_groups_where_there_are_none() -> None:
    with pytest.raises(InputError, match="no groups of one size that share keys and values"):
        Selection(heads=["decoder_self.0.g0"]).keeps(HeadLayout({DECODER: (3, 4)}))


def test_a_share_is_of_units_of_one_level(tmp_path: Path) -> None:
    file = order(tmp_path, "decoder_self.0.g0", "decoder_self.1.3")
    with pytest.raises(InputError, match="names groups and heads: a share is of units of one kind"):
        Selection(order=file, share=0.5).keeps(LAYOUT)
    assert LAYOUT.key(Selection(order=file, number=2).keeps(LAYOUT)) == "00111110"
