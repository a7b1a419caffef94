import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.record.errors import InputError
from study.record.units import (
    AttentionKind,
    AttentionLayer,
    Group,
    Head,
    HeadLayout,
    Mlp,
    UnitLevel,
    level_of,
    parse_mask,
    parse_unit,
    select_layers,
    select_units,
    stack,
)

LAYOUT = HeadLayout(
    {AttentionKind.CROSS: (2, 3), AttentionKind.ENCODER_SELF: (4, 1), AttentionKind.DECODER_SELF: (2, 2)}
)
DECODER = HeadLayout(
    {AttentionKind.DECODER_SELF: (4, 0, 6)}, groups={AttentionKind.DECODER_SELF: (2, 0, 3)}, mlps=(0, 2)
)
COUNTS = st.dictionaries(
    st.sampled_from(AttentionKind), st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1
)


GROUPED = st.dictionaries(
    st.sampled_from(AttentionKind),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=4),
    min_size=1,
)
MLPS = st.lists(st.integers(0, 5), max_size=4)


def grouped(sizes: dict[AttentionKind, list[tuple[int, int]]], mlps: list[int]) -> HeadLayout:
    """Per layer a number of groups and their size, one head too, and MLPs in some layers."""
    groups = {kind: [number for number, _ in layers] for kind, layers in sizes.items()}
    return HeadLayout(
        {kind: [number * size for number, size in layers] for kind, layers in sizes.items()}, groups=groups, mlps=mlps
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
    key = LAYOUT.key(mask)
    assert key == "".join("01"[int(bit)] for bit in mask)
    assert (parse_mask(key, LAYOUT) == mask).all()
    assert LAYOUT.changed(mask) == tuple(head for head, on in zip(LAYOUT.heads, mask, strict=True) if not on)


def test_masks_of_ablation_all_but_one_and_no_head() -> None:
    head = Head.parse("cross.1.1")
    assert LAYOUT.key(LAYOUT.without([head])) == "1" * 12 + "0" + "1"
    assert LAYOUT.key(LAYOUT.all_but(head)) == "1" * 11 + "010"
    assert LAYOUT.key(LAYOUT.without_layer((AttentionKind.ENCODER_SELF, 0))) == "0000" + "1" * 10
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


@given(GROUPED, MLPS, st.integers(0, 10**6))
def test_the_key_of_a_mask_has_the_mlps_only_where_one_is_off(sizes: dict, mlps: list[int], seed: int) -> None:
    layout = grouped(sizes, mlps)
    mask = np.random.default_rng(seed).random(layout.width) < (0.5, 1)[seed % 2]
    mask[: len(layout)] &= np.random.default_rng(seed + 1).random(len(layout)) < 0.5
    key, heads = layout.key(mask), len(layout.heads)
    assert layout.full().shape == (heads + len(set(mlps)),)
    assert len(key) == heads + (0 if mask[heads:].all() else len(set(mlps)))
    assert [character == "1" for character in key] == list(mask[: len(key)])
    assert (parse_mask(key, layout) == mask).all()
    plain = HeadLayout(layout.counts)
    if mask[heads:].all():
        assert key == plain.key(mask[:heads]), "a mask of heads has the name that it had before MLPs were known"
        assert (parse_mask(key, plain) == mask[:heads]).all()
    assert layout.full_key == plain.full_key == "1" * heads
    off = [Mlp(layer) for layer, on in zip(layout.mlps, mask[heads:], strict=True) if not on]
    assert layout.silent_mlps(mask) == tuple(off)
    assert (layout.without([*layout.changed(mask), *off]) == mask).all()


@given(GROUPED, MLPS)
def test_groups_and_layers_are_sets_of_heads(sizes: dict, mlps: list[int]) -> None:
    layout = grouped(sizes, mlps)
    for kind, numbers in layout.groups.items():
        assert any(number < heads for number, heads in zip(numbers, layout.counts[kind], strict=True))
        for layer, number in enumerate(numbers):
            heads = layout.counts[kind][layer]
            sizes = {h: h // (heads // number) for h in range(heads)} if number else {}
            for index in range(number):
                shared = tuple(Head(kind, layer, h) for h, group in sizes.items() if group == index)
                assert layout.members(Group(kind, layer, index)) == shared
    for level in (UnitLevel.group, UnitLevel.layer):
        units = layout.units(level)
        members = [head for unit in units for head in layout.members(unit)]
        every = [h for h in layout.heads if level is UnitLevel.layer or h.kind in layout.groups]
        assert members == every, "every head is in one, in order"
        for unit, mask in zip(units, layout.each_off(units), strict=True):
            assert layout.changed(mask) == layout.members(unit)
            assert not layout.silent_mlps(mask)
    assert (layout.each_off(layout.layers) == layout.each_layer_off()).all()
    for group, alone in zip(layout.key_groups, layout.each_alone(layout.key_groups), strict=True):
        rest = [h for h in layout.members(AttentionLayer(group.kind, group.layer)) if h not in layout.members(group)]
        assert layout.changed(alone) == tuple(rest)
    for mlp, mask in zip(layout.units(UnitLevel.mlp), layout.each_off(layout.units(UnitLevel.mlp)), strict=True):
        assert (layout.changed(mask), layout.silent_mlps(mask), layout.members(mlp)) == ((), (mlp,), ())
        assert layout.mlp_column(mlp.layer) == np.flatnonzero(~mask).item()


@given(GROUPED, MLPS)
def test_units_are_read_as_they_are_written(sizes: dict, mlps: list[int]) -> None:
    layout = grouped(sizes, mlps)
    for level in UnitLevel:
        for unit in layout.units(level):
            assert parse_unit(str(unit)) == unit
            assert level_of(unit) is level
    assert HeadLayout.from_json(layout.to_json()) == layout
    assert set(HeadLayout(layout.counts).to_json()) == {"heads"}, "as it was stored before there were groups and MLPs"
    assert HeadLayout(layout.counts).knowing(layout) == layout.knowing(HeadLayout(layout.counts)) == layout


def test_examples_of_addresses() -> None:
    assert [str(unit) for unit in DECODER.units(UnitLevel.group)[:3]] == [
        "decoder_self.0.g0",
        "decoder_self.0.g1",
        "decoder_self.2.g0",
    ]
    assert str(DECODER.layers[1]) == "decoder_self.2"
    assert DECODER.key(DECODER.without([parse_unit("decoder_self.2.g1"), parse_unit("mlp.2")])) == "111111001110"
    assert str(DECODER) == "10 decoder_self in 5 groups + 2 mlp"


@pytest.mark.parametrize(
    ("level", "kinds", "why"),
    [
        (UnitLevel.group, [], "a group is a head; it has 5 encoder_self"),
        (UnitLevel.mlp, [], "no MLP that can be masked"),
        (UnitLevel.mlp, [AttentionKind.CROSS], "an MLP belongs to no attention: kinds=cross"),
    ],
)
def test_refuses_units_that_no_model_of_this_kind_has(level: UnitLevel, kinds: list, why: str) -> None:
    with pytest.raises(InputError, match=why):
        select_units(LAYOUT, level, kinds)


@pytest.mark.parametrize(
    ("address", "has"),
    [
        ("decoder_self.0.g2", r"no group decoder_self\.0\.g2 .* groups per layer \[2, 0, 3\]"),
        ("decoder_self.1.g0", "no group"),
        ("decoder_self.1", r"no attention layer decoder_self\.1 .* heads per layer \[4, 0, 6\]"),
        ("mlp.1", r"no MLP mlp\.1 .* MLPs of the layers \[0, 2\]"),
        ("cross.0.g0", "no group"),
    ],
)
def test_refuses_a_unit_that_is_not_there(address: str, has: str) -> None:
    with pytest.raises(InputError, match=has):
        DECODER.without([parse_unit(address)])


@pytest.mark.parametrize("groups", [(2, 1, 3), (2, 0, 4), (2, 0)])
def test_refuses_groups_of_several_sizes(groups: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="are not in .* equal groups"):
        HeadLayout(DECODER.counts, groups={AttentionKind.DECODER_SELF: groups})


@given(COUNTS)
def test_addresses_are_text_rows_and_places_in_an_order(counts: dict[AttentionKind, list[int]]) -> None:
    heads = HeadLayout(counts).heads
    assert [Head.parse(str(head)) for head in heads] == [Head.from_row(head.row) for head in heads] == list(heads)
    assert sorted(set(heads)) == list(heads)


def test_selects_layers_of_a_kind() -> None:
    assert list(select_layers(LAYOUT, None)) == list(LAYOUT.layers)
    assert list(select_layers(LAYOUT, [AttentionKind.CROSS])) == [(AttentionKind.CROSS, 0), (AttentionKind.CROSS, 1)]


@pytest.mark.parametrize("text", ["crossed.1.2", "cross.a.2", "", "cross.1.2.3", "mlp.1.2", "mlp", "cross.1.h2"])
def test_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError, match=r"KIND\.LAYER\.gINDEX .a group."):
        parse_unit(text)
    with pytest.raises(InputError, match=r"no head address: expected KIND\.LAYER\.INDEX"):
        Head.parse(text)


@pytest.mark.parametrize("text", ["cross.1", "mlp.1", "cross.1.g2"])
def test_no_other_unit_is_a_head(text: str) -> None:
    with pytest.raises(InputError, match="no head address"):
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


def test_groups_and_mlps_in_words() -> None:
    said = {
        "nothing off": [],
        "decoder_self.2.g1 off": ["decoder_self.2.g1"],
        "decoder_self.2.g1 alone": ["decoder_self.2.g0", "decoder_self.2.g2"],
        "decoder_self.2.3 alone": ["decoder_self.2.g0", "decoder_self.2.g2", "decoder_self.2.2"],
        "no head in decoder_self.0": ["decoder_self.0"],
        "mlp.2 off": ["mlp.2"],
        "decoder_self.0.1 and mlp.0 off": ["decoder_self.0.1", "mlp.0"],
        "decoder_self.0.g0 and mlp.0 off": ["decoder_self.0.g0", "mlp.0"],
        "decoder_self.0.g0 and decoder_self.2.g2 off": ["decoder_self.0.g0", "decoder_self.2.g2"],
        "3 groups and 2 MLPs off from decoder_self.0.g0": ["decoder_self.0", "decoder_self.2.g2", "mlp.0", "mlp.2"],
        "2 heads and 1 MLP off from decoder_self.0.0": ["decoder_self.0.0", "decoder_self.2.2", "mlp.0"],
        "3 heads off from decoder_self.0.0": ["decoder_self.0.g0", "decoder_self.2.0"],
    }
    for words, units in said.items():
        assert DECODER.describe(DECODER.without(map(parse_unit, units))) == words
