"""Audits of drafts: what they find, what they repair, and that a killed one goes on where it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fixtures import cases
from fixtures.cascades.tame import CAREFUL, cascade, tame_classifier
from fixtures.classifiers import all_kinds_of_masks, examples

from study.engine.cascade.audit import Auditor
from study.engine.cascade.engine import CascadeEngine
from study.engine.evaluator import Evaluator
from study.engine.pairs import Pairs, TableRequest
from study.record.cascade import Audit, Stage, Thresholds
from study.record.cascade.audit_files import AuditError, read_audits
from study.record.examples import Examples
from study.record.parts import StoreError
from study.record.setting import Setting
from study.record.store import Store
from study.record.tables import OUTCOMES
from study.subjects.classifier import Classifier

DATA = examples(90)
SETTING = Setting(
    model="tame",
    data="words",
    metric="accuracy",
    subject={"labels": list(cases.LABELS), "precision": "cascade"},
    examples={"digest": DATA.digest, "count": len(DATA)},
    statistic="accuracy|percent",
)


@pytest.fixture(scope="module")
def subject() -> Classifier:
    return tame_classifier()


def evaluator(results: Path, engine: CascadeEngine, data: Examples = DATA) -> Evaluator:
    store = Store(results, SETTING, engine.subject.layout, DATA)
    return Evaluator(store, SETTING, data, lambda: engine, provenance={}, whole=DATA)


def auditor(own: Evaluator, share: int = 0, shards: int = 1) -> Auditor:
    return Auditor(own, [TableRequest(OUTCOMES, all_kinds_of_masks(own.layout))], CAREFUL, share, shards)


def audits(own: Evaluator) -> list[Audit]:
    found, wrong = read_audits(own.store.folder)
    assert not wrong
    return found


def exact_predictions(subject: Classifier) -> pl.DataFrame:
    engine, rows = cascade(subject).exact, subject.encode(DATA)
    masks, found = all_kinds_of_masks(subject.layout), []
    for block in engine.run(rows, Pairs.every(masks, len(rows))):
        keys = [subject.layout.key(masks[i]) for i in block.masks]
        names = [DATA.ids[i] for i in block.examples]
        found.append(pl.DataFrame({"mask": keys, "example": names, "exact": block.columns["prediction"]}))
    return pl.concat(found)


def assert_right(own: Evaluator, subject: Classifier) -> None:
    rows = own.store.read().rows.join(exact_predictions(subject), on=["mask", "example"])
    assert rows.height == len(all_kinds_of_masks(own.layout)) * len(DATA)
    assert rows["prediction"].equals(rows["exact"], check_names=False)


def doctored(own: Evaluator, drafts: pl.DataFrame) -> pl.DataFrame:
    """These drafts, decided wrong, in a part that takes the place of all others."""
    rows = own.store.read().rows
    wrong = drafts.with_columns(prediction=(pl.col("prediction") + 1) % 3)
    thresholds = own.store.thresholds
    for part in OUTCOMES.parts(own.store.folder):
        part.unlink()
    rest = rows.join(wrong, on=["mask", "example"], how="anti")
    own.store.write(pl.concat([rest, wrong.select(rest.columns)]), {"seconds": 1, "rows": 1}, thresholds=thresholds)
    return wrong


def test_a_job_is_audited_once_and_then_nothing_is_loaded(tmp_path: Path, subject: Classifier) -> None:
    own = evaluator(tmp_path, cascade(subject))
    assert not auditor(own).passed
    auditor(own).run()
    (audit,) = audits(own)
    assert audit.passed
    assert (audit.round, audit.together.wrong) == (1, 0)
    assert audit.alpha == pytest.approx(0.025)
    assert audit.together.sample > 0
    assert sum(audit.stages.values()) == len(all_kinds_of_masks(own.layout)) * len(DATA)
    assert 0 < audit.purposive["looked"] <= CAREFUL.purposive
    assert_right(own, subject)
    drawn = pl.DataFrame([(mask, DATA.ids[i]) for mask, places in audit.drawn.items() for i in places], orient="row")
    drawn.columns = ["mask", "example"]
    stages = own.store.read().rows.join(drawn, on=["mask", "example"])["stage"]
    assert stages.unique().to_list() == ["float32"]
    again = evaluator(tmp_path, cascade(subject))
    again._load = lambda: pytest.fail("loaded")
    assert auditor(again).passed
    assert not auditor(again).run()


def test_where_not_one_draft_may_be_wrong_nearly_all_are_drawn(tmp_path: Path, subject: Classifier) -> None:
    """One wrong of N is missed by n draws of N with a probability of 1 - n / N. Without drafts nothing is drawn."""
    own = evaluator(tmp_path, cascade(subject))
    Auditor(own, auditor(own).requests, replace(CAREFUL, bound=1e-9), 0, 1).run()
    found = max(audits(own), key=lambda audit: audit.round)
    population = found.together.population
    assert population > 0
    assert found.together.sample == np.ceil((1 - found.alpha) * population)
    assert found.together.unseen(found.alpha) == 0
    Auditor(own, [TableRequest(OUTCOMES, own.layout.full()[None])], CAREFUL, 0, 1).run()
    last = max(audits(own), key=lambda audit: audit.round)
    assert last.round == found.round + 1
    assert (last.passed, last.together.population, last.drawn) == (True, 0, {})


def test_an_audit_of_other_masks_spends_what_the_one_before_has_left(tmp_path: Path, subject: Classifier) -> None:
    own = evaluator(tmp_path, cascade(subject))
    masks = all_kinds_of_masks(own.layout)
    for some in (np.concatenate([own.layout.full()[None], masks[: len(masks) // 2]]), masks):
        Auditor(own, [TableRequest(OUTCOMES, some)], CAREFUL, 0, 1).run()
    found = sorted(audits(own), key=lambda audit: audit.round)
    assert [audit.round for audit in found] == [1, 2]
    assert [audit.alpha for audit in found] == pytest.approx([0.025, 0.0125])


def test_what_is_looked_at_where_errors_are_likely_enters_no_bound(tmp_path: Path, subject: Classifier) -> None:
    own = evaluator(tmp_path, cascade(subject))
    own.require([TableRequest(OUTCOMES, all_kinds_of_masks(own.layout))])
    before = own.store.thresholds
    drafts = own.store.read().rows.filter(pl.col("stage") == "first_order")
    limits = pl.Series([before.at(Stage.first_order, mask) for mask in drafts["mask"]])
    wrong = doctored(own, drafts.sort(pl.col("margin") / limits).head(3))
    own = evaluator(tmp_path, cascade(subject))
    assert auditor(own).run(), "thresholds rose"
    first = min(audits(own), key=lambda audit: audit.round)
    assert first.purposive["wrong"] > 0
    assert first.together.population <= drafts.height - first.purposive["looked"], "these are exact now"
    raised = own.store.thresholds
    for mask in wrong["mask"]:
        assert raised.at(Stage.first_order, mask) > before.at(Stage.first_order, mask)


def test_a_failed_round_makes_all_it_drew_exact_and_the_next_one_is_judged_at_half(
    tmp_path: Path, subject: Classifier
) -> None:
    """The widest drafts are wrong and nobody looks where errors are likely: only what is drawn at random can tell."""
    own = evaluator(tmp_path, cascade(subject))
    own.require([TableRequest(OUTCOMES, all_kinds_of_masks(own.layout))])
    before = own.store.thresholds
    drafts = own.store.read().rows.filter(pl.col("stage") == "first_order").sort("margin")
    wrong = doctored(own, drafts.tail(drafts.height // 5))
    own = evaluator(tmp_path, cascade(subject))
    assert Auditor(own, auditor(own).requests, replace(CAREFUL, purposive=0), 0, 1).run()
    found = sorted(audits(own), key=lambda audit: audit.round)
    assert [audit.round for audit in found] == list(range(1, len(found) + 1))
    assert len(found) > 1
    assert [audit.passed for audit in found] == [False] * (len(found) - 1) + [True]
    assert [audit.alpha for audit in found] == pytest.approx([0.05 / 2**audit.round for audit in found])
    assert all(audit.purposive["looked"] == 0 for audit in found)
    populations = [audit.together.population for audit in found]
    assert populations == sorted(set(populations), reverse=True), "what was opened or drawn is no draft any more"
    seen = wrong.join(
        pl.DataFrame({"mask": [m for m, one in found[0].masks.items() if one.wrong]}), on="mask", how="semi"
    )
    for mask, margin in seen.group_by("mask").agg(pl.col("margin").min()).iter_rows():
        assert own.store.thresholds.at(Stage.first_order, mask) > max(margin, before.at(Stage.first_order, mask))
    rows = own.store.read().rows.join(exact_predictions(subject), on=["mask", "example"])
    left = (pl.col("stage") == "first_order") & (pl.col("prediction") != pl.col("exact"))
    assert rows.filter(left).height <= found[-1].together.unseen(found[-1].alpha)


@pytest.mark.parametrize("differs", ["by its last digit", "by its decision"])
def test_a_draft_that_was_opened_is_computed_exactly(tmp_path: Path, subject: Classifier, differs: str) -> None:
    """Another machine drafts a decision too: by a margin that is its threshold now, or otherwise by the same margin."""
    engine, first = cascade(subject), str(Stage.first_order)
    own = evaluator(tmp_path, engine)
    own.require([TableRequest(OUTCOMES, all_kinds_of_masks(own.layout))])
    draft = own.store.read().rows.filter(pl.col("stage") == first).sort("margin").tail(1)
    mask, margin = draft.select("mask", "margin").row(0)
    if differs == "by its decision":
        other, least = draft.with_columns(prediction=(pl.col("prediction") + 1) % 3), 0.0
    else:
        least = float(np.nextafter(np.float32(margin), np.float32(0)))
        other = draft.with_columns(margin=pl.lit(least, dtype=pl.Float32))
    thresholds = Thresholds({Stage.first_order: {mask: least}})
    own.store.write(other, {"seconds": 0, "rows": 1}, thresholds=thresholds)
    assert sum(map(len, own.remaining(own.keys(all_kinds_of_masks(own.layout))).values())) > 0
    auditor(evaluator(tmp_path, engine)).run()
    assert [audit.round for audit in audits(own)] == [1]
    left = own.store.read().rows.join(draft, on=["mask", "example"], how="semi")
    assert left["stage"].to_list() == ["float32"]
    assert_right(own, subject)


def test_what_is_missing_however_often_it_is_computed_is_told_in_words(tmp_path: Path, subject: Classifier) -> None:
    engine = cascade(subject)
    own = evaluator(tmp_path, engine)
    engine.run_together = lambda *_: iter(())
    with pytest.raises(StoreError, match=r"decisions are missing still, though they were computed .* mask"):
        auditor(own).run()


def test_a_file_of_a_round_that_cannot_be_read_is_no_round_that_is_forgotten(
    tmp_path: Path, subject: Classifier
) -> None:
    own = evaluator(tmp_path, cascade(subject))
    auditor(own).run()
    (path,) = (own.store.folder / "audits").iterdir()
    path.write_text(path.read_text()[:-9])
    with pytest.raises(AuditError, match="is not a whole audit .* once the file is removed"):
        auditor(own).run()


def test_what_a_later_threshold_opens_is_no_draft_of_another_stage(tmp_path: Path) -> None:
    """An audit has spoken for drafts of first order, and for none that bfloat16 would have made of them since."""
    own = evaluator(tmp_path, cascade(tame_classifier(share=0.05), drafts=True))
    auditor(own).run()
    rows = own.store.read().rows
    opened = rows.filter(pl.col("stage") == "first_order")
    high = {mask: margin + 1 for mask, margin in opened.group_by("mask").agg(pl.col("margin").max()).iter_rows()}
    exact = rows.filter(pl.col("stage") == "float32", pl.col("mask").is_in(list(high))).unique("mask")
    own.store.write(exact, {"seconds": 0, "rows": 1}, thresholds=Thresholds({Stage.first_order: high}))
    auditor(own).run()
    now = own.store.read().rows.join(opened, on=["mask", "example"], how="semi")
    assert now.height == opened.height > 0
    assert now["stage"].unique().to_list() == ["float32"]


def test_a_killed_audit_goes_on_with_the_sample_that_it_drew(tmp_path: Path, subject: Classifier) -> None:
    engine = cascade(subject)
    own = evaluator(tmp_path, engine)
    own.require([TableRequest(OUTCOMES, all_kinds_of_masks(own.layout))])
    exactly, calls = engine.run_exactly, iter(["where errors are likely"])

    def killed(rows, pairs, tables):
        if next(calls, "over") == "over":
            raise KeyboardInterrupt
        return exactly(rows, pairs, tables)

    engine.run_exactly = killed
    with pytest.raises(KeyboardInterrupt):
        auditor(own).run()
    (begun,) = audits(own)
    assert begun.passed is None
    again = evaluator(tmp_path, cascade(subject))
    auditor(again).run()
    (done,) = audits(again)
    assert done.passed
    assert (done.drawn, done.seed) == (begun.drawn, begun.seed)
    assert_right(again, subject)


def test_shares_are_audited_each_and_one_may_open_what_another_took(tmp_path: Path, subject: Classifier) -> None:
    shares = [DATA.take(range(i, len(DATA), 2)) for i in range(2)]
    both = [evaluator(tmp_path, cascade(subject), share) for share in shares]
    for share, own in enumerate(both):
        auditor(own, share, 2).run()
        assert auditor(own, share, 2).passed
    assert [audit.alpha for audit in audits(both[0])] == pytest.approx([0.0125] * 2)
    drafts = both[0].store.read().rows.filter(pl.col("stage") == "first_order", pl.col("example").is_in(shares[0].ids))
    mask = drafts["mask"][0]
    high = Thresholds({Stage.first_order: {mask: float(np.float32(drafts["margin"].max())) + 1.0}})
    exact = (
        both[1]
        .store.read()
        .rows.filter(pl.col("stage") == "float32", pl.col("mask") == mask, pl.col("example").is_in(shares[1].ids))
    )
    both[1].store.write(exact.head(1), {"seconds": 0, "rows": 1}, thresholds=high)
    assert not auditor(both[0], 0, 2).passed
    auditor(both[0], 0, 2).run()
    assert auditor(both[0], 0, 2).passed
    left = both[0].store.read().rows.filter(pl.col("mask") == mask, pl.col("example").is_in(shares[0].ids))
    assert left["stage"].unique().to_list() == ["float32"]
