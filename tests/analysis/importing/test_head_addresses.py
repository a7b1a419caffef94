import pytest

from analysis.importing.head_addresses import head_at, is_head, parse_head, parse_kind
from study.record.errors import InputError
from study.record.units import AttentionKind, Head

SELF = AttentionKind.ENCODER_SELF


@pytest.mark.parametrize(
    "text",
    [
        "3.11",
        "L3H11",
        "l3.h11",
        "layer3_head11",
        "Layer 3, Head 11",
        "(3, 11)",
        "3-11",
        "3:11",
        "[3, 11]",
        "3x11",
        " 3 11 ",
    ],
)
def test_addresses_without_a_kind(text):
    assert is_head(text)
    assert parse_head(text, AttentionKind.CROSS, first=0) == Head(AttentionKind.CROSS, 3, 11)
    assert parse_head(text, SELF, first=1) == Head(SELF, 2, 10)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("encoder_self.3.11", SELF),
        ("E:3:11", SELF),
        ("enc-enc L3H11", SELF),
        ("D:3:11", AttentionKind.DECODER_SELF),
        ("decoder.l3.h11", AttentionKind.DECODER_SELF),
        ("A:3:11", AttentionKind.CROSS),
        ("Enc-Dec 3.11", AttentionKind.CROSS),
        ("encoder_attn_layer_3_head_11", AttentionKind.CROSS),
    ],
)
def test_addresses_with_a_kind(text, kind):
    assert parse_head(text, SELF, first=0) == Head(kind, 3, 11)


def test_every_address_of_this_project_is_read_back():
    for kind in AttentionKind:
        for head in (Head(kind, 0, 0), Head(kind, 11, 3), Head(kind, 5, 15)):
            assert parse_head(str(head), SELF, first=0) == head


@pytest.mark.parametrize("text", ["", "37", "seed", "L3", "3.11.2", "a.b", "-1.2", "1.5e3", "mask", "layer", "3."])
def test_what_is_no_address(text):
    assert not is_head(text)
    with pytest.raises(InputError, match="is no head address: expected"):
        parse_head(text, SELF, first=0)


def test_kinds_and_numbers_that_do_not_exist():
    with pytest.raises(InputError, match=r"'middle' is no attention kind: there are encoder_self \(encoder, enc"):
        parse_kind("middle")
    with pytest.raises(InputError, match="no layer 0, head 4 where counting starts at 1"):
        head_at(SELF, "0", "4", first=1)
    with pytest.raises(InputError, match=r"head '2\.5' is no whole number"):
        head_at(SELF, "1", "2.5", first=0)
    assert head_at(SELF, "1.0", "2.0", first=0) == Head(SELF, 1, 2)
