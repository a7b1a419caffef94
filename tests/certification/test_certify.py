"""Certification holds for every architecture, and refuses every kind of fault."""

import re
from collections.abc import Callable, Mapping

import pytest
import torch
from fixtures import cases
from torch import nn
from transformers import AttentionInterface, PreTrainedModel

from study.certification.certify import CertificationError, certify
from study.certification.head_columns import Proof
from study.masking.gate import Gate
from study.masking.sites import find_sites
from study.record.errors import InputError
from study.record.units import AttentionKind, Head
from study.subjects.classifier import Classifier

GROUPED = {
    "llama": cases.CLASSIFIERS["llama"],
    "gptj": cases.architecture("gptj", rotary_dim=4),
    "bloom": cases.architecture("bloom"),
    "falcon": cases.architecture("falcon", multi_query=True),
    "falcon new": cases.architecture("falcon", new_decoder_architecture=True, num_kv_heads=2),
}

KINDS = {
    "bert": {AttentionKind.ENCODER_SELF: (4, 4)},
    "roberta": {AttentionKind.ENCODER_SELF: (4, 4)},
    "distilbert": {AttentionKind.ENCODER_SELF: (4, 4)},
    "electra": {AttentionKind.ENCODER_SELF: (4, 4)},
    "gpt2": {AttentionKind.DECODER_SELF: (4, 4)},
    "llama": {AttentionKind.DECODER_SELF: (4, 4)},
    "bart": {AttentionKind.ENCODER_SELF: (4, 4), AttentionKind.DECODER_SELF: (3, 3), AttentionKind.CROSS: (3, 3)},
    "t5": {AttentionKind.ENCODER_SELF: (4, 4), AttentionKind.DECODER_SELF: (4, 4), AttentionKind.CROSS: (4, 4)},
}


def classifier(name: str, among: Mapping[str, Callable[[], PreTrainedModel]] = cases.CLASSIFIERS) -> Classifier:
    return cases.subject(among[name], name)


@pytest.mark.parametrize("name", cases.CLASSIFIERS)
def test_every_architecture_is_certified(name: str) -> None:
    subject = classifier(name)
    assert subject.layout.counts == KINDS[name]
    certificate = certify(subject)
    assert certificate.dead == ()
    assert certificate.largest_difference < 1e-5
    assert name in {"t5"} or subject.module.config._attn_implementation == "sdpa"


def test_a_dead_head_is_reported_not_refused() -> None:
    subject = classifier("bert")
    dead = Head(AttentionKind.ENCODER_SELF, 1, 2)
    subject.gate.site(dead).head_columns(2).data.zero_()
    assert certify(subject).dead == (dead,)


def test_a_model_all_of_whose_heads_are_dead_is_refused() -> None:
    subject = classifier("bert")
    for site in subject.gate.sites:
        site.weight.data.zero_()
    with pytest.raises(CertificationError, match="no head's mask changes anything"):
        certify(subject)


class _Ignores(nn.Linear):
    """Reads the weights of its own copy, as fairseq's fused attention does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.copy, self.bias)


def _weights_are_read_elsewhere(subject: Classifier) -> None:
    projection = subject.gate.sites[0].projection
    projection.__class__ = _Ignores
    projection.copy = projection.weight.detach().clone()


def _gate_does_nothing(subject: Classifier) -> None:
    subject.gate.sites[1].projection._forward_pre_hooks.clear()


def _heads_are_cut_elsewhere(subject: Classifier) -> None:
    subject.gate.sites[0].num_heads, subject.gate.sites[1].num_heads = 4, 4
    subject.gate.sites[1].head_columns = lambda index: subject.gate.sites[0].head_columns(index)


def _too_many_heads(subject: Classifier) -> None:
    _recut(subject, 8)


def _too_few_heads(subject: Classifier) -> None:
    _recut(subject, 2)


def _recut(subject: Classifier, num_heads: int) -> None:
    """The same model under a gate that believes in another number of heads."""
    for site in subject.gate.sites:
        site.projection._forward_pre_hooks.clear()
        site.num_heads = site.num_groups = num_heads
    subject.gate = Gate(subject.gate.sites)


def _a_layer_is_left_out(subject: Classifier) -> None:
    subject.gate = Gate(subject.gate.sites[1:])


class _Interleaved(nn.Linear):
    """Reads the heads' numbers in turn instead of head after head."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.unflatten(-1, (-1, 4)).transpose(-1, -2).flatten(-2))


def _heads_are_interleaved(subject: Classifier) -> None:
    """Another module between the attention and the projection that the gate is on."""
    for layer in subject.module.bert.encoder.layer:
        attention = layer.attention.self
        plain = attention.forward

        def forward(*inputs, plain=plain, **options):
            context, *rest = plain(*inputs, **options)
            return (context.unflatten(-1, (4, -1)).transpose(-1, -2).flatten(-2), *rest)

        attention.forward = forward
        layer.attention.output.dense.__class__ = _Interleaved


def _rows_mix(subject: Classifier) -> None:
    plain = subject.as_xi
    subject.as_xi = lambda masks: plain(masks).mean(dim=0, keepdim=True).expand(len(masks), -1)


def _untouched_is_something_else(subject: Classifier) -> None:
    plain = subject.response
    subject.response = lambda rows, xi: plain(rows, xi) + (0.0 if xi is None else 1.0)


def _not_a_number(subject: Classifier) -> None:
    subject.module.classifier.bias.data.fill_(float("nan"))


@pytest.mark.parametrize(
    ("sabotage", "reason"),
    [
        (_weights_are_read_elsewhere, "columns set to zero"),
        (_gate_does_nothing, r"encoder_self layer 1 \(bert\.encoder\.layer\.1\.attention\.output\.dense\)"),
        (_heads_are_cut_elsewhere, "encoder_self layer 1"),
        (_too_many_heads, "the model computes 4 heads there, not 8"),
        (_too_few_heads, "the model computes 4 heads there, not 2"),
        (_a_layer_is_left_out, "BertSelfAttention computes 4 heads that no output projection of a known name reads"),
        (_heads_are_interleaved, "not 4 heads in this order"),
        (_rows_mix, "rows of one batch with different masks mix"),
        (_untouched_is_something_else, "the full mask is not the untouched model"),
        (_not_a_number, "not a number"),
    ],
)
def test_refuses_what_is_not_exact(sabotage: Callable[[Classifier], None], reason: str) -> None:
    subject = classifier("bert")
    sabotage(subject)
    with pytest.raises(CertificationError) as caught:
        certify(subject)
    assert any(re.search(reason, given) for given in caught.value.reasons), caught.value


@pytest.mark.parametrize(
    ("num_heads", "reason"),
    [
        (8, "head 0 is not columns 0 to 2, it moves columns 0 to 5: not 8 heads in this order"),
        (2, "head 0 is not columns 0 to 11, it moves columns 0 to 5: not 2 heads in this order"),
    ],
)
def test_another_number_of_heads_is_seen_where_no_attention_function_is_called(num_heads: int, reason: str) -> None:
    subject = classifier("attention in a list of its own", cases.MECHANISMS)
    _recut(subject, num_heads)
    with pytest.raises(CertificationError, match=reason):
        certify(subject)


@pytest.mark.parametrize(
    ("kind", "proof", "groups"),
    [
        ("llama", Proof.FUNCTION, 2),
        ("gptj", Proof.QUERIES, 4),
        ("bloom", Proof.QKV, 4),
        ("falcon", Proof.QKV, 1),
        ("falcon new", Proof.QKV, 2),
    ],
)
def test_heads_and_their_groups_are_proved_whatever_makes_their_queries(kind: str, proof: Proof, groups: int) -> None:
    subject = classifier(kind, GROUPED)
    assert {(site.num_heads, site.num_groups) for site in subject.gate.sites} == {(4, groups)}
    assert certify(subject).proofs == (proof,)


@pytest.mark.parametrize(
    ("kind", "wrong", "reason"),
    [
        ("llama", 4, "the model has 2 key/value groups there, not 4"),
        ("llama", 1, "the model has 2 key/value groups there, not 1"),
        ("falcon new", 1, "are not those of 4 heads in 1 groups"),
        ("bloom", 2, "are not those of 4 heads in 2 groups"),
    ],
)
def test_another_number_of_groups_is_refused(kind: str, wrong: int, reason: str) -> None:
    subject = classifier(kind, GROUPED)
    for site in subject.gate.sites:
        site.num_groups = wrong
    with pytest.raises(CertificationError, match=reason):
        certify(subject)


def test_values_that_other_heads_share_are_refused() -> None:
    """Query heads 0 and 2 share a group, and 1 and 3: not those beside each other."""
    plain = AttentionInterface.get_interface

    def get_interface(self, name, default):
        attend = plain(self, name, default)

        def by_turns(module, query, key, value, *inputs, **options):
            twice = (x.repeat_interleave(2, 1)[:, [0, 2, 1, 3]] for x in (key, value))
            groups, module.num_key_value_groups = module.num_key_value_groups, 1
            contexts, weights = attend(module, query, *twice, *inputs, **options)
            module.num_key_value_groups = groups
            return contexts, weights

        return by_turns

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AttentionInterface, "get_interface", get_interface)
        with pytest.raises(CertificationError, match="with the values of a key/value group at zero not just its 2"):
            certify(classifier("llama", GROUPED))


class _Packed(nn.Module):
    """A projection whose weights are integers, under the name that a kind of quantisation gives them."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.register_buffer(name, torch.zeros(24, 12, dtype=torch.uint8))
        self.register_buffer("scales", torch.ones(24))


@pytest.mark.parametrize("name", ["weight", "qweight"])
def test_a_quantised_projection_is_refused_in_words(name: str) -> None:
    model = cases.build(GROUPED["llama"])
    model.model.layers[1].self_attn.o_proj = _Packed(name)
    with pytest.raises(InputError, match=r"layers\.1\.self_attn\.o_proj \(_Packed\) is quantised"):
        find_sites(model, causal=True)


def test_certification_leaves_transformers_as_it_was() -> None:
    before = AttentionInterface.get_interface
    certify(classifier("bert"))
    assert AttentionInterface.get_interface is before


def test_gives_all_reasons_at_once() -> None:
    subject = classifier("bert")
    _gate_does_nothing(subject)
    _untouched_is_something_else(subject)
    with pytest.raises(CertificationError) as caught:
        certify(subject)
    assert len(caught.value.reasons) >= 3


def test_a_model_without_a_known_projection_is_refused_in_words() -> None:
    model = cases.build(cases.CLASSIFIERS["bert"])
    for layer in model.bert.encoder.layer:
        layer.attention = nn.Identity()
    with pytest.raises(InputError, match="has no attention whose output projection is known by name"):
        find_sites(model, causal=False)


def test_an_attention_whose_projection_is_not_known_is_refused_by_name() -> None:
    model = cases.build(cases.CLASSIFIERS["bert"])
    output = model.bert.encoder.layer[1].attention.output
    output.linear = output.dense
    del output.dense
    with pytest.raises(InputError, match=r"bert\.encoder\.layer\.1\.attention \(BertAttention\)"):
        find_sites(model, causal=False)


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    model = cases.build(cases.CLASSIFIERS["bert"])
    model.config.num_attention_heads = 5
    with pytest.raises(InputError, match="input of 24 cannot be split into 5 heads"):
        find_sites(model, causal=False)
