import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.record.errors import InputError
from study.record.units import AttentionKind, Head, HeadLayout, mask_key, parse_mask, select_layers, stack

LAYOUT = HeadLayout(
    {AttentionKind.CROSS: (2, 3), AttentionKind.ENCODER_SELF: (4, 1), AttentionKind.DECODER_SELF: (2, 2)}
)
COUNTS = st.dictionaries(
    st.sampled_from(AttentionKind), st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1
)


def test_order_is_kind_then_layer_then_index() -> None:
    assert [str(head) for head in LAYOUT.heads[:6]] == [
        *(f"encoder_self.0.{i}" for i in range(4)),
        "encoder_self.1.0",
        "decoder_self.0.0",
    ]
    assert str(LAYOUT.heads[-1]) == "cross.1.2"
    assert str(LAYOUT) == "5 encoder_self + 4 decoder_self + 5 cross"


@given(COUNTS)
def test_columns_tile_the_mask_in_the_order_of_layers(counts: dict[AttentionKind, list[int]]) -> None:
    layout = HeadLayout(counts)
    tiles = [range(len(layout))[layout.columns(*layer)] for layer in layout.layers]
    assert [i for tile in tiles for i in tile] == list(range(len(layout)))
    for head in layout.heads:
        assert layout.heads[layout.index(head)] == head
        assert layout.index(head) in range(len(layout))[layout.columns(head.kind, head.layer)]
    assert HeadLayout.from_json(layout.to_json()) == layout


@given(st.integers(0, 2 ** len(LAYOUT) - 1))
def test_key_round_trip(number: int) -> None:
    mask = np.array([bool(number >> i & 1) for i in range(len(LAYOUT))])
    key = mask_key(mask)
    assert key == "".join("01"[int(bit)] for bit in mask)
    assert (parse_mask(key, LAYOUT) == mask).all()
    assert LAYOUT.changed(mask) == tuple(head for head, on in zip(LAYOUT.heads, mask, strict=True) if not on)


def test_masks_of_ablation_all_but_one_and_no_head() -> None:
    head = Head.parse("cross.1.1")
    assert mask_key(LAYOUT.without([head])) == "1" * 12 + "0" + "1"
    assert mask_key(LAYOUT.all_but(head)) == "1" * 11 + "010"
    assert mask_key(LAYOUT.without_layer((AttentionKind.ENCODER_SELF, 0))) == "0000" + "1" * 10
    assert stack([], LAYOUT).shape == LAYOUT.each_off([]).shape == (0, 14)


@given(COUNTS)
def test_standard_sets_of_masks_are_what_their_names_say(counts: dict[AttentionKind, list[int]]) -> None:
    layout = HeadLayout(counts)
    assert layout.full_key == "1" * len(layout)
    for head, off, alone in zip(layout.heads, layout.each_off(), layout.each_alone(), strict=True):
        others = [o for o in layout.heads if (o.kind, o.layer) == (head.kind, head.layer) and o != head]
        assert layout.changed(off) == (head,)
        assert layout.changed(alone) == tuple(others)
    for (kind, layer), none in zip(layout.layers, layout.each_layer_off(), strict=True):
        assert layout.changed(none) == tuple(Head(kind, layer, i) for i in range(counts[kind][layer]))


@given(COUNTS)
def test_addresses_are_text_rows_and_places_in_an_order(counts: dict[AttentionKind, list[int]]) -> None:
    heads = HeadLayout(counts).heads
    assert [Head.parse(str(head)) for head in heads] == [Head.from_row(head.row) for head in heads] == list(heads)
    assert sorted(set(heads)) == list(heads)


def test_selects_layers_of_a_kind() -> None:
    assert list(select_layers(LAYOUT, None)) == list(LAYOUT.layers)
    assert list(select_layers(LAYOUT, [AttentionKind.CROSS])) == [(AttentionKind.CROSS, 0), (AttentionKind.CROSS, 1)]


@pytest.mark.parametrize("text", ["cross.1", "crossed.1.2", "cross.a.2", "", "cross.1.2.3"])
def test_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError, match=r"KIND\.LAYER\.INDEX"):
        Head.parse(text)


def test_refuses_a_head_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"no head cross\.0\.2 .* heads per layer \[2, 3\]"):
        LAYOUT.without([Head.parse("cross.0.2")])
    with pytest.raises(InputError, match="has no decoder_self attention: it has encoder_self"):
        list(select_layers(HeadLayout({AttentionKind.ENCODER_SELF: (2,)}), [AttentionKind.DECODER_SELF]))


@pytest.mark.parametrize("key", ["1" * 13, "1" * 13 + "2", ""])
def test_refuses_a_mask_of_another_model(key: str) -> None:
    with pytest.raises(InputError, match="expected 14 characters 0 or 1"):
        parse_mask(key, LAYOUT)


def test_a_mask_in_words_names_what_is_off_or_left() -> None:
    head, other = Head(AttentionKind.CROSS, 1, 2), Head(AttentionKind.ENCODER_SELF, 0, 0)
    said = {
        "cross.1.2 off": LAYOUT.without([head]),
        "cross.1.2 alone": LAYOUT.all_but(head),
        "no head in cross.1": LAYOUT.without_layer((head.kind, 1)),
        "no head in cross.0": LAYOUT.without_layer((head.kind, 0)),
        f"{other} and {head} off": LAYOUT.without([head, other]),
        "encoder_self.1.0 off": LAYOUT.without_layer((other.kind, 1)),
    }
    assert {words: LAYOUT.describe(mask) for words, mask in said.items()} == {words: words for words in said}
