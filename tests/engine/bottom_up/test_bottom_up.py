"""The bottom-up pass against one mask and one example at a time, in plain transformers."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from fixtures.classifiers import SPLIT, all_kinds_of_masks, brute_force, classifier, examples, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.config import compose, to_study
from study.engine.bottom_up.engine import BottomUpEngine
from study.engine.bottom_up.screening import ScreenedEngine
from study.engine.choose import choose_engine
from study.engine.engine import OneMaskAtATime
from study.engine.memory import MemoryBudget
from study.engine.precision import Precision, Screening
from study.engine.weights.classifier import classifier_weights
from study.engine.weights.modules import UnsupportedModelError
from study.jobs.measuring import MeasuringJob
from study.record.errors import InputError
from study.subjects.classifier import Classifier
from study.subjects.subject import TokenRow

TOLERANCE = 1e-4
ENCODER_DECODERS = ("bart", "t5")


def engine(subject, *, product_tokens: int = 64, most_tokens: int = 2000, workers: int = 1) -> BottomUpEngine:
    budget = MemoryBudget(product_tokens, memory=2**30, most_tokens=most_tokens, workers=workers)
    return BottomUpEngine(subject, classifier_weights(subject.module, subject.gate), budget)


def assert_agrees(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """As the design says: decisions equal wherever the margin is above the tolerance, floats within it."""
    assert found.select("mask", "example").equals(expected.select("mask", "example"))
    for name in ("margin", "loss"):
        assert (found[name] - expected[name]).abs().max() <= TOLERANCE
    same = (found["prediction"] == expected["prediction"]) & (found["correct"] == expected["correct"])
    assert (same | (expected["margin"] <= TOLERANCE)).all()


@pytest.mark.parametrize("name", SPLIT)
def test_every_mask_and_example_agrees_with_brute_force(name: str) -> None:
    subject = classifier(name)
    rows, masks = subject.encode(examples()), all_kinds_of_masks(subject.layout)
    expected = brute_force(subject, rows, masks)
    assert expected["prediction"].n_unique() > 1
    assert_agrees(run(engine(subject), rows, masks), expected)
    assert_agrees(run(OneMaskAtATime(subject, 40), rows, masks), expected)


@cache
def in_one_block() -> tuple[Classifier, list[TokenRow], np.ndarray, pl.DataFrame]:
    """A subject, its rows and masks, and their outcomes computed at once."""
    subject = classifier("bert")
    rows, masks = subject.encode(examples()), all_kinds_of_masks(subject.layout)
    return subject, rows, masks, run(engine(subject, most_tokens=10**6), rows, masks)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_changes_an_outcome(data: st.DataObject) -> None:
    """Order of masks and of examples, which pairs are wanted, size of blocks and products, workers."""
    subject, rows, masks, expected = in_one_block()
    mask_order = data.draw(st.permutations(range(len(masks))))
    example_order = data.draw(st.permutations(range(len(rows))))
    wanted = np.random.default_rng(data.draw(st.integers(0, 99))).random((len(masks), len(rows))) < 0.7
    other = engine(
        subject,
        product_tokens=data.draw(st.sampled_from([1, 64, 128, 500])),
        most_tokens=data.draw(st.sampled_from([1, 40, 333, 10**6])),
        workers=data.draw(st.sampled_from([1, 3])),
    )
    found = run(other, [rows[i] for i in example_order], masks[mask_order], wanted)
    back = found.with_columns(
        mask=pl.Series(np.array(mask_order)[found["mask"]]),
        example=pl.Series(np.array(example_order)[found["example"]]),
    ).sort("mask", "example")
    assert back.height == wanted.sum()
    assert_agrees(back, back.select("mask", "example").join(expected, on=["mask", "example"], maintain_order="left"))


def test_the_number_of_threads_changes_no_outcome() -> None:
    subject = classifier("bert")
    rows, masks = subject.encode(examples()), all_kinds_of_masks(subject.layout)
    expected = run(engine(subject), rows, masks)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert_agrees(run(engine(subject), rows[:3], masks), expected.filter(pl.col("example") < 3))
    finally:
        torch.set_num_threads(threads)


def test_what_masks_share_is_computed_once() -> None:
    """Rows of a layer are distinct prefixes: with each head off, one more for each head below."""
    subject = classifier("bert")
    layout = subject.layout
    masks = np.array([layout.full(), *layout.each_off()])
    assert engine(subject).passes(masks) == pytest.approx((1 + 5 + 9) / 3)
    assert OneMaskAtATime(subject, 40).passes(masks) == 9


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_other_architectures_fall_back_by_name(name: str, caplog: pytest.LogCaptureFixture) -> None:
    subject = classifier(name)
    with pytest.raises(UnsupportedModelError, match="not built like BERT"):
        classifier_weights(subject.module, subject.gate)
    assert isinstance(choose_engine(subject, Precision.float32, Screening()), OneMaskAtATime)
    assert "not built like BERT" in caplog.text
    assert "one mask at a time" in caplog.text
    with pytest.raises(InputError, match="precision=bfloat16 needs a model that the fast engine can take apart"):
        choose_engine(subject, Precision.bfloat16, Screening())


def test_an_engine_that_is_not_the_model_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    subject = classifier("bert")
    subject.module.bert.pooler.register_forward_hook(lambda *_: None)
    subject.module.bert.encoder.layer[1].output.register_forward_hook(lambda _, __, out: out * 1.01)
    assert isinstance(choose_engine(subject, Precision.float32, Screening()), OneMaskAtATime)
    assert "own forward pass is not the model's" in caplog.text


@pytest.mark.parametrize("name", ["position_ids", "token_type_ids"])
def test_embeddings_that_need_more_than_the_engine_gives_them_are_left_to_the_model(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    subject = classifier("bert")

    def require(_: object, __: object, options: dict[str, object]) -> None:
        if options.get(name) is None and "past_key_values_length" not in options:
            raise TypeError(f"missing 1 required keyword-only argument: '{name}'")

    subject.module.base_model.embeddings.register_forward_pre_hook(require, with_kwargs=True)
    assert isinstance(choose_engine(subject, Precision.float32, Screening()), OneMaskAtATime)
    assert "the engine's own forward pass does not run (TypeError: missing 1" in caplog.text


def test_an_activation_that_the_engine_lacks_is_named() -> None:
    subject = classifier("bert")
    subject.module.bert.encoder.layer[0].intermediate.intermediate_act_fn = torch.nn.Softplus()
    with pytest.raises(UnsupportedModelError, match="Softplus"):
        classifier_weights(subject.module, subject.gate)


def test_out_of_memory_halves_the_block(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    subject = classifier("bert")
    rows, masks = subject.encode(examples()), all_kinds_of_masks(subject.layout)
    whole, small = engine(subject), engine(subject)
    plain = small.outcomes

    def outcomes(rows, pairs):
        if pairs.wanted.size > 20:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            )
        return plain(rows, pairs)

    monkeypatch.setattr(small, "outcomes", outcomes)
    small.workers = 2
    assert_agrees(run(small, rows, masks), run(whole, rows, masks))
    assert "out of memory: going on with blocks of" in caplog.text


def test_another_error_is_not_taken_for_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = classifier("bert")
    broken = engine(subject)
    monkeypatch.setattr(broken, "outcomes", lambda *_: (_ for _ in ()).throw(RuntimeError("shapes do not fit")))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        run(broken, subject.encode(examples()), all_kinds_of_masks(subject.layout))


def test_one_pair_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = classifier("bert")
    broken = engine(subject)
    monkeypatch.setattr(broken, "outcomes", lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError):
        run(broken, subject.encode(examples(2)), all_kinds_of_masks(subject.layout))


@pytest.mark.parametrize("precision", [Precision.bfloat16, Precision.screened])
def test_low_precision(precision: Precision) -> None:
    """Screened predictions are float32's, bfloat16's are close to them."""
    subject = classifier("bert", seed=1)
    rows, masks = subject.encode(examples(40)), all_kinds_of_masks(subject.layout)
    expected = run(engine(subject), rows, masks)
    low = choose_engine(subject, precision, Screening(sample=64, audit=0.05))
    low.workers = 3
    found = run(low, rows, masks)
    assert 0 < (found["margin"] - expected["margin"]).abs().max() < 0.5
    if precision is Precision.screened:
        sure = expected["margin"] > TOLERANCE
        assert (found["prediction"] == expected["prediction"]).filter(sure).all()
        assert (found["correct"] == expected["correct"]).filter(sure).all()
        assert 0.2 < found["drafted"].mean() < 1
        exact = ~found["drafted"]
        assert (found["margin"] - expected["margin"]).filter(exact).abs().max() <= TOLERANCE
        learnt = low.screen.threshold("")
        assert learnt == 2 * low.screen.largest_error[""] > 0
        assert run(low, rows, masks).filter("drafted")["margin"].min() > learnt


def test_an_audit_that_finds_a_wrong_decision_raises_the_threshold() -> None:
    """The draft of another model: the sample of one decision says little, the audit of everything says all."""
    subject, other = classifier("bert", seed=1), classifier("bert", seed=2)
    rows, masks = subject.encode(examples(20)), all_kinds_of_masks(subject.layout)
    exact = engine(subject)
    draft = classifier_weights(other.module, other.gate)
    budget = MemoryBudget(64, memory=2**30, most_tokens=2000)
    low = ScreenedEngine(subject, draft, exact, budget, Screening(sample=1, safety=1.0, audit=1.0))
    assert run(low, rows, masks)["prediction"].equals(run(exact, rows, masks)["prediction"])
    audited = ScreenedEngine(subject, draft, exact, budget, Screening(sample=1, safety=1.0, audit=0.1))
    found, expected = run(audited, rows, masks), run(exact, rows, masks)
    wrong = found.filter(found["prediction"] != expected["prediction"])
    assert wrong.is_empty() or wrong["margin"].min() > audited.screen.largest_error[""] / 2
    assert audited.screen.threshold("") > 1.0


@pytest.mark.real
@pytest.mark.slow
def test_a_real_model_agrees_with_brute_force_and_screened_decides_as_float32(real: Path) -> None:
    """MiniLM on MNLI: 12 pairs under every kind of mask one by one; 100 pairs with each head off, screened."""
    path, data = real / "models" / "minilm-mnli", real / "data" / "mnli" / "dev_matched.tsv"
    names = ["model=hf_classifier", f"model.path={path}", "model.truncate=true", "data=nli_file", f"data.path={data}"]
    study = to_study(compose(*names, "device=cpu"))
    subject = MeasuringJob(study).subject()
    rows = subject.encode(study.data.examples().take(range(100)))
    fast = choose_engine(subject, Precision.float32, Screening())
    kinds = all_kinds_of_masks(subject.layout)
    some = kinds[np.random.default_rng(0).permutation(len(kinds))[:40]]
    assert_agrees(run(fast, rows[:12], some), brute_force(subject, rows[:12], some))
    heads_off = np.array([subject.layout.full(), *subject.layout.each_off()])
    expected = run(fast, rows, heads_off)
    found = run(choose_engine(subject, Precision.screened, Screening()), rows, heads_off)
    sure = expected["margin"] > TOLERANCE
    assert found.filter(sure)["prediction"].equals(expected.filter(sure)["prediction"])
    assert found["drafted"].mean() > 0.8
