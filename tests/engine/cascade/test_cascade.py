"""A cascade against float32: every decision is the same, and every row says how it came about."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from fixtures.cascades.tame import CAREFUL, cascade, tame, tame_classifier
from fixtures.classifiers import all_kinds_of_masks, examples, run
from fixtures.language_models import choices, language_model
from fixtures.replacement import replaced
from fixtures.translators import translator

from study.engine.blocks import Columns
from study.engine.cascade.answers import Answers, Comparison
from study.engine.cascade.engine import CascadeEngine
from study.engine.cascade.make import cascade_engine
from study.engine.choose import choose_engine
from study.engine.engine import OneMaskAtATime
from study.engine.memory import MemoryBudget
from study.engine.pairs import Pairs
from study.engine.precision import Precision, Screening
from study.record.cascade import Stage, Thresholds
from study.record.cascade.decisions import decisions
from study.record.errors import InputError
from study.record.examples import Examples
from study.record.units import UnitLevel
from study.subjects.subject import TokenRow

UNITS = ("head", "group", "mlp")
DATA = examples(90)
FEW = 2
"""Drafts of 2,700 that may be wrong, as thresholds by 30 examples are low; one was seen, and audits are for such."""

EXAMPLES = DATA.to_frame().with_columns(example=pl.int_range(len(DATA)))


def assert_decides_as(exact: pl.DataFrame, found: pl.DataFrame) -> None:
    """Decisions are those of float32, but for `FEW`; exact rows are its outcomes."""
    wrong = (decisions(found, EXAMPLES) != decisions(exact, EXAMPLES)).any(axis=1)
    rows = found["stage"] == str(Stage.float32)
    assert wrong.sum() <= FEW
    assert not wrong[rows.to_numpy()].any()
    for name in ("margin", "loss"):
        assert (found[name] - exact[name]).filter(rows).abs().max() <= 1e-4


@pytest.mark.parametrize(("drafts", "share"), [(False, 0.02), (True, 0.1)])
def test_decisions_are_those_of_float32_but_for_few_drafts(drafts: bool, share: float) -> None:
    subject = tame_classifier(share=share)
    rows, masks = subject.encode(DATA), all_kinds_of_masks(subject.layout)
    engine = cascade(subject, drafts=drafts)
    found, exact = run(engine, rows, masks), run(engine.exact, rows, masks)
    assert_decides_as(exact, found)
    assert exact["prediction"].n_unique() > 1
    taken = dict(found.group_by("stage").len().iter_rows())
    assert set(taken) == set(engine.stages)
    assert taken["first_order"] > 0.1 * found.height
    full = masks.all(1).argmax()
    assert found.filter(pl.col("mask") == full)["stage"].unique().to_list() == ["float32"]
    keys = pl.DataFrame({"mask": range(len(masks)), "key": list(map(subject.layout.key, masks))})
    named = found.join(keys, on="mask").with_columns(mask=pl.col("key"))
    assert not engine.thresholds.is_open(named).any()


def test_a_mask_asked_for_later_is_calibrated_then_and_no_tangent_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = tame_classifier()
    rows, masks = subject.encode(DATA), all_kinds_of_masks(subject.layout)
    engine = cascade(subject)
    some = masks[::2]
    run(engine, rows, some)
    before = engine.thresholds.values[Stage.first_order]
    monkeypatch.setattr(engine._decider, "tangents", lambda _: pytest.fail("taken again"))
    found = run(engine, rows, masks)
    after = engine.thresholds.values[Stage.first_order]
    assert before.items() < after.items()
    assert_decides_as(run(engine.exact, rows, masks), found)


def test_a_stage_without_a_threshold_takes_nothing() -> None:
    """Another machine may have calibrated masks by other stages."""
    subject = tame_classifier()
    rows, masks = subject.encode(DATA), subject.layout.each_off()
    engine = cascade(subject, drafts=True)
    engine.learn(Thresholds({Stage.first_order: {subject.layout.key(mask): 1e-9 for mask in masks}}))
    assert set(run(engine, rows, masks)["stage"]) <= {"first_order", "float32"}


@pytest.mark.parametrize(
    ("number", "why"), [(90, "gradients would cost more"), (20, "no more decisions are left under a new mask than the")]
)
def test_few_masks_do_not_pay_for_gradients(number: int, why: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    subject = tame_classifier()
    found = run(cascade(subject), subject.encode(examples(number)), subject.layout.each_off()[:1])
    assert set(found["stage"]) == {"float32"}
    assert caplog.text.count(why) == 1


def test_masks_and_examples_that_are_known_cost_no_sample_and_no_gradients() -> None:
    subject = tame_classifier()
    engine, masks = cascade(subject), all_kinds_of_masks(subject.layout)
    before = engine.least_passes(masks, len(DATA))
    run(engine, subject.encode(DATA), masks)
    assert engine.least_passes(masks, len(DATA)) == 0 < before <= engine.passes(masks)


def test_masks_are_calibrated_on_what_is_asked_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is computed in vain, and a mask that is asked on no more examples than a sample has no threshold."""
    subject, computed = tame_classifier(), list[int]()
    rows, masks = subject.encode(DATA), all_kinds_of_masks(subject.layout)
    masks = masks[~masks.all(axis=1)]
    wanted = np.ones((len(masks), len(rows)), dtype=bool)
    wanted[::4, ::2] = wanted[1::4, 20:] = False
    engine = cascade(subject)
    logits = engine.exact.logits
    monkeypatch.setattr(engine.exact, "logits", lambda own, some: computed.append(len(some)) or logits(own, some))
    found = run(engine, rows, masks, wanted)
    assert found.select("mask", "example").rows() == list(zip(*map(np.ndarray.tolist, np.nonzero(wanted)), strict=True))
    assert sum(computed) == (found["stage"] == "float32").sum() < found.height
    is_many = wanted.sum(axis=1) > CAREFUL.sample
    assert 0 < is_many.sum() < len(masks)
    known = engine.thresholds.values[Stage.first_order]
    assert set(known) == {subject.layout.key(mask) for mask in masks[is_many]}


def test_no_block_has_more_pairs_than_fit_where_hard_examples_stand_together() -> None:
    """Of examples of one length the first quarter has every mask open: blocks for the mean would be too large."""
    number, subject = 200, tame_classifier()
    rows = subject.encode(Examples(tuple(map(str, range(number))), (("w1 w2 w3 w4",),) * number, ("neutral",) * number))
    masks = subject.layout.each_off()
    wanted = np.zeros((len(masks), number), dtype=bool)
    wanted[0], wanted[:, : number // 4] = True, True
    engine, sizes = cascade(subject), list[int]()
    most = max(block.size for block in engine.exact.blocks(rows, masks))

    def counted(own: Sequence[TokenRow], pairs: Pairs) -> Columns:
        sizes.append(len(pairs))
        return engine.exact.outcomes(own, pairs)

    assert sum(len(block.masks) for block in engine._run(rows, Pairs(masks, wanted), counted)) == wanted.sum()
    assert len(sizes) > 1
    assert max(sizes) <= most


@pytest.mark.parametrize("kind", ["mean", "uniform"])
def test_whatever_stands_in_the_place_of_units(kind: str) -> None:
    subject = tame_classifier()
    replaced.standing(subject, replaced.choice(kind), DATA)
    rows, masks = subject.encode(DATA), all_kinds_of_masks(subject.layout)
    engine = cascade(subject)
    found = run(engine, rows, masks)
    assert_decides_as(run(engine.exact, rows, masks), found)
    assert (found["stage"] == "first_order").any()


@pytest.mark.parametrize("packs", [False, True])
def test_choices_by_every_metric_that_chooses_with_groups_and_mlps_off(packs: bool) -> None:
    subject = language_model("llama")
    tame(subject)
    rows, layout = subject.encode(choices(70)), subject.layout
    masks = np.concatenate([layout.full()[None], *(layout.each_off(layout.units(UnitLevel(level))) for level in UNITS)])
    budget = MemoryBudget(500, memory=2**30, most_tokens=2000)
    exact = choose_engine(subject, Precision.float32, Screening()) if packs else OneMaskAtATime(subject, 2000)
    made = cascade_engine(exact, CAREFUL, budget)
    engine = CascadeEngine(made._decider, exact, None, CAREFUL)
    found, expected = run(engine, rows, masks), run(exact, rows, masks)
    known = choices(70).to_frame().with_columns(example=pl.int_range(70))
    assert (decisions(found, known) == decisions(expected, known)).all()
    assert decisions(found, known).shape[1] > 1
    assert (found["stage"] == "first_order").sum() > 0


def test_an_error_is_by_how_much_a_lead_is_overestimated() -> None:
    """By hand: the draft's winner leads by 3 and 4, in truth by 1 and 5; then by 1 where it is behind by 1."""
    draft, exact = np.array([[4.0, 1.0, 0.0], [2.0, 3.0, -np.inf]]), np.array([[5.0, 4.0, 0.0], [3.0, 2.0, -np.inf]])
    unit = np.array([1.0, 2.0])
    one, other = (Answers({}, (Comparison(values, unit),)) for values in (draft, exact))
    assert one.errors(other).tolist() == [2.0, 4.0]
    assert one.margins.tolist() == [3.0, 2.0]
    nothing = Answers({}, (Comparison(np.array([[np.nan, 1.0, 0.0], [1.0, 0.0, 0.0]]), unit),))
    assert nothing.errors(other)[0] == np.inf
    sure = Answers({}, (Comparison(np.array([[4.0, 1.0, -np.inf], [2.0, 3.0, -np.inf]]), unit),))
    assert sure.errors(other).tolist() == [np.inf, 4.0], "that the third is out of the question is an error without end"


def test_what_decides_nothing_is_refused() -> None:
    subject = translator("fsmt")
    with pytest.raises(InputError, match="precision=cascade is for classification and choices"):
        choose_engine(subject, Precision.cascade, Screening())
