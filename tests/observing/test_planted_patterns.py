"""Heads that are known by construction: positional, on a separator, uniform, alike, and with nothing in common."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from study.masking.sites import AttentionSite
from study.observing.batch import Batch
from study.observing.divergence import Divergences, pair_divergences
from study.observing.observer import Pass
from study.observing.patterns import Pattern
from study.observing.statistics import Looks, View, pattern_sums
from study.record.tables import as_matrix
from study.record.units import AttentionKind, HeadLayout
from study.subjects.subject import TokenRow
from study.subjects.tokens.facts import describe
from study.subjects.tokens.passage import Passage

LENGTH = 7
KIND = AttentionKind.ENCODER_SELF
TOKENS = describe(
    [2, 5, 6, 7, 8, 9, 3],
    ["[CLS]", "the", "\u0120,", "cat", "##.", "sat", "[SEP]"],
    special=[2, 3],
    beginnings=[2],
    separators=[3],
)
CPU = torch.device("cpu")


def _on(keys: list[int]) -> Tensor:
    """A head that looks at one key from each query."""
    return nn.functional.one_hot(torch.tensor(keys), LENGTH).float()


PLANTED = {
    "previous": _on([0, 0, 1, 2, 3, 4, 5]),
    "next": _on([1, 2, 3, 4, 5, 6, 6]),
    "separator": _on([6] * LENGTH),
    "uniform": torch.full((LENGTH, LENGTH), 1 / LENGTH),
}


def _pattern(*heads: Tensor) -> Pattern:
    weights = torch.stack(heads)[None]
    site = AttentionSite("planted", KIND, 0, nn.Linear(2 * len(heads), 3), len(heads))
    visible = torch.ones(1, LENGTH, LENGTH, dtype=torch.bool)
    return Pattern(site, weights, slice(0, LENGTH), visible, torch.zeros(1, len(heads), LENGTH, 2))


def _sums(name: str) -> dict[str, np.ndarray]:
    looks = Looks(_pattern(PLANTED[name]), Batch([Passage(TOKENS)], KIND, CPU), View())
    return {key: values[0, 0].numpy() for key, values in pattern_sums(looks, torch.ones(1, 1, LENGTH)).items()}


@pytest.mark.parametrize(("name", "offset"), [("previous", -1), ("next", 1)])
def test_positional_heads(name: str, offset: int) -> None:
    sums = _sums(name)
    assert sums[name] == sums[f"with_{name}"] == LENGTH - 1
    assert sums["self"] == 1  # at the end of the text
    assert sums["offsets"][5 + offset] == LENGTH - 1
    assert (sums["largest"], sums["distance"]) == (LENGTH, LENGTH - 1)
    assert sums["entropy"] == pytest.approx(0, abs=1e-6)


def test_a_head_on_the_separator() -> None:
    sums = _sums("separator")
    assert sums["separator"] == sums["weighted_norm_separator"] == LENGTH
    assert sums["beginning"] == sums["punctuation"] == sums["previous"] == 0
    assert sums["distance"] == sum(range(LENGTH))


def test_a_uniform_head() -> None:
    sums = _sums("uniform")
    assert sums["entropy"] == pytest.approx(LENGTH * math.log(LENGTH), rel=1e-6)
    assert sums["entropy"] == pytest.approx(sums["uniform_entropy"], rel=1e-6)
    for share, keys in {"self": 1, "beginning": 1, "separator": 1, "punctuation": 2}.items():
        assert sums[share] == pytest.approx(keys, rel=1e-6), share


def test_what_goes_to_a_learned_sink_is_a_key_of_its_own() -> None:
    plain = _pattern(0.75 * PLANTED["uniform"])
    pattern = Pattern(plain.site, plain.weights, plain.queries, plain.visible, plain.value, has_sink=True)
    sums = pattern_sums(Looks(pattern, Batch([Passage(TOKENS)], KIND, CPU), View()), torch.ones(1, 1, LENGTH))
    assert sums["sink"].item() == pytest.approx(0.25 * LENGTH, rel=1e-5)
    row = [0.75 / LENGTH] * LENGTH + [0.25]
    assert sums["entropy"].item() == pytest.approx(-LENGTH * sum(a * math.log(a) for a in row), rel=1e-5)
    assert sums["uniform_entropy"].item() == pytest.approx(LENGTH * math.log(LENGTH + 1))


def _divergences(*heads: Tensor, view: View | None = None) -> np.ndarray:
    """[heads, heads], the mean over query tokens."""
    layout = HeadLayout({KIND: [len(heads)]})
    observer = Divergences(1, layout, view or View())
    now = Pass([Passage(TOKENS)], torch.tensor([0]), [TokenRow("", (), 0, 0)], CPU)
    observer.see(_pattern(*heads), now)
    observer.finish(now)
    columns = observer.columns()
    return as_matrix(columns["divergence"][0].numpy(), len(heads)) / columns["queries"][0, 0].item()


def test_heads_that_are_alike_do_not_diverge() -> None:
    random = torch.rand(LENGTH, LENGTH).softmax(-1)
    assert _divergences(random, random.clone())[0, 1] == pytest.approx(0, abs=1e-7)


def test_heads_with_nothing_in_common_diverge_by_ln_2() -> None:
    assert _divergences(PLANTED["separator"], _on([0] * LENGTH))[0, 1] == pytest.approx(math.log(2), rel=1e-6)


def test_divergence_is_the_mean_of_two_divergences_to_the_mixture() -> None:
    heads = [torch.randn(LENGTH, LENGTH, generator=torch.Generator().manual_seed(i)).softmax(-1) for i in range(4)]
    found = _divergences(*heads)
    for i, j in combinations(range(4), 2):
        p, q = heads[i].double(), heads[j].double()
        by_hand = sum((a * (a / ((p + q) / 2)).log()).sum() for a in (p, q)) / 2 / LENGTH
        assert found[i, j] == pytest.approx(by_hand.item(), rel=1e-5)


def test_divergence_of_the_words_alone_leaves_special_tokens_out() -> None:
    heads = [torch.randn(LENGTH, LENGTH, generator=torch.Generator().manual_seed(i)).softmax(-1) for i in range(2)]
    words = slice(1, LENGTH - 1)
    p, q = (head[words, words].double() for head in heads)
    p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
    by_hand = sum((a * (a / ((p + q) / 2)).log()).sum() for a in (p, q)) / 2 / (LENGTH - 2)
    found = _divergences(*heads, view=View(keys=False, queries=False))
    assert found[0, 1] == pytest.approx(by_hand.item(), rel=1e-5)


def test_many_pairs_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = torch.rand(5, 12).softmax(-1)
    whole = list(pair_divergences(patterns))
    monkeypatch.setattr("study.observing.divergence.AT_ONCE", 24)
    for part, expected in zip(pair_divergences(patterns), whole, strict=True):
        torch.testing.assert_close(part, expected)
