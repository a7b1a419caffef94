"""A model whose heads are removed is the model whose heads are masked, for every architecture."""

from pathlib import Path

import numpy as np
import pruned
import pytest
import torch

from study.certify import certify
from study.engine.choose import choose_engine
from study.errors import InputError
from study.gate import find_sites
from study.heads import AttentionKind, Head, HeadLayout
from study.pruning.folder import read_model, write_model
from study.pruning.plain import as_plain
from study.pruning.prune import cut, module_of
from study.pruning.remove import remove_heads
from study.subjects.source import Precision, Screening
from study.subjects.subject import Subject

CLOSE = 1e-5


def share_of_largest(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


def respond(subject: Subject) -> torch.Tensor:
    return subject.response(subject.probe(), None)


@pytest.mark.parametrize("case", pruned.ALL)
def test_removed_is_masked(case: str) -> None:
    layout = pruned.subject(case).layout
    full = respond(pruned.subject(case))
    for mask in pruned.some_masks(layout):
        expected = pruned.masked(pruned.subject(case), mask)
        assert share_of_largest(full, expected) > 100 * CLOSE
        smaller = pruned.removed(case, mask)
        assert share_of_largest(respond(smaller), expected) < CLOSE
        on = [mask[layout.columns(*layer)].sum() for layer in layout.layers]
        assert [count for counts in smaller.layout.counts.values() for count in counts] == on


@pytest.mark.parametrize("case", pruned.ALL)
def test_certified_saved_and_loaded(case: str, tmp_path: Path) -> None:
    mask = pruned.some_masks(pruned.subject(case).layout)[-1]
    mask[pruned.subject(case).layout.columns(*pruned.subject(case).layout.layers[0])] = False
    smaller = pruned.removed(case, mask)
    assert certify(smaller).largest_difference < CLOSE
    write_model(module_of(smaller), smaller.gate.sites, tmp_path)
    again = pruned.subject(case, read_model(tmp_path))
    assert again.layout == smaller.layout
    assert torch.equal(respond(again), respond(smaller))
    assert certify(again).dead == certify(smaller).dead


@pytest.mark.parametrize("case", pruned.ALL)
def test_twice_is_once(case: str, tmp_path: Path) -> None:
    layout = pruned.subject(case).layout
    first, both = np.ones(len(layout), dtype=bool), np.ones(len(layout), dtype=bool)
    first[1::3], both[1::3], both[2::3] = False, False, False
    smaller = pruned.removed(case, first)
    write_model(module_of(smaller), smaller.gate.sites, tmp_path)
    smallest = pruned.removed(case, both[first], read_model(tmp_path))
    assert share_of_largest(respond(smallest), pruned.masked(pruned.subject(case), both)) < CLOSE


@pytest.mark.parametrize("case", pruned.ALL)
@pytest.mark.filterwarnings("ignore:.*nested tensor")
def test_engine_and_gradients(case: str) -> None:
    """The engine computes what the pruned module computes; so does it where a layer has no head left."""
    layout = pruned.subject(case).layout
    uneven = layout.full()
    uneven[1] = False
    for mask in (uneven, layout.without_layer(layout.layers[0])):
        smaller = pruned.removed(case, mask)
        engine = choose_engine(smaller, Precision.float32, Screening())
        rows, masks = smaller.probe(), pruned.some_masks(smaller.layout)[[0, -1]]
        if case.startswith("translator"):
            continue  # whose probe has no reference to be scored on: choosing has proved the engine
        for block in engine.run(rows, masks, np.ones((2, 3), dtype=bool)):
            for i, j, margin in zip(block.masks, block.examples, block.columns["margin"], strict=True):
                alone = smaller.outcomes([rows[j]], masks[i][None])["margin"][0]
                assert margin == pytest.approx(alone, abs=1e-4)
        found = smaller.gradients(rows, smaller.layout.full()[None].repeat(3, axis=0))["gradient"]
        whole = pruned.subject(case).gradients(rows, np.tile(mask, (3, 1)))["gradient"][:, mask]
        assert found == pytest.approx(whole, abs=1e-4 * float(np.abs(whole).max()))


@pytest.mark.parametrize(
    ("case", "size", "has_bias"),
    [
        ("classifier bert", 6, True),
        ("classifier gpt2", 6, True),
        ("translator fsmt", 6, True),
        ("translator t5", 5, False),
    ],
)
def test_parameters_fall_by_the_counted_number(case: str, size: int, has_bias: bool) -> None:
    """A head has `size` rows of 24 numbers (and a bias) in q, k and v, and as many columns of the output projection."""
    layout = pruned.subject(case).layout
    mask = layout.full()
    mask[[0, 2, 5]] = False
    before, after = (module_of(s).num_parameters() for s in (pruned.subject(case), pruned.removed(case, mask)))
    assert before - after == 3 * (4 * 24 * size + 3 * size * has_bias)


def test_a_group_goes_with_its_last_query_head() -> None:
    """Llama of 4 query heads in 2 groups: keys and values stay until no query head of theirs is left."""
    layout = pruned.subject("classifier llama").layout
    for off, saved in (([0], 2 * 24 * 6), ([0, 1], 4 * 24 * 6 + 2 * 24 * 6)):
        mask = layout.full()
        mask[off] = False
        smaller = pruned.removed("classifier llama", mask)
        whole = module_of(pruned.subject("classifier llama")).num_parameters()
        assert whole - module_of(smaller).num_parameters() == saved


@pytest.mark.parametrize(
    ("case", "off"), [("llama", [0, 1, 6, 7]), ("llama", [0, 2, 5, 7]), ("t5", [0, 4, 8, 12, 17, 20])]
)
def test_plain_transformers_where_the_config_can_say_it(case: str, off: list[int], tmp_path: Path) -> None:
    name = f"classifier {case}"
    whole = pruned.subject(name)
    mask = whole.layout.full()
    mask[off] = False
    expected = pruned.masked(whole, mask)
    plain = as_plain(module_of(whole), cut(whole, mask))
    assert plain is not None
    plain.save_pretrained(tmp_path)
    again = type(plain).from_pretrained(tmp_path)
    assert share_of_largest(respond(pruned.subject(name, again)), expected) < CLOSE


@pytest.mark.parametrize(
    ("case", "off"),
    [("llama", [0]), ("llama", [0, 1, 4]), ("llama", [0, 1, 4, 6]), ("t5", [0, 5, 8, 12, 17, 20]), ("bert", [0, 4])],
)
def test_not_plain_where_it_cannot(case: str, off: list[int]) -> None:
    whole = pruned.subject(f"classifier {case}")
    mask = whole.layout.full()
    mask[off] = False
    assert as_plain(module_of(whole), cut(whole, mask)) is None


def test_addresses_of_what_is_left_are_counted_anew() -> None:
    layout = pruned.subject("classifier bert").layout
    smaller = pruned.removed("classifier bert", layout.without([Head(AttentionKind.ENCODER_SELF, 0, 1)]))
    assert smaller.layout == HeadLayout({AttentionKind.ENCODER_SELF: (3, 4)})


def test_an_unknown_projection_is_refused_before_anything_is_cut() -> None:
    whole = pruned.subject("classifier bert")
    module = module_of(whole)
    attention = module.bert.encoder.layer[1].attention.self
    attention.Wqkv = attention.query
    del attention.query
    with pytest.raises(InputError, match=r"BertForSequenceClassification cannot be pruned: bert\.encoder\.layer\.1"):
        cut(whole, whole.layout.without([whole.layout.heads[0]]))
    assert module.bert.encoder.layer[0].attention.self.query.out_features == 24


def test_heads_of_another_model_are_refused() -> None:
    module = module_of(pruned.subject("classifier bert"))
    sites = find_sites(module, causal=False)
    kept = {sites[0].name: [0, 4], "elsewhere": [0]}
    with pytest.raises(
        InputError, match=r"layer\.1.* is not named\n.*no elsewhere here\n.*keeps \[0, 4\] of \[0, 1, 2, 3\]"
    ):
        remove_heads(module, sites, kept)
