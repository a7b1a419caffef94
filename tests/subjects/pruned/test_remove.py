"""A model whose heads are removed is the model whose heads are masked, for every architecture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures import cases, pruned, translators
from transformers import PreTrainedModel

from study.certification.certify import certify
from study.engine.choose import choose_engine
from study.engine.pairs import Pairs
from study.engine.precision import Precision, Screening
from study.masking.sites import find_sites
from study.pruning.plain import as_plain
from study.pruning.prune import cut
from study.record.errors import InputError
from study.record.units import AttentionKind, Head, HeadLayout
from study.subjects.pruned.folder import read_model, write_model
from study.subjects.pruned.remove import remove_heads
from study.subjects.subject import Subject

CLOSE = 1e-5


def share_of_largest(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


def respond(subject: Subject) -> torch.Tensor:
    return subject.response(subject.probe(), None)


@pytest.mark.parametrize("case", pruned.ALL)
def test_removed_is_masked(case: str) -> None:
    whole = pruned.subject(case)
    layout, full = whole.layout, respond(whole)
    for mask in pruned.some_masks(layout)[[0, 2, 3, -1]]:
        expected = pruned.masked(whole, mask)
        assert share_of_largest(full, expected) > 100 * CLOSE
        smaller = pruned.removed(case, mask)
        assert share_of_largest(respond(smaller), expected) < CLOSE
        on = [mask[layout.columns(*layer)].sum() for layer in layout.layers]
        assert [count for counts in smaller.layout.counts.values() for count in counts] == on


@pytest.mark.parametrize(
    "mechanism", ["weights shared by layers", "dense beside attention", "attention in a list of its own"]
)
def test_removed_is_masked_however_the_heads_are_laid_out(mechanism: str, tmp_path: Path) -> None:
    def module() -> PreTrainedModel:
        return cases.build(cases.MECHANISMS[mechanism])

    whole = pruned.subject("classifier", module())
    masks = pruned.some_masks(whole.layout)
    for number, mask in enumerate(mask for mask in masks if mask.any()):
        smaller = pruned.removed("classifier", mask, module())
        write_model(smaller.module, smaller.gate.sites, tmp_path / str(number))
        again = pruned.subject("classifier", read_model(tmp_path / str(number)))
        assert share_of_largest(respond(again), pruned.masked(whole, mask)) < 10 * CLOSE  # MobileBERT has no norms


@pytest.mark.parametrize("case", pruned.ALL)
def test_certified_saved_and_loaded(case: str, tmp_path: Path) -> None:
    layout = pruned.subject(case).layout
    mask = pruned.some_masks(layout)[-1]
    mask[layout.columns(*layout.layers[0])] = False
    smaller = pruned.removed(case, mask)
    proof = certify(smaller)
    assert proof.largest_difference < CLOSE
    write_model(smaller.module, smaller.gate.sites, tmp_path)
    again = pruned.subject(case, read_model(tmp_path))
    assert again.layout == smaller.layout
    assert torch.equal(respond(again), respond(smaller))
    assert certify(again).dead == proof.dead


@pytest.mark.parametrize("case", pruned.ALL)
def test_twice_is_once(case: str, tmp_path: Path) -> None:
    layout = pruned.subject(case).layout
    first, both = np.ones(len(layout), dtype=bool), np.ones(len(layout), dtype=bool)
    first[1::3], both[1::3], both[2::3] = False, False, False
    smaller = pruned.removed(case, first)
    write_model(smaller.module, smaller.gate.sites, tmp_path)
    smallest = pruned.removed(case, both[first], read_model(tmp_path))
    assert share_of_largest(respond(smallest), pruned.masked(pruned.subject(case), both)) < CLOSE


@pytest.mark.parametrize("case", pruned.ALL)
@pytest.mark.filterwarnings("ignore:.*nested tensor")
def test_outcomes_and_gradients_are_those_of_the_whole_model_masked(case: str) -> None:
    """Of the pruned model, a layer empty and one smaller, by the engine, against the whole one, one row at a time."""
    whole = pruned.subject(case)
    left = whole.layout.without_layer(whole.layout.layers[0])
    left[-1] = False
    smaller = pruned.removed(case, left)
    engine = choose_engine(smaller, Precision.float32, Screening())
    is_translator = case.startswith("translator")
    rows = smaller.encode(translators.sentences()) if is_translator else smaller.probe()
    own = pruned.some_masks(smaller.layout)[[0, -1]]
    own[0] = True
    lifted = np.zeros((2, len(left)), dtype=bool)
    lifted[:, left] = own
    pairs = Pairs.every(own, len(rows))
    for block in engine.run(rows, pairs):
        for place, (i, j) in enumerate(zip(block.masks, block.examples, strict=True)):
            alone = whole.outcomes([rows[j]], lifted[i][None])
            exact = [name for name, values in alone.items() if np.asarray(values).dtype.kind in "iub"]
            assert exact, "no outcome was compared"
            assert [block.columns[name][place] for name in exact] == [alone[name][0] for name in exact]
            assert block.columns["margin"][place] == pytest.approx(alone["margin"][0], abs=1e-4)
    for block in engine.run_gradients(rows, pairs):
        for place, (i, j) in enumerate(zip(block.masks, block.examples, strict=True)):
            alone = whole.gradients([rows[j]], lifted[i][None])
            for column in ("gradient", "token_gradient"):
                expected = alone[column][0, left]
                close = 1e-4 * max(1.0, float(np.abs(expected).max()))
                assert block.columns[column][place] == pytest.approx(expected, abs=close)
            assert block.columns["loss"][place] == pytest.approx(alone["loss"][0], abs=1e-4)


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
    before, after = (s.module.num_parameters() for s in (pruned.subject(case), pruned.removed(case, mask)))
    assert before - after == 3 * (4 * 24 * size + 3 * size * has_bias)


def test_a_group_goes_with_its_last_query_head() -> None:
    """Llama of 4 query heads in 2 groups: keys and values stay until no query head of theirs is left."""
    layout = pruned.subject("classifier llama").layout
    for off, saved in (([0], 2 * 24 * 6), ([0, 1], 4 * 24 * 6 + 2 * 24 * 6)):
        mask = layout.full()
        mask[off] = False
        smaller = pruned.removed("classifier llama", mask)
        whole = pruned.subject("classifier llama").module.num_parameters()
        assert whole - smaller.module.num_parameters() == saved


@pytest.mark.parametrize(
    ("case", "off"), [("llama", [0, 1, 6, 7]), ("llama", [0, 2, 5, 7]), ("t5", [0, 4, 8, 12, 17, 20])]
)
def test_plain_transformers_where_the_config_can_say_it(case: str, off: list[int], tmp_path: Path) -> None:
    name = f"classifier {case}"
    whole = pruned.subject(name)
    mask = whole.layout.full()
    mask[off] = False
    expected = pruned.masked(whole, mask)
    plain = as_plain(whole.module, cut(whole, mask))
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
    assert as_plain(whole.module, cut(whole, mask)) is None


def test_addresses_of_what_is_left_are_counted_anew() -> None:
    layout = pruned.subject("classifier bert").layout
    smaller = pruned.removed("classifier bert", layout.without([Head(AttentionKind.ENCODER_SELF, 0, 1)]))
    assert smaller.layout == HeadLayout({AttentionKind.ENCODER_SELF: (3, 4)})


def test_an_unknown_projection_is_refused_before_anything_is_cut() -> None:
    whole = pruned.subject("classifier bert")
    module = whole.module
    attention = module.bert.encoder.layer[1].attention.self
    attention.Wqkv = attention.query
    del attention.query
    with pytest.raises(InputError, match=r"BertForSequenceClassification cannot be pruned: bert\.encoder\.layer\.1"):
        cut(whole, whole.layout.without([whole.layout.heads[0]]))
    assert module.bert.encoder.layer[0].attention.self.query.out_features == 24


def test_heads_of_another_model_are_refused() -> None:
    module = pruned.subject("classifier bert").module
    sites = find_sites(module, causal=False)
    kept = {sites[0].name: [0, 4], "elsewhere": [0]}
    with pytest.raises(
        InputError, match=r"layer\.1.* is not named\n.*no elsewhere here\n.*keeps \[0, 4\] of \[0, 1, 2, 3\]"
    ):
        remove_heads(module, sites, kept)
