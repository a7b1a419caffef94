"""Groups of keys and values are seen in a pass; a pruned model whose groups are uneven has none."""

import logging

import pytest
from fixtures import cases, pruned

from study.masking.gate import Gate
from study.record.units import AttentionKind

DECODER = AttentionKind.DECODER_SELF


@pytest.mark.parametrize(
    ("off", "groups"),
    [
        ([], {DECODER: (2, 2)}),
        ([0, 1], {DECODER: (1, 2)}),
        ([0, 2, 5, 7], {}),  # each group keeps one head: a head is a group
        ([0], {}),
        ([0, 1, 4], {}),
    ],
)
def test_groups_are_those_that_are_left(off: list[int], groups: dict, caplog: pytest.LogCaptureFixture) -> None:
    layout = pruned.subject("classifier llama").layout
    mask = layout.without([layout.heads[i] for i in off])
    with caplog.at_level(logging.INFO):
        smaller = pruned.removed("classifier llama", mask)
    assert smaller.layout.groups == groups
    assert ("cannot be turned off as a whole" in caplog.text) == (len(off) in (1, 3))


def test_what_is_seen_counts_where_a_config_says_something_else() -> None:
    subject = pruned.subject("classifier llama", cases.build(cases.CLASSIFIERS["llama"]))
    subject.module.config.num_key_value_heads = 1
    gate = Gate.on(subject.module, causal=True)
    assert gate.layout.groups == {DECODER: (1, 1)}
    rows = subject.probe()
    gate.learn(lambda: subject.response(rows, None), rows=len(rows))
    assert gate.layout.groups == {DECODER: (2, 2)}
