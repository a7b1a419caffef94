from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.engine.prefixes import attention_stages, forward_order, passes, prefix_classes
from study.record.units import AttentionKind, HeadLayout

LAYOUT = HeadLayout(
    {AttentionKind.ENCODER_SELF: (2, 2), AttentionKind.DECODER_SELF: (2, 1), AttentionKind.CROSS: (1, 2)}
)
MASKS = st.lists(st.lists(st.booleans(), min_size=10, max_size=10), min_size=1, max_size=12)


def test_a_forward_pass_meets_the_encoder_first_and_cross_after_self_attention() -> None:
    encoder, decoder, cross = AttentionKind
    assert forward_order(LAYOUT) == [(encoder, 0), (encoder, 1), (decoder, 0), (cross, 0), (decoder, 1), (cross, 1)]


@given(MASKS)
def test_masks_share_a_class_exactly_when_they_agree_so_far(rows: list[list[bool]]) -> None:
    masks, order = np.array(rows), forward_order(LAYOUT)
    classes = prefix_classes(masks, attention_stages(LAYOUT))
    columns: list[int] = []
    for depth in range(len(order) + 1):
        for a in range(len(masks)):
            for b in range(len(masks)):
                agree = bool((masks[a, columns] == masks[b, columns]).all())
                assert (classes[depth, a] == classes[depth, b]) == agree
        if depth < len(order):
            columns += range(10)[LAYOUT.columns(*order[depth])]


@given(MASKS)
def test_classes_part_and_never_meet_again(rows: list[list[bool]]) -> None:
    masks = np.array(rows)
    classes = prefix_classes(masks, attention_stages(LAYOUT))
    assert (classes[0] == 0).all()
    for below, above in pairwise(classes):
        assert len(set(zip(below, above, strict=True))) == len(set(above)) == above.max() + 1
        assert (np.diff(below[np.argsort(above, kind="stable")]) >= 0).all(), "children of one parent stand together"


def test_passes_are_classes_on_average() -> None:
    order, full = forward_order(LAYOUT), np.ones((1, 10), dtype=bool)
    assert passes(full, attention_stages(LAYOUT)) == 1
    last_head_off = full.copy()
    last_head_off[0, LAYOUT.columns(*order[-1])] = False
    assert passes(np.concatenate([full, last_head_off]), attention_stages(LAYOUT)) == 1 + 1 / 7


def test_the_full_mask_leads_its_class() -> None:
    masks = np.ones((3, 10), dtype=bool)
    masks[0, 0] = masks[2, 9] = False
    assert prefix_classes(masks, attention_stages(LAYOUT))[-1].tolist() == [2, 0, 1]
