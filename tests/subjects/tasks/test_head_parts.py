"""Which numbers are a head's, seen by what gets a gradient while it is the only head of its layer."""

import pytest
import torch
from fixtures.cases import CLASSIFIERS, subject
from torch import Tensor

from study.record.errors import InputError
from study.record.units import Head
from study.subjects.classifier import Classifier
from study.subjects.tasks.head_parts import HeadParts, Part

NAMES = ("bert", "roberta", "distilbert", "gpt2", "llama", "bart", "t5")


def moved_by(model: Classifier, heads: list[Head]) -> dict[str, Tensor]:
    """Which numbers of the attention get a gradient while only these heads of their layer are on."""
    layer = [head for head in model.layout.heads if (head.kind, head.layer) == (heads[0].kind, heads[0].layer)]
    off = [head for head in layer if head not in heads]
    rows = model.probe()
    xi = model.as_xi(model.layout.without(off)[None].repeat(len(rows), 0))
    model.module.requires_grad_()
    model.module.zero_grad()
    with torch.enable_grad(), model.gate.masked(xi):
        (model.logits(rows) ** 2).sum().backward()
    model.module.requires_grad_(requires_grad=False)
    grads = {name: weight.grad for name, weight in model.module.named_parameters() if weight.grad is not None}
    return {name: grad.abs() > 1e-7 * grad.abs().max() for name, grad in grads.items()}


def places(found: dict[str, Tensor], name: str, part: Part) -> set[int]:
    """The rows or columns of a tensor that have a gradient."""
    moved = found[name]
    return set((moved.any(dim=1 - part.dim) if moved.dim() == 2 else moved).nonzero().flatten().tolist())


@pytest.mark.parametrize("name", [name for name in NAMES if name in CLASSIFIERS])
def test_a_heads_numbers_are_those_that_a_gradient_reaches_through_it(name: str) -> None:
    model = subject(CLASSIFIERS[name], name)
    parts = HeadParts(model.module, model.gate.sites)
    for first in (model.layout.heads[0], model.layout.heads[-1]):
        site = model.gate.site(first)
        each = site.num_heads // (site.num_groups or site.num_heads)
        group = [Head(first.kind, first.layer, first.index // each * each + i) for i in range(each)]
        found, own = moved_by(model, group), parts.parts(group)
        weights = [key for key in own if key.endswith(".weight")]
        assert len(weights) == (2 if name == "gpt2" else 4)
        for key in weights:
            assert set(own[key].index.tolist()) == places(found, key, own[key]), key
        for key in own.keys() - set(weights):
            # what a softmax adds to all alike has no gradient: the bias of the keys
            assert places(found, key, own[key]) <= set(own[key].index.tolist())


def test_keys_and_values_are_a_heads_only_where_all_heads_of_the_group_are_meant() -> None:
    model = subject(CLASSIFIERS["llama"], "llama")
    parts, heads = HeadParts(model.module, model.gate.sites), model.layout.heads
    alone, group = parts.parts(heads[:1]), parts.parts(heads[:2])
    assert {name.split(".")[-2] for name in alone} == {"q_proj", "o_proj"}
    assert {name.split(".")[-2] for name in group} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert {name.split(".")[-2] for name in parts.parts(heads[1:3])} == {"q_proj", "o_proj"}


def test_biases_are_left_out_where_they_are_not_wanted() -> None:
    model = subject(CLASSIFIERS["bert"], "bert")
    parts = HeadParts(model.module, model.gate.sites)
    with_biases, without = parts.parts(model.layout.heads), parts.parts(model.layout.heads, biases=False)
    assert {name for name in with_biases if name.endswith(".bias")} == with_biases.keys() - without.keys()
    assert len(with_biases) - len(without) == 3 * 2
    assert parts.outputs(model.layout.heads).keys() == {f"{site.name}.weight" for site in model.gate.sites}


def test_heads_of_projections_without_a_known_name_are_refused() -> None:
    model = subject(CLASSIFIERS["bert"], "bert")
    for layer in model.module.bert.encoder.layer:
        layer.attention.self.unheard = layer.attention.self.query
        del layer.attention.self.query
    parts = HeadParts(model.module, model.gate.sites)
    assert parts.parts([]) == {}
    with pytest.raises(InputError, match="cannot be told apart: .*query/key/value"):
        parts.parts(model.layout.heads[:1])
