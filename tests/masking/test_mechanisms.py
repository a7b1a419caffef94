"""However an architecture lays out its heads, a masked head is that head off in plain transformers.

There a function registered with transformers zeroes the context of the head. Attention that calls no such function gets
values of 0 for the head instead.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures import cases
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from study.certification.certify import certify
from study.record.units import AttentionKind, Head
from study.subjects.classifier import Classifier
from study.subjects.huggingface.classifier_folder import HubClassifier

ENCODER, DECODER, CROSS = AttentionKind

WHERE = {
    "weights shared by layers": {
        ENCODER: ((4,), "albert.encoder.albert_layer_groups.{}.albert_layers.0.attention", None)
    },
    "queries normed over all heads": {DECODER: ((4, 4), "model.layers.{}.self_attn", None)},
    "gate beside queries, linear attention between": {DECODER: ((0, 0, 0, 4), "model.layers.{}.self_attn", None)},
    "queries, keys and values in one": {DECODER: ((4, 4), "gpt_neox.layers.{}.attention", None)},
    "values of another size": {DECODER: ((4, 4), "model.layers.{}.self_attn", None)},
    "projection called output": {
        ENCODER: ((4, 4), "model.encoder.layers.{}.self_attn.self", "value"),
        DECODER: ((3, 3), "model.decoder.layers.{}.self_attn", None),
        CROSS: ((3, 3), "model.decoder.layers.{}.encoder_attn", None),
    },
    "dense beside attention": {ENCODER: ((4, 4), "mobilebert.encoder.layer.{}.attention.self", None)},
    "attention in a list of its own": {ENCODER: ((4, 4), "transformer.attentions.{}", "v_lin")},
    "stacks of layers in stacks": {ENCODER: ((4, 4), "funnel.encoder.blocks.{}.0.attention", "v_head")},
}
"""Heads by layer, the modules that compute attention, and their values where they call no attention function."""

LEFT_OUT = {"gate beside queries, linear attention between": ("model.layers 0, 1, 2",)}


def classifier(name: str) -> Classifier:
    return cases.subject(cases.MECHANISMS[name], name)


@contextmanager
def context_zeroed(module: PreTrainedModel, part: torch.nn.Module, head: int) -> Iterator[None]:
    """One head of an attention off, by transformers' own means."""
    own = module.config._attn_implementation
    eager = getattr(sys.modules[type(part).__module__], "eager_attention_forward", None)

    def attend(attention: torch.nn.Module, *inputs, **options):
        context, weights = (eager if own == "eager" else sdpa_attention_forward)(attention, *inputs, **options)
        if attention is part:
            context[:, :, head] = 0.0
        return context, weights

    AttentionInterface.register("head off", attend)
    AttentionMaskInterface.register("head off", eager_mask if own == "eager" else sdpa_mask)
    configs = {id(part.config): part.config for part in module.modules() if hasattr(part, "config")}.values()
    for config in configs:
        config._attn_implementation = "head off"
    yield
    for config in configs:
        config._attn_implementation = own


@contextmanager
def values_zeroed(values: torch.nn.Linear, head: int, num_heads: int) -> Iterator[None]:
    """One head of an attention off, by its weights."""
    rows = slice(head * values.out_features // num_heads, (head + 1) * values.out_features // num_heads)
    kept = {name: parameter.clone() for name, parameter in values.named_parameters()}
    for parameter in values.parameters():
        parameter.data[rows] = 0.0
    yield
    values.load_state_dict(kept)


@pytest.mark.parametrize("name", WHERE)
def test_a_head_off_is_that_head_off_in_plain_transformers(name: str) -> None:
    subject, plain = classifier(name), cases.build(cases.MECHANISMS[name])
    assert certify(subject).left_out == LEFT_OUT.get(name, ())
    assert subject.layout.counts == {kind: counts for kind, (counts, _, _) in WHERE[name].items()}
    row = subject.probe()[0]
    ids = torch.tensor([row.source])
    for head in subject.layout.heads:
        counts, path, values = WHERE[name][head.kind]
        part = plain.get_submodule(path.format(head.layer))
        off = (
            values_zeroed(part.get_submodule(values), head.index, counts[head.layer])
            if values
            else context_zeroed(plain, part, head.index)
        )
        with torch.no_grad(), off:
            expected = plain(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        found = subject.response([row], subject.as_xi(subject.layout.without([head])[None]))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_layout_says_that_layers_share_heads() -> None:
    assert str(classifier("weights shared by layers").layout) == "4 encoder_self, each shared by 2 layers"


def test_the_gradient_of_a_shared_head_is_that_of_all_its_layers() -> None:
    subject = classifier("weights shared by layers")
    rows = subject.probe()[:1]
    found = subject.gradients(rows, subject.layout.full()[None])["gradient"][0]
    step = 1e-2

    def loss(head: int, change: float) -> float:
        xi = torch.ones(1, len(subject.layout))
        xi[0, head] += change
        with torch.no_grad(), subject.gate.masked(xi):
            return subject.losses(rows).item()

    slopes = [(loss(h, step) - loss(h, -step)) / (2 * step) for h in range(len(subject.layout))]
    np.testing.assert_allclose(found, slopes, rtol=1e-2, atol=1e-3)


def test_layers_without_heads_keep_their_numbers() -> None:
    layout = classifier("gate beside queries, linear attention between").layout
    assert layout.layers == ((DECODER, 3),)
    assert layout.heads[0] == Head(DECODER, 3, 0)


@pytest.mark.parametrize("kind", ["bert", "bigbird_pegasus"])
def test_only_a_model_that_had_other_heads_before_has_another_identity(kind: str, tmp_path: Path) -> None:
    config = {"model_type": kind, "id2label": {str(i): label for i, label in enumerate(cases.LABELS)}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    cases.tiny_tokenizer().save_pretrained(tmp_path)
    assert ("heads" in HubClassifier(path=str(tmp_path)).identity()) == (kind == "bigbird_pegasus")
