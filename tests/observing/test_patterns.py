"""The patterns that are seen are those that plain transformers returns, in chunks, under masks, and put back after."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from architectures import decoders
from fixtures import classifiers, language_models, translators
from fixtures.observing.by_hand import plain_weights
from torch import Tensor

from study.certification.certify import columns_zeroed
from study.masking.gate import Gate
from study.observing.patterns import Pattern, PatternError, observed_patterns
from study.observing.proof import Sight, prove_patterns
from study.record.examples import Examples
from study.record.units import AttentionKind
from study.subjects.subject import Subject
from study.subjects.tokens.passage import Passage

Seen = dict[tuple[AttentionKind, int], Tensor]

SUBJECTS: dict[str, Callable[[], tuple[Subject, Examples]]] = {
    "encoder": lambda: (classifiers.classifier("bert"), classifiers.examples(2)),
    "encoder-decoder": lambda: (classifiers.classifier("t5"), classifiers.examples(2)),
    "groups": lambda: (language_models.language_model("llama"), language_models.choices(2)),
    "sliding windows": lambda: (language_models.language_model("gemma2"), language_models.texts(2)),
    "no attention function": lambda: (translators.translator("fsmt"), translators.sentences(2)),
}


@pytest.fixture(scope="module", params=SUBJECTS)
def case(request: pytest.FixtureRequest) -> tuple[Subject, Passage]:
    subject, examples = SUBJECTS[request.param]()
    return subject, subject.passages(subject.encode(examples)[0])[0]


def _seen(subject: Subject, passage: Passage, most_weights: int = 0) -> Seen:
    parts: dict[tuple[AttentionKind, int], list[Tensor]] = {}

    def see(pattern: Pattern) -> None:
        parts.setdefault((pattern.site.kind, pattern.site.layer), []).append(pattern.weights[0].clone())

    with torch.inference_mode(), observed_patterns(subject, see, most_weights=most_weights):
        subject.read([passage])
    return {place: torch.cat(chunks, dim=1) for place, chunks in parts.items()}


def _differ(found: Seen, expected: Seen) -> float:
    assert found.keys() == expected.keys()
    return max((found[place] - expected[place]).abs().max().item() for place in found)


def test_they_are_those_of_plain_transformers(case: tuple[Subject, Passage]) -> None:
    subject, passage = case
    plain = {(site.kind, site.layer): plain_weights(subject, passage, site) for site in subject.gate.sites}
    assert _differ(_seen(subject, passage), plain) <= 1e-6


def test_chunks_of_queries_are_the_whole(case: tuple[Subject, Passage]) -> None:
    subject, passage = case
    assert _differ(_seen(subject, passage, most_weights=1), _seen(subject, passage)) <= 1e-6


def test_under_a_mask_they_are_those_of_the_model_without_the_heads(case: tuple[Subject, Passage]) -> None:
    subject, passage = case
    mask = np.arange(subject.layout.width) % 2 == 0
    with subject.gate.masked(subject.as_xi(mask[None])):
        masked = _seen(subject, passage)
    with columns_zeroed(subject, mask):
        assert _differ(masked, _seen(subject, passage)) <= 1e-5
    assert _differ(masked, _seen(subject, passage)) > 1e-3


def test_the_model_is_as_before(case: tuple[Subject, Passage]) -> None:
    subject, passage = case
    rows, before = subject.probe(), subject.module.config._attn_implementation
    expected = subject.response(rows, None)
    _seen(subject, passage)
    assert torch.equal(subject.response(rows, None), expected)
    assert subject.module.config._attn_implementation == before


def test_the_proof_says_how_they_are_seen(case: tuple[Subject, Passage]) -> None:
    subject, _ = case
    proof = prove_patterns(subject)
    by_product = type(subject.module).__name__.startswith("FSMT")
    assert set(proof.sights.values()) == {Sight.PRODUCT if by_product else Sight.FUNCTION}
    assert not proof.changed
    assert proof.largest_difference <= 1e-5


def _broken(subject: Subject, break_it: Callable[[Pattern], Pattern], monkeypatch: pytest.MonkeyPatch) -> str:
    import study.observing.proof as proof

    plain = proof._Trial.see
    monkeypatch.setattr(proof._Trial, "see", lambda self, pattern: plain(self, break_it(pattern)))
    with pytest.raises(PatternError) as refusal:
        prove_patterns(subject)
    return str(refusal.value)


def test_patterns_of_another_head_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = _broken(classifiers.classifier("bert"), lambda p: replace(p, weights=p.weights.flip(1)), monkeypatch)
    assert "encoder_self layer 1" in swapped
    assert "pattern times values is not what is masked" in swapped


def test_rows_that_do_not_sum_to_1_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shrunk = _broken(classifiers.classifier("bert"), lambda p: replace(p, weights=0.9 * p.weights), monkeypatch)
    assert "weights do not sum to 1, but to 0.9 to 0.9" in shrunk


def test_weight_on_what_cannot_be_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = _broken(
        language_models.language_model("llama"),
        lambda p: replace(p, visible=torch.zeros_like(p.visible)),
        monkeypatch,
    )
    assert "tokens are looked at that cannot be seen" in blind


def test_attention_without_a_pattern_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = classifiers.classifier("bert")
    for site in subject.gate.sites:
        site.caller = None  # as where a kernel computes everything
    monkeypatch.setattr("study.masking.products.PRODUCT", set())
    with pytest.raises(PatternError, match=r"encoder_self layer 0 .* shows no pattern"):
        prove_patterns(subject)


def test_a_model_that_answers_otherwise_when_it_is_eager_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = language_models.language_model("llama")
    plain = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda *args, **more: plain(*args, **more) * 1.1
    )
    with pytest.raises(PatternError, match="with eager attention, which alone gives weights, it says something else"):
        prove_patterns(subject)


def test_a_gate_is_learned_with_what_calls_the_attention_function() -> None:
    gate: Gate = classifiers.classifier("bert").gate
    assert [type(site.caller).__name__ for site in gate.sites] == ["BertSelfAttention"] * 2
    assert all(site.caller is None for site in translators.translator("fsmt").gate.sites)


@pytest.mark.parametrize(
    ("name", "sight", "changed"),
    [
        ("falcon", Sight.PRODUCT, False),  # is not told its attention by transformers, and computes sdpa itself
        ("deepseek_v3", Sight.FUNCTION, False),  # latent attention
        ("gpt_oss", Sight.FUNCTION, False),  # a learned sink
        ("qwen3_next", Sight.FUNCTION, True),  # a gate of its own
    ],
)
def test_decoders_with_peculiar_attention(name: str, sight: Sight, changed: bool) -> None:
    subject = decoders.subject(name)
    proof = prove_patterns(subject)
    assert (set(proof.sights.values()), bool(proof.changed)) == ({sight}, changed)
    sinks: list[bool] = []
    with torch.inference_mode(), observed_patterns(subject, lambda pattern: sinks.append(pattern.has_sink)):
        subject.read(subject.passages(subject.probe()[0]))
    assert set(sinks) == {name == "gpt_oss"}


def test_a_start_that_the_config_does_not_name_is_known_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = classifiers.classifier("bart")
    monkeypatch.setattr(subject.module.config, "decoder_start_token_id", None)
    (passage,) = subject.passages(subject.encode(classifiers.examples(1))[0])
    assert passage.target is not None
    assert (passage.target.pieces[0], passage.target.special[0], len(passage.target)) == (
        "<s>",
        True,
        len(passage.source),
    )
