"""Every engine against one mask at a time through the gate, whatever stands in the place of units that are off."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from fixtures import classifiers, language_models
from fixtures.classifiers import all_kinds_of_masks, run
from fixtures.translators import sentences, translator

from study.certification.certify import random_masks
from study.engine.batched_decoding.engine import BatchedDecodingEngine
from study.engine.batched_decoding.proof import largest_difference
from study.engine.bottom_up.engine import BottomUpEngine
from study.engine.engine import Engine, OneMaskAtATime
from study.engine.growing.classifier import GrowingClassifier
from study.engine.growing.language_model import GrowingLanguageModel
from study.engine.memory import MemoryBudget
from study.engine.weights.classifier import classifier_weights
from study.engine.weights.translator import translator_weights
from study.masking.gate import Gate
from study.masking.stand_ins import Constant, StandIn, Uniform, Zero
from study.record.loss import PLAIN
from study.record.units import HeadLayout, Mlp, UnitLevel
from study.subjects.classifier import Classifier

BUDGET = MemoryBudget(64, memory=2**30, most_tokens=2000)
SHARED, EVERY = ("bert", "llama"), ("roberta", "distilbert", "electra", "gpt2")

LONGEST = 70
"""Positions that have numbers of their own."""


def _constant(gate: Gate, positions: int) -> Constant:
    generator = torch.Generator().manual_seed(0)
    heads = {
        (site.kind, site.layer): torch.randn(positions, site.num_heads, site.head_size, generator=generator)
        for site in gate.sites
    }
    sizes = {mlp.layer: _width(gate) for mlp in gate.mlps}
    return Constant(heads, {layer: torch.randn(positions, d, generator=generator) for layer, d in sizes.items()})


def _width(gate: Gate) -> int:
    """The width of the model: what the projections give."""
    return gate.sites[0].weight.shape[1]


STAND_INS: dict[str, Callable[[Gate], StandIn]] = {
    "zero": lambda _: Zero(),
    "mean": lambda gate: _constant(gate, 1),
    "mean_by_position": lambda gate: _constant(gate, LONGEST),
    "uniform": lambda _: Uniform(),
}


def shared(subject: Classifier) -> Engine:
    if subject.gate.sites[0].kind == "decoder_self":
        return GrowingClassifier(subject, BUDGET)
    return BottomUpEngine(subject, classifier_weights(subject.module, subject.gate), BUDGET)


def assert_classifier_agrees(name: str, kind: str) -> None:
    subject = classifiers.classifier(name)
    subject.gate.stand_in = STAND_INS[kind](subject.gate)
    rows, masks = subject.encode(classifiers.examples()), all_kinds_of_masks(subject.layout)
    found, expected = run(shared(subject), rows, masks), run(OneMaskAtATime(subject, 40), rows, masks)
    assert found.select("mask", "example").equals(expected.select("mask", "example"))
    for column in ("loss", "margin"):
        assert (found[column] - expected[column]).abs().max() <= 1e-5
        assert expected[column].n_unique() > len(rows)


@pytest.mark.parametrize("kind", STAND_INS)
@pytest.mark.parametrize("name", SHARED)
def test_classifiers(name: str, kind: str) -> None:
    assert_classifier_agrees(name, kind)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", STAND_INS)
@pytest.mark.parametrize("name", EVERY)
def test_more_classifiers(name: str, kind: str) -> None:
    assert_classifier_agrees(name, kind)


@pytest.mark.parametrize("kind", STAND_INS)
def test_first_layers_of_a_classifier_leave_no_head_on(kind: str) -> None:
    """What stands in is all that is left; the values that it is taken of are those of the same pass."""
    subject = classifiers.classifier("bert")
    subject.gate.stand_in = STAND_INS[kind](subject.gate)
    rows = subject.encode(classifiers.examples(3))
    masks = np.stack([np.zeros(len(subject.layout), dtype=bool), *subject.layout.each_alone()[:2]])
    found, expected = run(shared(subject), rows, masks), run(OneMaskAtATime(subject, 40), rows, masks)
    assert (found["loss"] - expected["loss"]).abs().max() <= 1e-5


def assert_translator_agrees(name: str, kind: str) -> None:
    """Word by word after told targets, and of whole searches."""
    subject = translator(name)
    subject.gate.stand_in = STAND_INS[kind](subject.gate)
    rows, masks = subject.encode(sentences()), all_kinds_of_masks(subject.layout)[::3]
    weights = translator_weights(subject.module, subject.gate)
    assert largest_difference(weights, subject, rows, masks) <= 5e-5
    if kind == "mean_by_position":
        return
    engine = BatchedDecodingEngine(subject, weights, BUDGET)
    found, expected = run(engine, rows, masks[::4]), run(OneMaskAtATime(subject, 1), rows, masks[::4])
    sure = expected["margin"] > 1e-4
    assert sure.mean() > 0.9
    assert found.filter(sure)["hypothesis"].equals(expected.filter(sure)["hypothesis"])


TRANSLATED = [("m2m100", "mean_by_position"), ("m2m100", "uniform"), ("fsmt", "mean")]


@pytest.mark.parametrize(("name", "kind"), TRANSLATED)
def test_translators(name: str, kind: str) -> None:
    assert_translator_agrees(name, kind)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", STAND_INS)
@pytest.mark.parametrize("name", ["m2m100", "marian", "bart", "fsmt"])
def test_more_translators(name: str, kind: str) -> None:
    assert_translator_agrees(name, kind)


def kinds_of_masks(layout: HeadLayout) -> np.ndarray:
    """All on, heads, groups, MLPs and a layer off, heads alone, and any."""
    off = [layout.full(), *layout.each_off(layout.heads[::3]), *layout.each_off([Mlp(i) for i in layout.mlps])]
    groups = [layout.without(layout.members(group)) for group in layout.units(UnitLevel.group)[::2]]
    return np.stack([*off, *groups, *layout.each_alone()[::5], *layout.each_layer_off(), *random_masks(layout, 4)])


def assert_language_model_agrees(name: str, kind: str, *, packs: bool) -> None:
    """Sums of choices and of texts, and the gradients of choices."""
    subject = language_models.language_model(name)
    subject.gate.stand_in = STAND_INS[kind](subject.gate)
    engine, plain = GrowingLanguageModel(subject, BUDGET, packs=packs), OneMaskAtATime(subject, 500)
    masks = kinds_of_masks(subject.layout)
    for examples in (language_models.choices(4), language_models.texts(2)):
        rows = subject.encode(examples)
        ours, theirs = (sums(run(one, rows, masks)) for one in (engine, plain))
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()
        some = masks[-len(rows) :]
        found, expected = engine.gradients(rows, some, PLAIN), subject.gradients(rows, some)
        for column in ("loss", "gradient", "token_gradient"):
            assert np.abs(found[column] - expected[column]).max() <= 1e-5 * np.abs(expected[column]).max()


def sums(outcomes) -> np.ndarray:
    return np.hstack(outcomes["loglik" if "loglik" in outcomes.columns else "nll"].to_list())


@pytest.mark.parametrize("kind", ["mean_by_position", "uniform"])
@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_language_models(name: str, kind: str) -> None:
    assert_language_model_agrees(name, kind, packs=True)


@pytest.mark.exhaustive
@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("kind", STAND_INS)
@pytest.mark.parametrize("name", language_models.DECODERS)
def test_more_language_models(name: str, kind: str, packs: bool) -> None:
    assert_language_model_agrees(name, kind, packs=packs)
