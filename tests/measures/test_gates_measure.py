"""What gates keep as a measure and as an order: masks, curves and where they come from, to the end of `study prune`."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from study.config import compose, to_study
from study.jobs.measuring import MeasuringJob
from study.jobs.task import StudyTask
from study.measures.gates import GatesMeasure, kept_curve
from study.measures.orders.gates import GatesOrder, learned_sequence
from study.measures.orders.order import Removal
from study.pruning.selection import Selection
from study.record.curves import Curve, read_curves, write_curve
from study.record.errors import InputError
from study.record.loss import PLAIN
from study.record.orders import Steps
from study.record.training.gates import GATES_FILE, GatesRecord, read_course, read_gates, write_gates
from study.record.units import AttentionKind, HeadLayout, UnitLevel
from study.training import gate_learner

LAYOUT = HeadLayout({AttentionKind.ENCODER_SELF: [2, 2], AttentionKind.CROSS: [1]})
ENCODER = tuple(map(str, LAYOUT.heads[:4]))
RECORD = GatesRecord(
    "hard_concrete", {"scope": ["encoder_self"], "weights": "frozen", "penalty": 0.3}, "abc", 40, ENCODER, "01101",
    log_alpha=(-1.0, 2.0, 0.5, -3.0), undecided=ENCODER[:2], fractional=ENCODER[:3],
)  # fmt: skip
ALL = Removal(LAYOUT, UnitLevel.head, (), Steps.every, True, PLAIN)
ENCODER_ONLY = replace(ALL, kinds=(AttentionKind.ENCODER_SELF,))


def test_the_curve_of_the_kept_heads_says_where_they_come_from() -> None:
    curve = kept_curve(RECORD, LAYOUT, seed=7)
    assert (curve.order, curve.kinds, curve.heads) == ("kept", ("encoder_self",), 4)
    assert (curve.removed, curve.masks) == ((0, 2), ("11111", "01101"))
    assert curve.sequence == tuple(ENCODER[i] for i in (3, 0, 2, 1))
    assert curve.options == {
        "method": "hard_concrete", "training": "abc", "updates": 40, "weights": "frozen", "scope": "encoder_self",
        "seed": 7, "undecided": 2, "fractional": 3, "penalty": 0.3,
    }  # fmt: skip


def test_a_curve_of_every_head_has_one_point() -> None:
    for record in (replace(RECORD, kept="11111"), GatesRecord("none", {}, "abc", 9, (), "")):
        curve = kept_curve(record, LAYOUT, seed=None)
        assert (curve.removed, curve.masks) == ((0,), ("11111",))
    assert (curve.options["method"], curve.heads, curve.sequence) == ("none", 5, ())


def test_of_a_model_without_gates_it_is_said_that_all_heads_stay(caplog: pytest.LogCaptureFixture) -> None:
    asked = []
    setting = SimpleNamespace(model="mine", factors=[SimpleNamespace(seed=3)])
    none, some = GatesRecord("none", {}, "abc", 9, (), ""), RECORD
    evaluator = SimpleNamespace(layout=LAYOUT, setting=setting, outcomes=asked.append, require=tuple, keep=asked.append)
    with caplog.at_level("INFO"):
        GatesMeasure().run(SimpleNamespace(**vars(evaluator), gates=lambda: some))
        assert not caplog.messages
        GatesMeasure().run(SimpleNamespace(**vars(evaluator), gates=lambda: none))
    assert "mine was trained without gates: all 5 heads are kept" in caplog.text


def test_given_heads_name_the_order_that_chose_them() -> None:
    heads, options = tuple(map(str, LAYOUT.heads)), {"order": {"name": "random"}, "keep": 3}
    record = GatesRecord("kept", options, "abc", 9, heads, "01101")
    assert kept_curve(record, LAYOUT, seed=4).options.items() >= {"order": "random", "order_seed": 4, "keep": 3}.items()
    by_importance = replace(record, options={**options, "order": {"name": "importance"}})
    assert "order_seed" not in kept_curve(by_importance, LAYOUT, seed=4).options


def test_a_given_mask_orders_the_heads_that_go_and_no_other(tmp_path: Path) -> None:
    options = {"order": {"name": "importance"}, "keep": {"encoder_self": 2}}
    record = GatesRecord("kept", options, "abc", 9, tuple(map(str, LAYOUT.heads)), "01101")
    curve = kept_curve(record, LAYOUT, seed=4)
    assert (curve.kinds, curve.heads, curve.sequence) == (("encoder_self",), 4, (ENCODER[0], ENCODER[3]))
    write_curve(curve, tmp_path)
    (file,) = tmp_path.rglob("*.json")
    assert Selection(order=str(file), number=2).keeps(LAYOUT).tolist() == [False, True, True, False, True]
    with pytest.raises(InputError, match="names 2 heads: 3 of them cannot be removed"):
        Selection(order=str(file), number=3).keeps(LAYOUT)


def test_the_order_removes_first_what_does_not_stay(tmp_path: Path) -> None:
    file = tmp_path / GATES_FILE
    write_gates(RECORD, file)
    order = GatesOrder(gates=str(file))
    order.check(ENCODER_ONLY)
    (curve,) = order.request(ENCODER_ONLY, None).curves
    assert curve.masks == ("11111", "11101", "01101", "01001", "00001")
    assert curve.options["training"] == "abc"
    of_kind = replace(RECORD, kept="10011", heads=(*ENCODER, "cross.0.0"), log_alpha=(-1.0, 2.0, 0.5, -3.0, -9.0))
    assert [LAYOUT.index(head) for head in learned_sequence(of_kind, LAYOUT)] == [2, 1, 4, 3, 0]


def test_gates_that_give_no_order_are_refused(tmp_path: Path) -> None:
    write_gates(RECORD, tmp_path / "a.json")
    write_gates(replace(RECORD, log_alpha=None), tmp_path / "b.json")
    write_gates(replace(RECORD, kept="0110"), tmp_path / "c.json")
    for name, removal, says in (
        (
            "a",
            ALL,
            r"no gate was learned for cross\.0\.0: measure\.kinds=\[ENCODER_SELF\] removes heads that have",
        ),
        ("a", replace(ALL, unit=UnitLevel.layer), "measure.order=gates is of heads, and here layers go"),
        ("b", ENCODER_ONLY, "training abc had given ones"),
        ("c", ENCODER_ONLY, "'0110' is no mask of this model"),
        ("d", ENCODER_ONLY, "no record of gates"),
    ):
        with pytest.raises(InputError, match=says):
            GatesOrder(gates=str(tmp_path / f"{name}.json")).check(removal)


def overrides(place: Path, *more: str) -> list[str]:
    pairs = f"{place}/pairs.tsv"
    return [
        "model=hf_gated", "model.name=gated", f"model.training.start={place}/model",
        f"model.training.train.path={pairs}", f"model.training.dev.path={pairs}", "model.training.record_every=4",
        "model.training.batch_size=16", "model.training.learning_rate=1e-3", "model.training.max_length=32",
        "model.training.gates=subset", "model.training.gates.keep=5", "model.training.gates.straight_through=true",
        "data=nli_file", f"data.path={pairs}", f"results={place}/results", "device=cpu", *more,
    ]  # fmt: skip


def curves(config: list[str]) -> list[Curve]:
    return read_curves(MeasuringJob(to_study(compose(*config))).evaluator.store.folder)[0]


def test_a_training_with_gates_is_measured_with_the_heads_it_keeps(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gate_learner, "require_converged", lambda *_: None)  # the weights are random
    task = StudyTask()
    with pytest.raises(InputError, match="measure=train first"):
        task(compose(*overrides(place, "measure=gates")))
    score = task(compose(*overrides(place, "measure=train")))["dev"]
    (folder,) = (place / "results" / "trainings").iterdir()
    record = read_gates(folder / GATES_FILE)
    assert (record.kept.count("1"), record.step) == (5, read_course(folder)[-1].step)
    assert task.remaining(compose(*overrides(place, "measure=train"))) == 0
    assert task(compose(*overrides(place, "measure=gates")))["masks"] == 2
    (kept,) = curves(overrides(place, "measure=gates"))
    assert (kept.masks[-1], kept.options["training"]) == (record.kept, record.training)
    (file,) = MeasuringJob(to_study(compose(*overrides(place, "measure=gates")))).evaluator.store.folder.glob(
        "curves/*"
    )
    pruned = Selection(order=str(file), number=3).keeps(HeadLayout({AttentionKind.ENCODER_SELF: [4, 4]}))
    assert "".join("01"[on] for on in pruned.astype(int)) == record.kept, "study prune order=CURVE number=3"
    job = MeasuringJob(to_study(compose(*overrides(place, "measure=gates"))))
    scores = job.evaluator.stored().scores(job.study.measure.request(job.evaluator).outcomes)
    assert scores[-1] == pytest.approx(score), "dev is this data: it was evaluated with the heads that stay"
    task(compose(*overrides(place, "measure=pruning", "measure.order=gates", "measure.steps=every")))
    along = next(curve for curve in curves(overrides(place, "measure=gates")) if curve.order == "gates")
    assert along.masks[3] == record.kept
    folder = to_study(compose(*overrides(place, "measure=gates"))).model.trained_checkpoint()
    own = overrides(place, "measure=gates")[-5:]
    plain = ["model=hf_classifier", f"model.path={folder}", "model.max_length=32", *own]
    assert task(compose(*plain))["masks"] == 2, "the folder of a checkpoint tells its gates"
    with pytest.raises(InputError, match="nothing is known of gates of model 'model'"):
        task.check(compose("model=hf_classifier", f"model.path={place}/model", *own))


def test_a_training_without_gates_is_one_point(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXTEEN_HEADS_CACHE", str(tmp_path / "cache"))
    without = [word for word in overrides(place, "model.training.gates=none") if "gates.keep" not in word]
    without = [word for word in without if "straight_through" not in word and word != "model.training.gates=subset"]
    StudyTask()(compose(*without, "measure=train"))
    assert StudyTask()(compose(*without, "measure=gates"))["masks"] == 1
    (curve,) = curves([*without, "measure=gates"])
    assert (curve.options["method"], curve.options["updates"], curve.removed) == ("none", 8, (0,))
    refused = compose(*without, "measure=pruning", "measure.order=gates")
    with pytest.raises(InputError, match="measure.order=gates goes by gates that were learned, .* had none"):
        StudyTask().check(refused)
