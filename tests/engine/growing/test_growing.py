"""Rows that grow through transformers' own layers, against plain transformers: one mask and one request at a time."""

import logging
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import transformers as tf
from fixtures import cases, classifiers
from fixtures.language_models import POSITIONS, VOCABULARY, choices, language_model, texts, tokenizer, zeroed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.certification.certify import random_masks
from study.engine.choose import choose_engine
from study.engine.engine import Engine, OneMaskAtATime
from study.engine.growing import scoring
from study.engine.growing.classifier import GrowingClassifier
from study.engine.growing.language_model import GrowingLanguageModel
from study.engine.growing.screening import ScreenedLanguageModel
from study.engine.memory import MemoryBudget
from study.engine.pairs import Pairs
from study.engine.precision import Precision, Screening
from study.record.errors import InputError
from study.record.loss import PLAIN
from study.record.metrics.choices.choice_accuracy import (
    ChoiceAccuracy,
    ChoiceAccuracyCharacters,
    ChoiceAccuracyTokens,
)
from study.record.units import HeadLayout, Mlp
from study.subjects.language_model.options import ReadingOptions
from study.subjects.language_model.requests import Request, choice_row
from study.subjects.language_model.subject import LanguageModel
from study.subjects.language_model.text import LanguageText
from study.subjects.language_model.words import log_probabilities
from study.subjects.subject import TokenRow

TOLERANCE = 1e-5

SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": POSITIONS,
    "sliding_window": 5,
    "pad_token_id": None,
}
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
PACKED: dict[str, dict[str, Any]] = {
    "gpt_bigcode": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": POSITIONS},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "gemma3_text": {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    "mixtral": EXPERTS,
}
"""Architectures whose choices share their context: rows counted behind the layers, own positions, windows, experts."""

MORE_PACKED: dict[str, dict[str, Any]] = {
    "gpt_neox": {"rotary_pct": 0.5},
    "mistral": {},
    "qwen2": {},
    "qwen3": {},
    "qwen3_moe": EXPERTS,
    "phi": {},
    "phi3": {"sliding_window": 20},
    "gptj": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": POSITIONS, "rotary_dim": 4},
    "gpt_neo": {"num_layers": 3, "attention_types": [[["global"], 3]], "num_heads": 4},
    "olmo2": {},
    "starcoder2": {},
    "stablelm": {},
    "granite": {"logits_scaling": 4.0},
    "smollm3": {},
}
APART: dict[str, dict[str, Any]] = {
    "bloom": {"n_head": 4, "n_layer": 3},
    "lfm2": {"layer_types": ["conv", "full_attention", "full_attention"]},
    "mpt": {"n_heads": 4, "n_layers": 3, "max_seq_len": POSITIONS},
}
"""Architectures that carry something along the sequence, or are given biases of positions with a row a head: their
rows grow, each choice in a sequence of its own."""


def decoder(kind: str, more: dict[str, Any]) -> LanguageModel:
    config = tf.AutoConfig.for_model(kind, **{**SIZES, **more})
    module = cases.build(lambda: tf.AutoModelForCausalLM.from_config(config))
    text = LanguageText(tokenizer(), ReadingOptions(), positions=POSITIONS, num_embeddings=VOCABULARY, owner=kind)
    return LanguageModel(module, text, loaded=kind)


def kinds_of_masks(layout: HeadLayout) -> np.ndarray:
    """All on, single heads off, every MLP off that can be, a layer without heads, any."""
    heads = layout.each_off(layout.heads[::3])
    return np.concatenate(
        [
            layout.full()[None],
            heads,
            layout.each_off(map(Mlp, layout.mlps)),
            layout.each_layer_off()[-1:],
            random_masks(layout, 3),
        ]
    )


def outcomes(engine: Engine, rows: list, masks: np.ndarray, wanted: np.ndarray | None = None) -> pl.DataFrame:
    pairs = Pairs.every(masks, len(rows)) if wanted is None else Pairs(masks, wanted)
    blocks = [
        pl.DataFrame({"mask": block.masks, "example": block.examples, **block.columns})
        for block in engine.run(rows, pairs)
    ]
    return pl.concat(blocks).sort("mask", "example")


def growing(subject: LanguageModel, *, packs: bool, product: int = 40, most: int = 3000) -> GrowingLanguageModel:
    return GrowingLanguageModel(subject, MemoryBudget(product, memory=2**30, most_tokens=most), packs=packs)


def assert_agrees(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert found.select("mask", "example").equals(expected.select("mask", "example"))
    name = "loglik" if "loglik" in found.columns else "nll"
    ours, theirs = (np.hstack([*table[name].to_list(), *table["loss"].to_list()]) for table in (found, expected))
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()
    assert (np.hstack(found["greedy"].to_list()) == np.hstack(expected["greedy"].to_list())).mean() > 0.99


def assert_chosen(subject: LanguageModel, *, packs: bool) -> None:
    """The engine that is chosen computes what one mask at a time computes, of choices and of texts."""
    engine = choose_engine(subject, Precision.float32, Screening())
    assert isinstance(engine, GrowingLanguageModel)
    assert engine.packs == packs
    assert engine.name.endswith("choices packed") == packs
    masks = kinds_of_masks(subject.layout)
    for examples in (choices(4), texts(2)):
        rows = subject.encode(examples)
        assert_agrees(outcomes(engine, rows, masks), outcomes(OneMaskAtATime(subject, 500), rows, masks))


@pytest.mark.parametrize("kind", PACKED)
def test_choices_of_many_architectures_share_their_context(kind: str) -> None:
    assert_chosen(decoder(kind, PACKED[kind]), packs=True)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", MORE_PACKED)
def test_choices_of_more_architectures_share_their_context(kind: str) -> None:
    assert_chosen(decoder(kind, MORE_PACKED[kind]), packs=True)


@pytest.mark.parametrize("kind", APART)
def test_what_carries_state_along_the_sequence_is_not_packed(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert_chosen(decoder(kind, APART[kind]), packs=False)
    assert f"{kind}: the engine's own forward pass" in caplog.text


@pytest.mark.parametrize("rope", ["longrope", "dynamic"])
def test_choices_whose_frequencies_depend_on_their_length_do_not_share_a_pass(rope: str) -> None:
    """Some are longer than the texts of the training and some are not, with their gradients."""
    short, long = ([number] * 4 for number in (1.0, 4.0))
    factors: dict[str, Any] = {"short_factor": short, "long_factor": long} if rope == "longrope" else {"factor": 4.0}
    parameters = {"rope_type": rope, "rope_theta": 1e4, "original_max_position_embeddings": 6, **factors}
    trained = {"max_position_embeddings" if rope == "dynamic" else "original_max_position_embeddings": 6}
    subject = decoder("phi3" if rope == "longrope" else "llama", {"rope_parameters": parameters, **trained})
    requests = [Request((1, 2, 3), end) for end in ((4,), (5, 6), (7, 8, 9, 10), (7, 8, 9, 11, 12), (13,) * 6)]
    rows = [choice_row("short and long", requests, 1), choice_row("short", requests[:2], 0)]
    masks = subject.layout.each_off(subject.layout.heads[::5])
    engine = growing(subject, packs=True)
    assert_agrees(outcomes(engine, rows, masks), outcomes(OneMaskAtATime(subject, 500), rows, masks))
    found, expected = engine.gradients(rows, masks[:2], PLAIN), subject.gradients(rows, masks[:2])
    assert np.abs(found["gradient"] - expected["gradient"]).max() <= 1e-5 * np.abs(expected["gradient"]).max()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("packs", [True, False])
def test_every_request_is_what_plain_transformers_says_of_it_alone(attention: str, packs: bool) -> None:
    """Heads off by their columns at zero, one request in a pass, nothing of this project."""
    subject = language_model("gemma2" if attention == "eager" else "llama")
    subject.module.set_attn_implementation(attention)
    rows, masks = subject.encode(choices()), kinds_of_masks(subject.layout)[::2]
    found = outcomes(growing(subject, packs=packs), rows, masks)["loglik"].to_list()
    expected = []
    for mask in masks:
        plain = zeroed("gemma2" if attention == "eager" else "llama", subject, mask).eval()
        for row in rows:
            sums = []
            for request in row.requests:
                with torch.no_grad():
                    logp = plain(torch.tensor([request.read])).logits[0].log_softmax(-1)
                own = logp[-len(request.continuation) :].double()
                sums.append(own.gather(1, torch.tensor(request.continuation)[:, None]).sum().item())
            expected.append(sums)
    largest = max(abs(value) for sums in expected for value in sums)
    assert [len(sums) for sums in found] == [len(sums) for sums in expected]
    assert np.abs(np.hstack(found) - np.hstack(expected)).max() <= TOLERANCE * largest


@cache
def one_by_one() -> tuple[LanguageModel, list[TokenRow], np.ndarray, pl.DataFrame]:
    """A subject, its rows and masks, and their outcomes, a mask at a time."""
    subject = language_model("llama")
    rows, masks = subject.encode(choices()), kinds_of_masks(subject.layout)
    return subject, rows, masks, outcomes(OneMaskAtATime(subject, 10**6), rows, masks)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_changes_an_outcome_of_a_language_model(data: st.DataObject) -> None:
    """Order of masks and examples, which pairs are wanted, size of blocks and products, packing."""
    subject, rows, masks, expected = one_by_one()
    orders = data.draw(st.permutations(range(len(masks)))), data.draw(st.permutations(range(len(rows))))
    wanted = np.random.default_rng(data.draw(st.integers(0, 99))).random((len(masks), len(rows))) < 0.7
    engine = growing(
        subject,
        packs=data.draw(st.booleans()),
        product=data.draw(st.sampled_from([30, 500])),
        most=data.draw(st.sampled_from([60, 700, 10**6])),
    )
    found = outcomes(engine, [rows[i] for i in orders[1]], masks[orders[0]], wanted)
    assert found.height == wanted.sum()
    back = found.with_columns(
        mask=pl.Series(np.array(orders[0])[found["mask"]]), example=pl.Series(np.array(orders[1])[found["example"]])
    ).sort("mask", "example")
    keys = back.select("mask", "example")
    assert_agrees(back, keys.join(expected, on=["mask", "example"], maintain_order="left"))


def test_what_is_scored_without_its_context_is_packed_too() -> None:
    subject = language_model("llama", unconditional=True)
    rows, masks = subject.encode(choices()), kinds_of_masks(subject.layout)
    found, expected = (outcomes(e, rows, masks) for e in (growing(subject, packs=True), OneMaskAtATime(subject, 500)))
    assert_agrees(found, expected)
    ours, theirs = (np.hstack(table["loglik_alone"].to_list()) for table in (found, expected))
    assert np.abs(ours - theirs).max() <= TOLERANCE * np.abs(theirs).max()


@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_gradients_of_packed_choices_are_those_of_each_choice_with_its_context(name: str) -> None:
    """Signed and by token, under the full mask and others."""
    subject = language_model(name)
    rows = subject.encode(choices())
    masks = np.concatenate([subject.layout.full()[None].repeat(3, axis=0), random_masks(subject.layout, len(rows) - 3)])
    found, expected = growing(subject, packs=True).gradients(rows, masks, PLAIN), subject.gradients(rows, masks)
    assert found.keys() == expected.keys()
    for column, numbers in expected.items():
        assert found[column].dtype == numbers.dtype
        assert np.abs(found[column] - numbers).max() <= 1e-5 * np.abs(numbers).max()
    assert all(row.cost > len(row.source) for row in rows), "contexts are shared"


@pytest.mark.parametrize("packs", [False, True])
def test_no_more_logits_are_held_than_there_is_room_for(packs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits of all tokens of a long text would take gigabytes."""
    subject, most, seen = language_model(), 5, []

    def counted(logits: torch.Tensor, *where: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(len(logits))
        return log_probabilities(logits, *where)

    monkeypatch.setattr(scoring, "CPU_LOGITS", most * VOCABULARY)
    monkeypatch.setattr(scoring, "log_probabilities", counted)
    masks = kinds_of_masks(subject.layout)[::4]
    for examples in (texts(2), choices(4)):
        rows = subject.encode(examples)
        found = outcomes(growing(subject, packs=packs), rows, masks)
        assert_agrees(found, outcomes(OneMaskAtATime(subject, 500), rows, masks))
    assert max(seen) == most


def test_a_layer_that_mixes_rows_is_not_trusted(caplog: pytest.LogCaptureFixture) -> None:
    subject = language_model("llama")
    layer = subject.module.model.layers[1]
    layer.register_forward_hook(lambda _, __, output: output + 0.01 * output.mean(0, keepdim=True))
    assert isinstance(choose_engine(subject, Precision.float32, Screening()), OneMaskAtATime)
    assert "own forward pass is not the model's" in caplog.text


def test_a_precision_of_its_own_is_refused() -> None:
    with pytest.raises(InputError, match="precision=bfloat16 needs a model that the fast engine can take apart"):
        choose_engine(language_model("llama"), Precision.bfloat16, Screening())


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_screened_choices_are_those_of_float32_by_every_metric_that_chooses(name: str) -> None:
    subject = language_model(name)
    data = choices()
    sizes = [len(texts) - 1 for texts in data.texts]
    data = replace(data, counts={"characters": tuple(tuple(range(3, 3 + size)) for size in sizes)})
    rows, masks = subject.encode(data), kinds_of_masks(subject.layout)
    known = pl.DataFrame({"example": range(len(rows)), "characters": [list(own) for own in data.counts["characters"]]})
    low = choose_engine(subject, Precision.screened, Screening(sample=32, safety=1.5))
    assert isinstance(low, ScreenedLanguageModel)
    found, expected = (outcomes(one, rows, masks).join(known, on="example") for one in (low, low.exact))
    assert set(low.screen.largest_error) == {f"choice_accuracy{by}" for by in ("", "_characters", "_tokens")}
    assert 0 < found["drafted"].mean() < 1
    assert 0 < np.abs(np.hstack(found["loglik"].to_list()) - np.hstack(expected["loglik"].to_list())).max() < 0.5
    for metric in (ChoiceAccuracy(), ChoiceAccuracyCharacters(), ChoiceAccuracyTokens()):
        sure = np.diff(np.sort(metric.values(expected), axis=1)[:, -2:])[:, 0] > 1e-4
        assert (metric.values(found).argmax(1) == metric.values(expected).argmax(1))[sure].all()
    exact = ~found["drafted"]
    assert_agrees(found.filter(exact), expected.filter(exact))


def test_what_masks_of_a_decoder_share_is_computed_once() -> None:
    subject = language_model("llama")
    masks = np.array([subject.layout.full(), *subject.layout.each_off()])
    assert growing(subject, packs=True).passes(masks) == pytest.approx((1 + 5 + 9) / 3)


def test_the_model_is_left_as_it_was() -> None:
    subject = language_model("llama")
    before = [dict(vars(layer)) for layer in subject.module.model.layers]
    outcomes(growing(subject, packs=True), subject.encode(choices(2)), kinds_of_masks(subject.layout))
    assert [dict(vars(layer)) for layer in subject.module.model.layers] == before
    untouched = language_model("llama")
    assert torch.equal(subject.response(subject.probe(), None), untouched.response(untouched.probe(), None))


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_classifiers_on_decoders_agree_with_brute_force(name: str) -> None:
    subject = classifiers.classifier(name)
    engine = choose_engine(subject, Precision.float32, Screening())
    assert isinstance(engine, GrowingClassifier)
    rows, masks = subject.encode(classifiers.examples(4)), classifiers.all_kinds_of_masks(subject.layout)
    small = GrowingClassifier(subject, MemoryBudget(20, memory=2**30, most_tokens=150))
    for one in (engine, small):
        found, expected = classifiers.run(one, rows, masks), classifiers.brute_force(subject, rows, masks)
        assert found.select("mask", "example").equals(expected.select("mask", "example"))
        for column in ("margin", "loss"):
            assert (found[column] - expected[column]).abs().max() <= 1e-5
        assert (found["prediction"] == expected["prediction"]).all()
