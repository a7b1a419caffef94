"""Every statistic of every head is what a loop over queries and keys makes of plain transformers' own weights."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fixtures import classifiers, language_models, translators
from fixtures.observing import by_hand

from study.observing.proof import proved
from study.observing.statistics import View
from study.observing.sums import StatisticSums
from study.observing.watch import watch
from study.record.examples import Examples
from study.record.tables.statistics import ALWAYS, ALWAYS_COUNTED, COUNTS, STATISTICS
from study.record.units import AttentionKind
from study.subjects.language_model.subject import LanguageModel
from study.subjects.subject import Subject, TokenRow
from study.subjects.tokens import facts

VIEWS = {"kept": View(), "keys left out": View(keys=False), "left out": View(keys=False, queries=False)}
TOLERANCE = 2e-6
ALL = {statistic.name for statistic in STATISTICS} | {*COUNTS, "offsets"}


@pytest.fixture(autouse=True)
def _some_words_are_punctuation(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = {f"w{i}" for i in range(0, 60, 3)} | {str(i) for i in range(0, 60, 3)} | {"dog", "a", "the"}
    monkeypatch.setattr(facts, "PUNCTUATION", frozenset(marks))


CASES: dict[str, Callable[[], tuple[Subject, Examples]]] = {
    "encoder": lambda: (classifiers.classifier("bert"), classifiers.examples(4)),
    "decoder": lambda: (classifiers.classifier("gpt2"), classifiers.examples(3)),
    "translator": lambda: (translators.translator("bart"), translators.sentences(3)),
    "translator without attention functions": lambda: (translators.translator("fsmt"), translators.sentences(4)),
    "choices, groups": lambda: (language_models.language_model("llama"), language_models.choices()),
    "texts, windows": lambda: (language_models.language_model("gpt2", stride=24), language_models.texts()),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Subject, list[TokenRow]]:
    subject, examples = CASES[request.param]()
    rows = subject.encode(examples)
    return subject, [replace(row, texts=texts) for row, texts in zip(rows, examples.texts, strict=True)]


def _found(
    subject: Subject, rows: list[TokenRow], view: View, masks: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    changed = proved(subject).changed
    sums = StatisticSums(
        len(rows), subject.layout, view, repetitions=isinstance(subject, LanguageModel), changed=changed
    )
    watch(subject, rows, np.tile(subject.layout.full(), (len(rows), 1)) if masks is None else masks, [sums])
    return {name: values.numpy() for name, values in sums.columns().items()}


def _expected(subject: Subject, row: TokenRow, view: View) -> list[dict[str, float]]:
    """By head in the order of the layout."""
    heads: list[dict[str, float]] = []
    for kind, layer in subject.layout.layers:
        site = next(site for site in subject.gate.sites if (site.kind, site.layer) == (kind, layer))
        parts = [
            [by_hand.sums(head, passage, kind, view) for head in by_hand.heads_by_hand(subject, passage, site)]
            for passage in subject.passages(row)
        ]
        heads += [_added(of_head) for of_head in zip(*parts, strict=True)]
    return heads


def _added(parts: tuple[dict[str, float], ...]) -> dict[str, float]:
    names = {name for part in parts for name in part}
    return {name: sum(np.asarray(part.get(name, 0)) for part in parts) for name in names}


@pytest.mark.parametrize("view", VIEWS)
def test_every_statistic(view: str, case: tuple[Subject, list[TokenRow]]) -> None:
    subject, rows = case
    found = _found(subject, rows, VIEWS[view])
    names = ALL if isinstance(subject, LanguageModel) else {*ALWAYS, *ALWAYS_COUNTED, "offsets"}
    assert set(found) == names
    for i, row in enumerate(rows):
        for h, by_loop in enumerate(_expected(subject, row, VIEWS[view])):
            for statistic in names:
                value = by_loop.get(statistic, 0)
                np.testing.assert_allclose(
                    found[statistic][i, h], value, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"{statistic} {i} {h}"
                )


def test_the_decoder_of_a_text_without_a_translation_says_nothing() -> None:
    subject = translators.translator("fsmt")
    examples = translators.sentences(2)
    rows = subject.encode(replace(examples, targets=("", examples.targets[1])))
    rows = [replace(row, texts=texts) for row, texts in zip(rows, examples.texts, strict=True)]
    found = _found(subject, rows, View())
    decoder = np.array([head.kind is not AttentionKind.ENCODER_SELF for head in subject.layout.heads])
    assert not any(values[0, decoder].any() for values in found.values())
    assert (found["queries"][0, ~decoder] > 0).all()
    assert (found["queries"][1] > 1).all()
