"""Every engine against one mask at a time through the gate, whatever stands in the place of units that are off."""

from typing import Any

import numpy as np
import pytest
from fixtures.classifiers import all_kinds_of_masks, run
from fixtures.language_models import DECODERS, choices, texts
from fixtures.replacement import replaced
from fixtures.translators import sentences

from study.certification.certify import random_masks
from study.engine.batched_decoding.engine import BatchedDecodingEngine
from study.engine.batched_decoding.proof import largest_difference
from study.engine.bottom_up.engine import BottomUpEngine
from study.engine.choose import choose_engine
from study.engine.engine import Engine, OneMaskAtATime
from study.engine.growing.classifier import GrowingClassifier
from study.engine.growing.engine import GrowingEngine
from study.engine.growing.language_model import GrowingLanguageModel
from study.engine.precision import Precision, Screening
from study.engine.weights.translator import translator_weights
from study.record.loss import PLAIN
from study.record.units import HeadLayout, Mlp, UnitLevel
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import Subject
from study.subjects.translator import Translator

KINDS: dict[str, dict[str, Any]] = {
    "zero": {},
    "mean": {},
    "mean_by_position": {},
    "uniform": {},
    "value_bias": {},
    "resample": {"seed": 1},
    "resample at random tokens": {"position": "random_token"},
}
"""Everything that may stand in, by name and options."""


def subject(name: str, kind: str) -> Subject:
    if kind == "value_bias" and name in replaced.NO_VALUE_BIASES:
        pytest.skip("its values have no bias")
    return replaced.subject(name, replaced.choice(kind.split()[0], **KINDS[kind]))


def chosen(of: Subject, engine: type[Engine]) -> Engine:
    """The engine that a job would get: proved, and not the plain one."""
    found = choose_engine(of, Precision.float32, Screening())
    assert isinstance(found, engine), found.name
    if not isinstance(found, GrowingEngine):
        found.workers = 2
    return found


def kinds_of_masks(layout: HeadLayout) -> np.ndarray:
    """All on, heads, groups, MLPs and layers off, heads alone, none, and any."""
    off = [layout.full(), *layout.each_off(layout.heads[::4]), *layout.each_off([Mlp(i) for i in layout.mlps])]
    groups = [layout.without(layout.members(group)) for group in layout.units(UnitLevel.group)[::3]]
    none = np.zeros(layout.width, dtype=bool)
    alone = layout.each_alone()[::5]
    return np.unique(
        np.stack([*off, *groups, none, *alone, *layout.each_layer_off(), *random_masks(layout, 3)]), axis=0
    )


def assert_classifier_agrees(name: str, kind: str, engine: type[Engine]) -> None:
    own = subject(f"classifier {name}", kind)
    rows, masks = (
        own.encode(replaced.pairs()),
        np.unique(np.stack([*all_kinds_of_masks(own.layout)[::2], np.zeros(len(own.layout), dtype=bool)]), axis=0),
    )
    found, expected = run(chosen(own, engine), rows, masks), run(OneMaskAtATime(own, 40), rows, masks)
    assert found.select("mask", "example").equals(expected.select("mask", "example"))
    for column in ("loss", "margin"):
        assert (found[column] - expected[column]).abs().max() <= 2e-5
        assert expected[column].n_unique() > len(masks)


@pytest.mark.parametrize("kind", KINDS)
def test_classifiers(kind: str) -> None:
    assert_classifier_agrees("bert", kind, BottomUpEngine)


@pytest.mark.parametrize("kind", ["uniform", "resample"])
def test_classifiers_on_decoders(kind: str) -> None:
    assert_classifier_agrees("llama", kind, GrowingClassifier)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["roberta", "distilbert", "electra", "gpt2", "llama"])
def test_more_classifiers(name: str, kind: str) -> None:
    assert_classifier_agrees(name, kind, GrowingClassifier if name in ("gpt2", "llama") else BottomUpEngine)


def assert_translator_agrees(name: str, kind: str) -> None:
    """Word by word after told targets, and by whole searches."""
    own = subject(f"translator {name}", kind)
    assert isinstance(own, Translator)
    rows, masks = own.encode(sentences()), all_kinds_of_masks(own.layout)[::3]
    weights = translator_weights(own.module, own.gate)
    assert largest_difference(weights, own, rows, masks) <= 5e-5
    engine, some = chosen(own, BatchedDecodingEngine), masks[1::8]
    found, expected = run(engine, rows, some), run(OneMaskAtATime(own, 1), rows, some)
    sure = expected["margin"] > 1e-4
    assert sure.mean() > 0.9
    assert found.filter(sure)["hypothesis"].equals(expected.filter(sure)["hypothesis"])


@pytest.mark.parametrize(
    ("name", "kind"), [("m2m100", "mean_by_position"), ("m2m100", "uniform"), ("m2m100", "resample"), ("fsmt", "mean")]
)
def test_translators(name: str, kind: str) -> None:
    assert_translator_agrees(name, kind)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["m2m100", "marian", "bart", "fsmt"])
def test_more_translators(name: str, kind: str) -> None:
    if (name, kind) == ("fsmt", "uniform"):
        pytest.skip("its attention calls no function of transformers")
    assert_translator_agrees(name, kind)


def assert_language_model_agrees(name: str, kind: str, *, scored: bool = False) -> None:
    """Sums of choices and of texts, and the gradients of choices."""
    own = subject(f"decoder {name}", kind)
    assert isinstance(own, LanguageModel)
    own.acts_on_scored = scored
    engine, plain = chosen(own, GrowingLanguageModel), OneMaskAtATime(own, 500)
    assert isinstance(engine, GrowingLanguageModel)
    assert engine.packs
    masks = kinds_of_masks(own.layout)
    for examples in (choices(), texts(2)):
        if kind.startswith("resample") and examples.ids[0].startswith("t"):
            continue  # no donor is drawn for these
        rows = own.encode(examples)
        ours, theirs = (sums(run(one, rows, masks)) for one in (engine, plain))
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()
        some = masks[-len(rows) :]
        found, expected = engine.gradients(rows, some, PLAIN), own.gradients(rows, some)
        for column in ("loss", "gradient", "token_gradient"):
            assert np.abs(found[column] - expected[column]).max() <= 1e-5 * np.abs(expected[column]).max()


def sums(outcomes: Any) -> np.ndarray:
    return np.hstack(outcomes["loglik" if "loglik" in outcomes.columns else "nll"].to_list())


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("kind", ["mean_by_position", "uniform", "resample"])
def test_language_models(kind: str, scored: bool) -> None:
    assert_language_model_agrees("llama", kind, scored=scored)


@pytest.mark.exhaustive
@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DECODERS)
def test_more_language_models(name: str, kind: str, scored: bool) -> None:
    assert_language_model_agrees(name, kind, scored=scored)
